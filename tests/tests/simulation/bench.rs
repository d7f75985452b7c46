//! An engine over a store in memory, a source and a target of its own, in virtual time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::engine::{Applied, Engine, EngineSettings, Flow, Source, Target};
use datawald_core::model::{Entity, EntityKey, TxStatus};
use datawald_core::store::{Claimed, SqliteStore, StagingStore};
use datawald_core::{Clock, Cx, Disposition, Error, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::sides::{Answers, applied, at, flow};

/// A clock that goes as Tokio's does.
#[derive(Debug)]
pub(crate) struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        at(0) + SignedDuration::try_from(self.0.elapsed()).unwrap()
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(crate) struct Bench {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: Arc<Virtual>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { store: Arc::new(SqliteStore::in_memory().unwrap()), clock: Arc::new(Virtual(Instant::now())) }
    }

    pub(crate) fn engine(&self, source: impl Source + 'static, target: impl Target + 'static) -> Engine {
        let settings = EngineSettings { batch: 10, page_size: 50, ..EngineSettings::default() };
        self.engine_with(settings, source, target)
    }

    pub(crate) fn engine_with(
        &self,
        settings: EngineSettings,
        source: impl Source + 'static,
        target: impl Target + 'static,
    ) -> Engine {
        Engine::builder(self.store.clone())
            .clock(self.clock.clone())
            .settings(settings)
            .flow(Flow::new(flow()).source(source).target(target))
            .build()
            .unwrap()
    }

    pub(crate) async fn all(&self) -> Vec<Entity> {
        let filter = datawald_core::store::EntityFilter { limit: 1_000, ..Default::default() };
        self.store.list(&filter).await.unwrap().items
    }

    pub(crate) async fn count(&self, status: TxStatus) -> usize {
        self.all().await.iter().filter(|entity| entity.status == status).count()
    }

    pub(crate) async fn entity(&self, id: &str) -> Entity {
        self.store.get(&EntityKey::new(&flow(), id)).await.unwrap().unwrap()
    }

    /// Waits until all are S; how long that took.
    pub(crate) async fn until_done(&self, count: usize) -> Duration {
        let began = Instant::now();
        while self.count(TxStatus::Success).await < count {
            assert!(began.elapsed() < Duration::from_secs(3_600), "{:?}", self.all().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        began.elapsed()
    }
}

/// A target that answers, or says something of itself; each call takes a while.
#[derive(Clone)]
pub(crate) struct Erp {
    pub(crate) says: Arc<Mutex<Option<Error>>>,
    pub(crate) answers: Answers,
    /// Calls, and with how many entities, since the last look.
    pub(crate) calls: Arc<Mutex<Vec<usize>>>,
    pub(crate) at_once: Arc<AtomicUsize>,
    pub(crate) most_at_once: Arc<AtomicUsize>,
}

impl Erp {
    pub(crate) fn new(answers: Answers) -> Self {
        let (at_once, most_at_once) = Default::default();
        Self { says: Arc::default(), answers, calls: Arc::default(), at_once, most_at_once }
    }

    pub(crate) fn good() -> Self {
        Self::new(Answers::new(|_, claimed, _| applied(&claimed.key.id)))
    }

    pub(crate) fn say(&self, error: Option<Error>) {
        *self.says.lock().unwrap() = error;
    }

    /// The calls since this was asked last, and how many of them went on at a time.
    pub(crate) fn look(&self) -> (Vec<usize>, usize) {
        (std::mem::take(&mut *self.calls.lock().unwrap()), self.most_at_once.swap(0, Ordering::SeqCst))
    }
}

#[async_trait]
impl Target for Erp {
    async fn apply(&self, cx: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        self.calls.lock().unwrap().push(batch.len());
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let says = self.says.lock().unwrap().clone();
        let results = match says {
            Some(error) => batch.iter().map(|_| Err(error.clone()).into()).collect(),
            None => self.answers.apply(cx, batch).await,
        };
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        results
    }
}

pub(crate) fn away() -> Error {
    let retry = Disposition::Retryable { after: None };
    Error::new(ErrorKind::Unreachable, retry, "insert orders", "cannot connect to b1.example.com")
}

pub(crate) fn refused() -> Error {
    let message = "the user or the password is wrong";
    Error::new(ErrorKind::Unauthorized, Disposition::Permanent, "log in", message)
}
