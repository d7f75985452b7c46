//! A source that cannot be used pauses its pulls. In virtual time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::engine::{FetchQuery, Side, Source, SourcePage};
use datawald_core::store::StagingStore;
use datawald_core::{Cx, Error, ErrorKind, Result};
use tokio::time::Instant;

use super::bench::*;
use super::sides::{Rows, flow};

/// A shop that answers, or says something of itself.
#[derive(Clone)]
struct Shop {
    rows: Rows,
    says: Arc<Mutex<Option<Error>>>,
    asked: Arc<AtomicU32>,
}

impl Shop {
    fn new(rows: Rows) -> Self {
        Self { rows, says: Arc::default(), asked: Arc::default() }
    }
}

#[async_trait]
impl Source for Shop {
    async fn fetch(&self, cx: &Cx, query: &FetchQuery) -> Result<SourcePage> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let says = self.says.lock().unwrap().clone();
        match says {
            Some(error) => Err(error),
            None => self.rows.fetch(cx, query).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_be_used_is_asked_again_at_growing_intervals() {
    for (says, attempts) in [(away(), 5), (refused(), 1)] {
        let bench = Bench::new();
        let shop = Shop::new(Rows::many(20));
        *shop.says.lock().unwrap() = Some(says.clone());
        // Two processes pull in turn.
        let engines = [0, 1].map(|_| bench.engine(shop.clone(), Erp::good()));
        assert_eq!(engines[0].pull(&flow()).await.unwrap_err().to_string(), says.to_string());
        assert_eq!(shop.asked.swap(0, Ordering::SeqCst), attempts);
        let [pause] = &engines[1].pauses().await.unwrap()[..] else { panic!("one pause") };
        assert_eq!((pause.side, pause.reason.as_str()), (Side::Source, says.message()));

        let (mut probes, mut not_asked) = (0, 0);
        for minute in 0..20 * 60 {
            let error = engines[minute % 2].pull(&flow()).await.unwrap_err();
            let asked = shop.asked.swap(0, Ordering::SeqCst);
            if asked == 0 {
                not_asked += 1;
                assert_eq!(error.kind(), ErrorKind::Busy);
                let text = error.to_string();
                assert!(text.contains("the frontend") && text.contains(says.message()), "{text}");
                assert!(text.contains("it is tried again at 2023-"), "{text}");
            }
            assert!(asked <= 1);
            probes += asked;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!((8..=12).contains(&probes) && not_asked > 1_000, "{probes} probes");
        let tasks = bench.store.list_sync_tasks(&Default::default()).await.unwrap().items;
        assert_eq!(tasks.len(), 1 + probes as usize, "a pull that asks nothing is no run");

        *shop.says.lock().unwrap() = None;
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(engines[0].pull(&flow()).await.unwrap().inserted, 20);
        assert_eq!(engines[0].pauses().await.unwrap(), []);
        assert_eq!(engines[1].pull(&flow()).await.unwrap().unchanged, 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_run_waits_for_a_source_that_is_away() {
    let bench = Bench::new();
    let shop = Shop::new(Rows::many(20));
    *shop.says.lock().unwrap() = Some(away());
    let engine = bench.engine(shop.clone(), Erp::good());
    let back = async {
        tokio::time::sleep(Duration::from_secs(200)).await;
        *shop.says.lock().unwrap() = None;
    };
    let flow = flow();
    let (report, ()) = tokio::join!(engine.run_once(&flow), back);
    assert_eq!(report.unwrap().counts.success, 20);
    *shop.says.lock().unwrap() = Some(away());
    let began = Instant::now();
    let error = engine.run_once(&flow).await.unwrap_err();
    assert!(error.to_string().contains("cannot connect"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(620), "no longer than closing may take: {:?}", began.elapsed());
    *shop.says.lock().unwrap() = Some(refused());
    tokio::time::sleep(Duration::from_secs(600)).await;
    let error = engine.run_once(&flow).await.unwrap_err();
    assert_eq!(error.to_string(), refused().to_string());
}
