//! The right to pull: kept while a pull works, and free soon after its process has died.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::engine::{Engine, EngineSettings, FetchQuery, Flow, Source, SourcePage};
use datawald_core::{Cx, ErrorKind, ManualClock, Result};
use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::sides::{Bench, Rows, at, flow, quick};

/// Rows that come when they may.
struct Slow {
    rows: Rows,
    begun: Arc<Notify>,
    go: Arc<Notify>,
}

#[async_trait]
impl Source for Slow {
    async fn fetch(&self, cx: &Cx, query: &FetchQuery) -> Result<SourcePage> {
        self.begun.notify_one();
        self.go.notified().await;
        self.rows.fetch(cx, query).await
    }
}

struct World {
    bench: Bench,
    clock: Arc<ManualClock>,
    begun: Arc<Notify>,
    go: Arc<Notify>,
}

impl World {
    fn new() -> Self {
        let (begun, go) = (Arc::default(), Arc::default());
        Self { bench: Bench::new(), clock: Arc::new(ManualClock::at(at(1_000))), begun, go }
    }

    fn engine(&self, source: impl Source + 'static, settings: EngineSettings) -> Engine {
        Engine::builder(self.bench.store.clone())
            .clock(self.clock.clone())
            .settings(settings)
            .flow(Flow::new(flow()).source(source))
            .build()
            .unwrap()
    }

    fn slow(&self, settings: EngineSettings) -> Engine {
        self.engine(Slow { rows: Rows::many(3), begun: self.begun.clone(), go: self.go.clone() }, settings)
    }
}

#[tokio::test]
async fn a_page_that_takes_longer_than_the_lease_does_not_lose_the_right() {
    let world = World::new();
    let settings = EngineSettings { pull_lease_ms: 1_000, ..quick() };
    let pulling = tokio::spawn({
        let slow = world.slow(settings.clone());
        async move { slow.pull(&flow()).await }
    });
    world.begun.notified().await;
    let other = world.engine(Rows::many(3), settings);
    for _ in 0..5 {
        world.clock.advance(SignedDuration::from_millis(900));
        // The right is renewed three times as often as it would run out.
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(other.pull(&flow()).await.unwrap_err().kind(), ErrorKind::Busy);
    }
    world.go.notify_one();
    assert_eq!(pulling.await.unwrap().unwrap().inserted, 3);
    assert_eq!(other.pull(&flow()).await.unwrap().unchanged, 3);
}

#[tokio::test]
async fn a_pull_that_was_killed_keeps_the_next_one_waiting_for_the_short_lease_only() {
    let world = World::new();
    let killed = tokio::spawn({
        let slow = world.slow(EngineSettings::default());
        async move { slow.pull(&flow()).await }
    });
    world.begun.notified().await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    let next = world.engine(Rows::many(3), EngineSettings::default());
    let mut waited = 0;
    let pulled = loop {
        match next.pull(&flow()).await {
            Ok(pulled) => break pulled,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Busy),
        }
        assert!(waited < 200, "it waits for ever");
        world.clock.advance(SignedDuration::from_secs(1));
        waited += 1;
    };
    assert_eq!(pulled.inserted, 3);
    assert!((14..=16).contains(&waited), "it waited {waited} s");
}
