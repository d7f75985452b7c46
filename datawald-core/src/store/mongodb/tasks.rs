//! Sync tasks.

use std::collections::HashMap;

use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::FindOptions;

use super::bson::{bson, date, document, read, time};
use super::change::{ROUNDS, busy, known};
use super::commands::Commands;
use super::documents::{CutDoc, ENTITIES, EntityDoc, PassDoc, SYNC_TASKS, SyncTaskDoc};
use super::keys::flow_id;
use super::members;
use super::work::all_again;
use crate::model::{Counts, SyncStatus, SyncTask, SyncTaskId, TxStatus};
use crate::store::{Listing, NewSyncTask, SyncTaskFilter, paging};
use crate::{Error, Now, Result};

pub(super) async fn create(commands: &Commands, new: NewSyncTask) -> Result<()> {
    const OPERATION: &str = "record sync task";
    let task = SyncTaskDoc {
        id: new.id.as_str().to_owned(),
        flow: flow_id(&new.flow),
        table: new.flow.table,
        frontend: new.flow.frontend.clone(),
        status: SyncStatus::Processing,
        note: String::new(),
        cut_before: new.cut_before.map(CutDoc::of),
        cut_after: None,
        pulled: false,
        pulled_at: None,
        started_at: date(new.now),
        ended_at: None,
    };
    let written = commands.insert(OPERATION, SYNC_TASKS, vec![document(OPERATION, &task)?]).await?;
    if written.duplicates.is_empty() {
        return Ok(());
    }
    match find(commands, OPERATION, &new.id).await? {
        Some(there) if there.flow != flow_id(&new.flow) => {
            Err(Error::invalid(OPERATION, "this id is another flow's; generate a new one")
                .entity(format!("sync task {}", new.id)))
        }
        _ => Ok(()),
    }
}

pub(super) async fn find(commands: &Commands, operation: &'static str, id: &SyncTaskId) -> Result<Option<SyncTaskDoc>> {
    let found = commands.find_one(operation, SYNC_TASKS, doc! { "_id": id.as_str() }).await?;
    found.map(|found| read(operation, SYNC_TASKS, &found)).transpose()
}

pub(super) async fn counts(commands: &Commands, id: &SyncTaskId) -> Result<Counts> {
    // One that was deleted leaves marks in its entities until they are cleaned up.
    match find(commands, "count sync task", id).await? {
        Some(_) => members::counts(commands, id).await,
        None => Ok(Counts::default()),
    }
}

pub(super) async fn finish_pull(commands: &Commands, id: &SyncTaskId, now: Timestamp) -> Result<()> {
    let statement = doc! {
        "q": { "_id": id.as_str(), "pulled": false },
        "u": { "$set": { "pulled": true, "pulled_at": date(now) } },
    };
    commands.update("finish pull", SYNC_TASKS, vec![statement]).await.map(drop)
}

pub(super) async fn close(
    commands: &Commands,
    id: &SyncTaskId,
    status: SyncStatus,
    note: &str,
    now: Timestamp,
) -> Result<bool> {
    const OPERATION: &str = "close sync task";
    let ended_at = if status == SyncStatus::Processing { Bson::Null } else { date(now).into() };
    let fields = doc! { "status": bson(OPERATION, &status)?, "note": note, "ended_at": ended_at };
    set(commands, OPERATION, id, fields).await
}

/// Notes the cut that a pass has reached.
pub(super) async fn reached(commands: &Commands, operation: &'static str, id: &SyncTaskId, cut: CutDoc) -> Result<()> {
    set(commands, operation, id, doc! { "cut_after": bson(operation, &cut)? }).await.map(drop)
}

/// As [`reached`], of a pull: whoever has closed the pass meanwhile took it for dead.
pub(super) async fn pulled_to(
    commands: &Commands,
    operation: &'static str,
    id: &SyncTaskId,
    cut: CutDoc,
) -> Result<()> {
    let mut fields = opened(operation)?;
    fields.insert("cut_after", bson(operation, &cut)?);
    set(commands, operation, id, fields).await.map(drop)
}

/// Opens one that was closed.
pub(super) async fn open(commands: &Commands, operation: &'static str, id: &SyncTaskId) -> Result<()> {
    set(commands, operation, id, opened(operation)?).await.map(drop)
}

fn opened(operation: &'static str) -> Result<Document> {
    Ok(doc! { "status": bson(operation, &SyncStatus::Processing)?, "note": "", "ended_at": Bson::Null })
}

async fn set(commands: &Commands, operation: &'static str, id: &SyncTaskId, fields: Document) -> Result<bool> {
    let statement = doc! { "q": { "_id": id.as_str() }, "u": { "$set": fields } };
    Ok(commands.update(operation, SYNC_TASKS, vec![statement]).await?.matched > 0)
}

pub(super) async fn delete(commands: &Commands, id: &SyncTaskId) -> Result<bool> {
    const OPERATION: &str = "delete sync task";
    let found = find(commands, OPERATION, id).await?.is_some();
    commands.delete(OPERATION, SYNC_TASKS, [doc! { "_id": id.as_str() }]).await?;
    members::forget(commands, OPERATION, &[id.as_str().to_owned()]).await?;
    Ok(found)
}

pub(super) async fn list(commands: &Commands, filter: &SyncTaskFilter) -> Result<Listing<SyncTask>> {
    const OPERATION: &str = "list sync tasks";
    let mut wanted = Document::new();
    if let Some(flow) = &filter.flow {
        wanted.insert("flow", flow_id(flow));
    }
    if let Some(status) = filter.status {
        wanted.insert("status", bson(OPERATION, &status)?);
    }
    if let Some((started_at, id)) = paging::after::<(Timestamp, String)>(filter.after.as_deref())? {
        let started_at = date(started_at);
        wanted.insert(
            "$or",
            vec![doc! { "started_at": { "$lt": started_at } }, doc! { "started_at": started_at, "_id": { "$lt": id } }],
        );
    }
    let size = paging::page_size(filter.limit);
    let options = FindOptions::builder()
        .sort(doc! { "started_at": -1, "_id": -1 })
        .limit(i64::try_from(size + 1).unwrap_or(i64::MAX))
        .build();
    let found = commands.find(OPERATION, SYNC_TASKS, wanted, options).await?;
    let tasks: Vec<SyncTaskDoc> =
        found.iter().map(|found| read(OPERATION, SYNC_TASKS, found)).collect::<Result<_>>()?;
    let page = paging::page(tasks, size, |task| (time(task.started_at), task.id.clone()))?;
    Ok(Listing { items: page.items.into_iter().map(SyncTaskDoc::task).collect(), next: page.next })
}

pub(super) async fn resync(commands: &Commands, id: &SyncTaskId, now: Now) -> Result<u64> {
    const OPERATION: &str = "resync sync task";
    if find(commands, OPERATION, id).await?.is_none() {
        return Ok(0);
    }
    let mut again = 0;
    for round in 0..=ROUNDS {
        let failed = failures(commands, id).await?;
        if failed.is_empty() {
            break;
        }
        if round == ROUNDS {
            return Err(busy(OPERATION));
        }
        again += all_again(commands, OPERATION, &failed, Some(id), now).await?;
    }
    if again > 0 {
        let mut fields = opened(OPERATION)?;
        fields.insert("pulled_at", date(now.wall));
        set(commands, OPERATION, id, fields).await?;
    }
    Ok(again)
}

/// The entities that failed in a sync task, still stand at F, and can be done again.
async fn failures(commands: &Commands, id: &SyncTaskId) -> Result<HashMap<String, EntityDoc>> {
    const OPERATION: &str = "resync sync task";
    let doable = doc! { "$in": ["apply", "cancel"] };
    let filter = doc! {
        "passes.task": id.as_str(),
        "status": TxStatus::Failed.letter(),
        "intent": &doable,
        "erased_at": Bson::Null,
    };
    let options = FindOptions::builder().projection(doc! { "doc": 0, "raw": 0 }).build();
    let mut failed = HashMap::new();
    for found in commands.find(OPERATION, ENTITIES, filter, options).await? {
        let found: EntityDoc = read(OPERATION, ENTITIES, &found)?;
        let failed_here =
            |pass: &PassDoc| pass.task == id.as_str() && pass.status.is_none_or(|status| status == TxStatus::Failed);
        if found.passes.iter().any(failed_here) {
            failed.insert(found.key.clone(), found);
        }
    }
    let mut from = String::new();
    loop {
        let (sightings, next) = members::sightings(commands, OPERATION, id, &from).await?;
        let ids: Vec<&String> = sightings
            .iter()
            .filter(|sighting| sighting.status == TxStatus::Failed)
            .map(|sighting| &sighting.entity)
            .collect();
        if !ids.is_empty() {
            let known = known(commands, OPERATION, &ids).await?;
            failed.extend(known.into_iter().filter(|(_, known)| {
                known.status == TxStatus::Failed && known.intent().is_to_be_done() && known.erased_at.is_none()
            }));
        }
        match next {
            Some(next) => from = next,
            None => return Ok(failed),
        }
    }
}
