//! The judge. It knows nothing of the engine: it reads the shops, SAP B1 and the store's public contract.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use datawald_core::model::{Entity, SyncStatus, SyncTaskId, TxStatus};
use datawald_core::store::{EntityFilter, SqliteStore, StagingStore, SyncTaskFilter};
use sapb1_connector::sandbox::Way;

use super::papers::Paper;
use super::people::OVERWRITTEN;
use super::schedule::Group;
use super::shop::{Excuse, Record};
use super::story::Story;
use super::world::World;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Lost,
    Doubled,
    TakenForAnother,
    WrongMoney,
    Stuck,
    Outdated,
    Forgotten,
    FailedForNothing,
    FalselyCompleted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) kind: Kind,
    pub(crate) what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

fn wrong(kind: Kind, what: impl Into<String>) -> Wrong {
    Wrong { kind, what: what.into() }
}

/// What is looked at while a run goes on.
pub(crate) struct Watch {
    story: Arc<Story>,
    runs: Mutex<Vec<SyncTaskId>>,
    found: Mutex<Vec<Wrong>>,
}

impl Watch {
    pub(crate) fn new(story: Arc<Story>) -> Self {
        Self { story, runs: Mutex::default(), found: Mutex::default() }
    }

    /// The number of a run, which its id is too random for.
    pub(crate) fn run(&self, id: &SyncTaskId) -> usize {
        let mut runs = self.runs.lock().unwrap();
        if let Some(at) = runs.iter().position(|run| run == id) {
            return at + 1;
        }
        runs.push(id.clone());
        runs.len()
    }

    /// A run was closed; told if anything was in it. One that is called Completed is, and nothing of it failed.
    pub(crate) async fn closed(&self, store: &SqliteStore, id: &SyncTaskId, who: &str) {
        let (run, task) = (self.run(id), store.sync_task(id).await.unwrap());
        let counts = store.sync_task_counts(id).await.unwrap();
        let completed = task.as_ref().filter(|task| task.status == SyncStatus::Completed);
        if completed.is_some_and(|task| !task.pulled || counts.open() + counts.failed > 0) {
            self.find(wrong(Kind::FalselyCompleted, format!("run {run} is closed as Completed: {counts:?}")));
        }
        if let Some(task) = task.filter(|task| !task.pulled || counts.total() > counts.ignored) {
            let pulled = if task.pulled { "" } else { " before its pull has come to its end" };
            self.story.tell(who, format!("closes run {run} as {}{pulled}: {counts:?}", task.status.as_str()));
        }
    }

    fn find(&self, found: Wrong) {
        let mut known = self.found.lock().unwrap();
        if !known.contains(&found) {
            self.story.tell("JUDGE", &found);
            known.push(found);
        }
    }

    /// A page has joined a run, which is open then.
    pub(crate) async fn page_joined(&self, store: &SqliteStore, id: &SyncTaskId) {
        let run = self.run(id);
        let task = store.sync_task(id).await.unwrap();
        let open = store.sync_task_counts(id).await.unwrap().open();
        if open > 0 && task.is_some_and(|task| task.status == SyncStatus::Completed) {
            let what = format!("run {run} is called Completed while it still pulls, with {open} entities open");
            self.find(wrong(Kind::FalselyCompleted, what));
        }
    }

    /// After SAP B1 has written: no order has two documents.
    pub(crate) fn written(&self, records: &[Record], papers: &[Paper], foreign: &BTreeMap<i64, u64>) {
        for record in records {
            let own = own(record, papers, foreign);
            // Orders of two shops may come to one total: then each may have a document of it.
            let of_them = |paper: &Paper| records.iter().filter(|record| record.bears(paper.cents)).count();
            if own.len() > own.iter().map(|paper| of_them(paper)).max().unwrap_or(1) {
                let entries: Vec<_> = own.iter().map(|paper| paper.entry).collect();
                self.find(wrong(Kind::Doubled, format!("{} has the documents {entries:?}", record.name())));
            }
        }
    }
}

/// The documents of an order that stand, drafts included.
fn own<'a>(record: &Record, papers: &'a [Paper], foreign: &BTreeMap<i64, u64>) -> Vec<&'a Paper> {
    let ours = |paper: &&Paper| paper.draft || !foreign.contains_key(&paper.entry);
    papers.iter().filter(ours).filter(|paper| !paper.cancelled && record.bears(paper.cents)).collect()
}

/// Judges a world at rest.
pub(crate) async fn judge(world: &World) -> Vec<Wrong> {
    let mut found = world.watch.found.lock().unwrap().clone();
    let (papers, foreign) = (world.papers(), world.foreign.lock().unwrap().clone());
    let entities = entities(&world.store).await;
    for record in world.records() {
        let name = record.name();
        let entity = entities.iter().find(|entity| world.record_of(entity).is_some_and(|(_, one)| one.is(&record)));
        match entity {
            None => found.push(wrong(Kind::Lost, format!("{name} is not staged"))),
            Some(entity) => {
                let note = format!("{} ({})", entity.status, entity.note);
                // Of two orders that come to one total, it is not seen whose a document is.
                let shared = record.versions.iter().any(|version| is_shared(&world.records(), version.cents));
                let told = of_record(world, &record, entity, &papers, &foreign)
                    .filter(|(kind, _)| !shared || matches!(kind, Kind::Stuck | Kind::Lost | Kind::FailedForNothing));
                found.extend(told.map(|(kind, what)| {
                    wrong(kind, format!("{name} {what}; it is {note}, target {:?}", entity.target_id))
                }));
            }
        }
        let ever_cancelled = record.versions.iter().any(|version| version.status == "canceled");
        let sure =
            |paper: &&Paper| paper.cancelled && record.bears(paper.cents) && !is_shared(&world.records(), paper.cents);
        let cancelled = papers.iter().find(sure);
        if let (false, Some(paper)) = (ever_cancelled, cancelled) {
            let what = format!("{name} was never cancelled, but its document {} was", paper.entry);
            found.push(wrong(Kind::TakenForAnother, what));
        }
    }
    found.extend(shared(&entities));
    for (entry, cents) in &foreign {
        let paper = papers.iter().find(|paper| paper.entry == *entry && !paper.draft);
        if !paper.is_some_and(|paper| !paper.cancelled && paper.cents == *cents) {
            found.push(wrong(Kind::TakenForAnother, format!("the foreign document {entry} was touched")));
        }
    }
    found.extend(under_one_number(&world.records(), &papers, &foreign));
    found.extend(runs(world).await);
    found
}

/// Whether several orders come to a total.
fn is_shared(records: &[Record], cents: u64) -> bool {
    records.iter().filter(|record| record.bears(cents)).count() > 1
}

/// Documents of two orders under one number: neither can be told from the other by whoever looks next.
fn under_one_number(records: &[Record], papers: &[Paper], foreign: &BTreeMap<i64, u64>) -> Vec<Wrong> {
    let mut holders: BTreeMap<&str, &Record> = BTreeMap::new();
    let mut found = Vec::new();
    for record in records {
        for paper in own(record, papers, foreign) {
            // Of two orders that come to one total, it is not seen whose it is.
            if paper.reference == OVERWRITTEN || is_shared(records, paper.cents) {
                continue;
            }
            let holder = holders.entry(&paper.reference).or_insert(record);
            if !holder.is(record) {
                let what = format!("{} and {} both stand under {}", holder.name(), record.name(), paper.reference);
                found.push(wrong(Kind::TakenForAnother, what));
            }
        }
    }
    found
}

impl Record {
    fn is(&self, other: &Record) -> bool {
        (self.shop, self.entity_id) == (other.shop, other.entity_id)
    }

    /// Whether it is cancelled at the shop, and nobody has done anything else that a person would have to look at.
    fn is_merely_cancelled(&self) -> bool {
        let of_the_shop = |excuse: &Excuse| matches!(excuse, Excuse::CancelledLate | Excuse::MoneyChanged);
        let latest = self.latest();
        latest.status == "canceled" && latest.mappable && self.excuses.iter().all(of_the_shop)
    }
}

/// Documents upon which two orders are S.
fn shared(entities: &[Entity]) -> Vec<Wrong> {
    let mut holders: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for entity in entities.iter().filter(|entity| entity.status == TxStatus::Success) {
        if let Some(target) = &entity.target_id {
            holders.entry(target).or_default().push(entity.key.to_string());
        }
    }
    let shared = holders.into_iter().filter(|(_, keys)| keys.len() > 1);
    shared.map(|(target, keys)| wrong(Kind::TakenForAnother, format!("{keys:?} are S upon {target}"))).collect()
}

fn of_record(
    world: &World,
    record: &Record,
    entity: &Entity,
    papers: &[Paper],
    foreign: &BTreeMap<i64, u64>,
) -> Option<(Kind, String)> {
    let (own, latest) = (own(record, papers, foreign), record.latest());
    let target = |paper: &Paper| {
        let key = if paper.draft { format!("draft {}", paper.entry) } else { paper.entry.to_string() };
        entity.target_id.as_ref() == Some(&key)
    };
    match entity.status {
        TxStatus::New | TxStatus::InProcess | TxStatus::InDoubt => Some((Kind::Stuck, "has not ended".into())),
        TxStatus::Success => {
            let has = papers.iter().find(|paper| target(paper));
            // SAP B1 RESTful answers an insert by the first document under the number. One that somebody enters between the look-up
            // and the insert is that one; ours stands beside it, and whoever looks next sees both.
            let entered = record.excuses.contains(&Excuse::ForeignDocument);
            let beside = world.schedule().way == Way::Restful && entered && !own.is_empty();
            if let Some(paper) = has.filter(|paper| !beside && !paper.draft && foreign.contains_key(&paper.entry)) {
                return Some((Kind::TakenForAnother, format!("is S on the foreign document {}", paper.entry)));
            }
            // Once approved, a draft is a document under another key.
            let draft = entity.target_id.as_ref().is_some_and(|target| target.starts_with("draft"));
            let Some(paper) = own.iter().find(|paper| draft || beside || target(paper)) else {
                let standing = has.map(|paper| format!("document {} of {} cents", paper.entry, paper.cents));
                return Some((Kind::TakenForAnother, format!("is S, but not on its own document: {standing:?}")));
            };
            if latest.status == "canceled" && latest.mappable {
                return Some((Kind::Outdated, "is cancelled at the shop, but its document stands".into()));
            }
            if latest.mappable && paper.cents != latest.cents {
                return Some((Kind::WrongMoney, format!("has {} cents, its document {}", latest.cents, paper.cents)));
            }
            // Changes do not reach a draft, which the remark says; nor the document that is made of it.
            let was_draft = draft || world.approved.lock().unwrap().contains(&paper.entry);
            let open = world.schedule().way == Way::ServiceLayer && !was_draft && latest.mappable;
            let street = paper.street.as_ref().filter(|street| open && **street != latest.street)?;
            Some((Kind::Outdated, format!("goes to {}, its document {} to {street}", latest.street, paper.entry)))
        }
        TxStatus::Ignored | TxStatus::Cancelled => {
            if latest.status != "canceled" {
                return Some((Kind::Lost, "is to be inserted, but is called ended".into()));
            }
            let paper = own.first()?;
            Some((Kind::Forgotten, format!("is cancelled at the shop, but its document {} stands", paper.entry)))
        }
        TxStatus::Failed => {
            // SAP B1 itself refuses a second document, also where the first is a late one of ours.
            let refused = world.schedule().has(Group::Fence) && entity.note.contains("already exists");
            let looked_at = refused || record.excuses.iter().any(|excuse| *excuse != Excuse::CannotBeMapped);
            match &own[..] {
                _ if !refused && !record.is_excused(&entity.note) => {
                    Some((Kind::FailedForNothing, "has failed, and nothing that was done explains why".into()))
                }
                [paper] if entity.target_id.is_none() && !looked_at => {
                    Some((Kind::Forgotten, format!("has the document {}, which nobody knows of", paper.entry)))
                }
                [paper] if target(paper) && !paper.draft && record.is_merely_cancelled() && !refused => Some((
                    Kind::Forgotten,
                    format!("is cancelled at the shop, but its document {} stands", paper.entry),
                )),
                _ => None,
            }
        }
    }
}

async fn entities(store: &SqliteStore) -> Vec<Entity> {
    let mut filter = EntityFilter { limit: 1_000, ..EntityFilter::default() };
    let mut all = Vec::new();
    loop {
        let listing = store.list(&filter).await.unwrap();
        all.extend(listing.items);
        match listing.next {
            Some(next) => filter.after = Some(next),
            None => return all,
        }
    }
}

/// Completed means no F and nothing open, and nothing is left open.
async fn runs(world: &World) -> Vec<Wrong> {
    let mut found = Vec::new();
    let tasks =
        world.store.list_sync_tasks(&SyncTaskFilter { limit: 1_000, ..SyncTaskFilter::default() }).await.unwrap();
    let resynced = world.resynced.lock().unwrap().clone();
    for task in tasks.items {
        let run = world.watch.run(&task.id);
        match task.status {
            SyncStatus::Processing => found.push(wrong(Kind::Stuck, format!("run {run} was never closed"))),
            SyncStatus::Completed => {
                let counts = world.store.sync_task_counts(&task.id).await.unwrap();
                let filter = EntityFilter {
                    sync_task: Some(task.id.clone()),
                    statuses: vec![TxStatus::Failed],
                    limit: 1_000,
                    ..EntityFilter::default()
                };
                let failed = world.store.list(&filter).await.unwrap().items;
                // What an operator has had done again since may have failed since.
                let again = failed.iter().any(|entity| resynced.contains(&entity.key));
                if (counts.failed > 0 && !again) || counts.open() > 0 {
                    let what = format!("run {run} is called Completed, with {counts:?}");
                    found.push(wrong(Kind::FalselyCompleted, what));
                }
            }
            SyncStatus::Fail | SyncStatus::Incompleted => {}
        }
    }
    found
}
