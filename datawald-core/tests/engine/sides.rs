//! Two sides that tests script, and an engine over them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datawald_core::engine::{
    Applied, Cursor, Done, Engine, EngineSettings, FetchQuery, Flow, Source, SourcePage, Target,
};
use datawald_core::model::{Cut, Entity, EntityKey, Fingerprint, FlowId, Intent, Table};
use datawald_core::queue::TaskQueue;
use datawald_core::store::{Claimed, SqliteStore, StageEntity, StagingStore};
use datawald_core::{Cx, Result};
use jiff::Timestamp;

pub(crate) fn flow() -> FlowId {
    FlowId::new(Table::Orders, "shop")
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// A source of rows, sorted by time, that are fetched page by page.
#[derive(Clone, Default)]
pub(crate) struct Rows {
    rows: Arc<Mutex<BTreeMap<String, (i64, String)>>>,
    pub(crate) queries: Arc<Mutex<Vec<FetchQuery>>>,
    pub(crate) source_now: Arc<Mutex<Option<Timestamp>>>,
}

impl Rows {
    pub(crate) fn put(&self, id: &str, second: i64, content: &str) {
        self.rows.lock().unwrap().insert(id.to_owned(), (second, content.to_owned()));
    }

    pub(crate) fn many(count: usize) -> Self {
        let rows = Self::default();
        (0..count).for_each(|number| rows.put(&format!("{number:05}"), number as i64, "content"));
        rows
    }
}

#[async_trait]
impl Source for Rows {
    async fn fetch(&self, _: &Cx, query: &FetchQuery) -> Result<SourcePage> {
        self.queries.lock().unwrap().push(query.clone());
        let after: Option<(i64, String)> = query.after.as_ref().map(|cursor| serde_json::from_str(&cursor.0).unwrap());
        let mut rows: Vec<_> = self
            .rows
            .lock()
            .unwrap()
            .iter()
            .map(|(id, (second, content))| (*second, id.clone(), content.clone()))
            .collect();
        rows.sort();
        rows.retain(|(second, id, _)| {
            query.from.is_none_or(|from| at(*second) >= from)
                && after.as_ref().is_none_or(|after| (*second, id.clone()) > *after)
        });
        let more = rows.len() > query.page_size;
        rows.truncate(query.page_size);
        let last = rows.last().map(|(second, id, _)| (*second, id.clone()));
        let entity = |(second, id, content): (i64, String, String)| StageEntity {
            name: id.clone(),
            id,
            intent: match content.as_str() {
                "cancel" => Intent::Cancel,
                "ignore" => Intent::Ignore("ignored".into()),
                _ => Intent::Apply,
            },
            source_status: "pending".into(),
            source_updated_at: Some(at(second)),
            fingerprint: Fingerprint::of(content.as_bytes()),
            doc: content.clone(),
            raw: content,
        };
        Ok(SourcePage {
            entities: rows.into_iter().map(entity).collect(),
            next: more.then(|| Cursor(serde_json::to_string(&last).unwrap())),
            reached: last.map(|(second, _)| Cut { cut_dt: at(second), offset: 1 }),
            source_now: *self.source_now.lock().unwrap(),
        })
    }

    async fn count(&self, _: &Cx, from: Option<Timestamp>) -> Result<Option<u64>> {
        let rows = self.rows.lock().unwrap();
        Ok(Some(rows.values().filter(|(second, _)| from.is_none_or(|from| at(*second) >= from)).count() as u64))
    }
}

type Answer = dyn Fn(&Cx, &Claimed, u32) -> Result<Done> + Send + Sync;

/// A target whose answer to each entity is a function of the entity and of how often it came.
#[derive(Clone)]
pub(crate) struct Answers {
    answer: Arc<Answer>,
    pub(crate) calls: Arc<Mutex<BTreeMap<String, u32>>>,
    pub(crate) settings: Arc<Mutex<Option<String>>>,
}

impl Answers {
    pub(crate) fn new(answer: impl Fn(&Cx, &Claimed, u32) -> Result<Done> + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), calls: Arc::default(), settings: Arc::default() }
    }

    pub(crate) fn calls(&self, id: &str) -> u32 {
        self.calls.lock().unwrap().get(id).copied().unwrap_or_default()
    }
}

pub(crate) fn applied(id: &str) -> Result<Done> {
    Ok(Done::Applied { target_id: format!("B1-{id}"), note: "inserted".into() })
}

#[async_trait]
impl Target for Answers {
    async fn apply(&self, cx: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        let mut results = Vec::new();
        for claimed in batch {
            let call = {
                let mut calls = self.calls.lock().unwrap();
                let call = calls.entry(claimed.key.id.clone()).or_default();
                *call += 1;
                *call
            };
            results.push((self.answer)(cx, claimed, call).into());
        }
        results
    }

    fn settings_digest(&self) -> Option<String> {
        self.settings.lock().unwrap().clone()
    }
}

/// Quick settings, so that what waits in earnest waits some milliseconds here. Only leases are long: none runs out by itself,
/// so that calls can be counted.
pub(crate) fn quick() -> EngineSettings {
    EngineSettings {
        page_size: 10,
        batch: 4,
        concurrency: 2,
        lease_ms: 6_000,
        settle_delay_ms: 500,
        backoff_ms: 5,
        max_backoff_ms: 20,
        max_attempts: 3,
        sweep_ms: 20,
        close_wait_ms: 20_000,
        ..EngineSettings::default()
    }
}

pub(crate) struct Bench {
    pub(crate) store: Arc<SqliteStore>,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Arc::new(SqliteStore::open(folder.path().join("staging.db")).unwrap()), _folder: folder }
    }

    pub(crate) fn engine(&self, rows: &Rows, answers: &Answers, settings: EngineSettings) -> Engine {
        Engine::builder(self.store.clone())
            .settings(settings)
            .flow(Flow::new(flow()).source(rows.clone()).target(answers.clone()))
            .build()
            .unwrap()
    }

    pub(crate) fn engine_with(&self, rows: &Rows, answers: &Answers, queue: Arc<dyn TaskQueue>) -> Engine {
        Engine::builder(self.store.clone())
            .settings(quick())
            .queue(queue)
            .flow(Flow::new(flow()).source(rows.clone()).target(answers.clone()))
            .build()
            .unwrap()
    }

    pub(crate) async fn entity(&self, id: &str) -> Entity {
        self.store.get(&EntityKey::new(&flow(), id)).await.unwrap().unwrap()
    }
}
