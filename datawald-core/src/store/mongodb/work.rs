//! What workers do: claim and renew; and having it done again.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::options::FindOptions;

use super::bson::{bson, count, date, number, read, time};
use super::change::{ROUNDS, busy, carried_out, known, mark, standing};
use super::commands::Commands;
use super::documents::{ENTITIES, EntityDoc};
use super::keys::{entity_id, flow_id};
use super::members::{freeze, join};
use crate::clock::later;
use crate::model::{EntityKey, FlowId, SyncTaskId, TxStatus};
use crate::store::transition;
use crate::store::{Claim, Claimed};
use crate::{Now, Result};

/// How often a claim of whatever is due looks again, if others have taken all that it had found.
const LOOKS: usize = 10;

pub(super) async fn claim(commands: &Commands, claim: &Claim<'_>) -> Result<Vec<Claimed>> {
    let Some(keys) = claim.keys else {
        for _ in 0..LOOKS {
            let due = due(commands, claim.flow, claim.now.store, claim.limit).await?;
            let found = !due.is_empty();
            let claimed = lease(commands, claim, &due).await?;
            if !claimed.is_empty() || !found {
                return Ok(claimed);
            }
        }
        return Ok(Vec::new());
    };
    let mut once = HashSet::new();
    let keys: Vec<String> = keys.iter().filter(|key| once.insert(key.as_str())).cloned().collect();
    if keys.len() <= claim.limit {
        return lease(commands, claim, &keys).await;
    }
    let filter = doc! { "_id": { "$in": ids(claim.flow, &keys) }, "due_at": due_by(claim.now.store) };
    let due: HashSet<String> =
        source_keys(commands, "claim", filter, FindOptions::default()).await?.into_iter().collect();
    let keys: Vec<String> = keys.into_iter().filter(|key| due.contains(key)).take(claim.limit).collect();
    lease(commands, claim, &keys).await
}

/// Leases those of `keys` that are due, in one statement: the server compares and sets each by itself.
async fn lease(commands: &Commands, claim: &Claim<'_>, keys: &[String]) -> Result<Vec<Claimed>> {
    const OPERATION: &str = "claim";
    if keys.is_empty() || claim.limit == 0 {
        return Ok(Vec::new());
    }
    let ids = ids(claim.flow, keys);
    let op = mark();
    let lease_until = date(later(claim.now.store, claim.lease));
    let statement = doc! {
        "q": { "_id": { "$in": &ids }, "due_at": due_by(claim.now.store) },
        // A pipeline, since what becomes of some fields follows from others.
        "u": [{ "$set": {
            "was": { "$cond": [unresolved(), TxStatus::InDoubt.letter(), "$status"] },
            "written_before": "$written",
            "written": { "$ifNull": ["$written", "$rev"] },
            "missed_before": "$missed",
            "missed": false,
            "status": TxStatus::InProcess.letter(),
            "lost_leases": { "$cond": [
                { "$eq": ["$status", TxStatus::InProcess.letter()] }, { "$add": ["$lost_leases", 1_i64] }, "$lost_leases",
            ] },
            "token": { "$add": ["$token", 1_i64] },
            "attempts": { "$add": ["$attempts", 1_i64] },
            "lease_owner": { "$literal": claim.owner },
            "lease_until": lease_until,
            "due_at": date(later(time(lease_until), claim.settle_delay)),
            "updated_at": date(claim.now.wall),
            "claim": &op,
            "op": &op,
        } }],
        "multi": true,
    };
    let written = commands.update(OPERATION, ENTITIES, vec![statement]).await?;
    // Sent once and nothing found: there is nothing. Sent again, the first may have been carried out without an answer.
    if written.matched == 0 && !written.again {
        return Ok(Vec::new());
    }
    // Not by the mark of the last change: a pass may have brought or joined one of them since.
    let filter = doc! { "_id": { "$in": ids }, "claim": op };
    let options = FindOptions::builder().projection(doc! { "raw": 0 }).build();
    let mut claimed = HashMap::new();
    for found in commands.find(OPERATION, ENTITIES, filter, options).await? {
        match read::<EntityDoc>(OPERATION, ENTITIES, &found) {
            Ok(found) => {
                claimed.insert(found.id.clone(), leased(found));
            }
            // One that cannot be read is to hold up nobody else.
            Err(error) => tracing::error!(%error, "an entity that is due cannot be read; it stays where it is"),
        }
    }
    Ok(keys.iter().filter_map(|key| claimed.remove(key)).collect())
}

/// As `transition::claim` has it: it came to an end, or was opened again, before it was known what became of a write.
fn unresolved() -> Document {
    doc! { "$and": [
        { "$eq": ["$status", TxStatus::New.letter()] },
        { "$ne": ["$written", Bson::Null] },
        { "$eq": ["$target_id", Bson::Null] },
    ] }
}

fn leased(found: EntityDoc) -> Claimed {
    Claimed {
        written_docs: Vec::new(),
        key: found.entity_key(),
        intent: found.intent(),
        token: count(found.token),
        rev: count(found.rev),
        name: found.name,
        target_id: found.target_id,
        reference: found.reference,
        written: found.written_before.map(count),
        missed: found.missed_before,
        attempts: u32::try_from(found.attempts).unwrap_or_default(),
        lost_leases: u32::try_from(found.lost_leases).unwrap_or_default(),
        was: found.was,
        lease_until: found.lease_until.map(time).unwrap_or_default(),
        doc: found.doc,
    }
}

pub(super) async fn due(commands: &Commands, flow: &FlowId, now: Timestamp, limit: usize) -> Result<Vec<String>> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let filter = doc! { "flow": flow_id(flow), "due_at": due_by(now) };
    let options = FindOptions::builder()
        .sort(doc! { "due_at": 1, "seq": 1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .build();
    source_keys(commands, "list due", filter, options).await
}

pub(super) async fn next_due(commands: &Commands, flow: &FlowId) -> Result<Option<Timestamp>> {
    const OPERATION: &str = "read next due";
    let filter = doc! { "flow": flow_id(flow), "due_at": { "$exists": true } };
    let options = FindOptions::builder().sort(doc! { "due_at": 1 }).limit(1).projection(doc! { "due_at": 1 }).build();
    let found = commands.find(OPERATION, ENTITIES, filter, options).await?;
    Ok(found.first().and_then(|found| found.get_datetime("due_at").ok()).map(time))
}

async fn source_keys(
    commands: &Commands,
    operation: &'static str,
    filter: Document,
    mut options: FindOptions,
) -> Result<Vec<String>> {
    options.projection = Some(doc! { "id": 1 });
    let found = commands.find(operation, ENTITIES, filter, options).await?;
    Ok(found.iter().filter_map(|found| found.get_str("id").ok().map(str::to_owned)).collect())
}

pub(super) async fn renew(
    commands: &Commands,
    leases: &[(EntityKey, u64)],
    until: Timestamp,
    due_at: Timestamp,
) -> Result<Vec<bool>> {
    const OPERATION: &str = "renew";
    let op = mark();
    let ids: Vec<String> = leases.iter().map(|(key, _)| entity_id(key)).collect();
    // Most have the same token, and go in one statement.
    let mut by_token: HashMap<u64, Vec<&String>> = HashMap::new();
    for ((_, token), id) in leases.iter().zip(&ids) {
        by_token.entry(*token).or_default().push(id);
    }
    let statements = by_token.into_iter().map(|(token, ids)| {
        doc! {
            "q": { "_id": { "$in": ids }, "token": number(token), "status": TxStatus::InProcess.letter() },
            "u": { "$set": { "lease_until": date(until), "due_at": date(due_at), "op": &op } },
            "multi": true,
        }
    });
    let written = commands.update(OPERATION, ENTITIES, statements.collect()).await?;
    if written.matched == leases.len() as u64 {
        return Ok(vec![true; leases.len()]);
    }
    let filter = doc! { "_id": { "$in": &ids }, "op": op };
    let options = FindOptions::builder().projection(doc! { "token": 1 }).build();
    let found = commands.find(OPERATION, ENTITIES, filter, options).await?;
    // With the token, since an earlier one of the same entity may be among them.
    let held: HashSet<(&str, i64)> =
        found.iter().filter_map(|found| Some((found.get_str("_id").ok()?, found.get_i64("token").ok()?))).collect();
    Ok(leases.iter().zip(&ids).map(|((_, token), id)| held.contains(&(id.as_str(), number(*token)))).collect())
}

pub(super) async fn resync(commands: &Commands, key: &EntityKey, now: Now) -> Result<bool> {
    const OPERATION: &str = "resync";
    let id = entity_id(key);
    let op = mark();
    for _ in 0..ROUNDS {
        let Some(known) = known(commands, OPERATION, &[&id]).await?.remove(&id) else { return Ok(false) };
        if known.op == op {
            return Ok(true);
        }
        if let Some(erased_at) = known.erased_at {
            return Err(transition::erased(OPERATION, key, time(erased_at)));
        }
        let update = match known.status {
            TxStatus::InProcess | TxStatus::InDoubt => return Ok(false),
            TxStatus::New if known.due_at.is_some_and(|at| at <= date(now.store)) => return Ok(false),
            TxStatus::New => {
                doc! { "$set": { "due_at": date(now.store), "updated_at": date(now.wall), "op": &op } }
            }
            _ => match do_again(OPERATION, &known, None, now, &op)? {
                Some(update) => update,
                None => return Ok(false),
            },
        };
        let statement = doc! { "q": { "_id": &id, "op": &known.op }, "u": update };
        if commands.update(OPERATION, ENTITIES, vec![statement]).await?.matched > 0 {
            return Ok(true);
        }
    }
    Err(busy(OPERATION))
}

/// Failures done again together.
const TOGETHER: i64 = 500;

pub(super) async fn resync_failed(commands: &Commands, flow: &FlowId, class: Option<&str>, now: Now) -> Result<u64> {
    const OPERATION: &str = "resync failures";
    let mut filter = doc! {
        "flow": flow_id(flow),
        "status": TxStatus::Failed.letter(),
        "intent": { "$in": ["apply", "cancel"] },
        "erased_at": Bson::Null,
    };
    if let Some(class) = class {
        filter.insert("failure", class);
    }
    let mut again = 0;
    let mut in_vain = 0;
    while in_vain < ROUNDS {
        let options = FindOptions::builder().projection(doc! { "doc": 0, "raw": 0 }).limit(TOGETHER).build();
        let mut failed = HashMap::new();
        for found in commands.find(OPERATION, ENTITIES, filter.clone(), options).await? {
            let found: EntityDoc = read(OPERATION, ENTITIES, &found)?;
            failed.insert(found.key.clone(), found);
        }
        if failed.is_empty() {
            return Ok(again);
        }
        let done = all_again(commands, OPERATION, &failed, None, now).await?;
        in_vain = if done == 0 { in_vain + 1 } else { 0 };
        again += done;
    }
    Err(busy(OPERATION))
}

pub(super) async fn failures(commands: &Commands, flow: &FlowId) -> Result<BTreeMap<String, u64>> {
    const OPERATION: &str = "count failures";
    let filter = doc! {
        "flow": flow_id(flow),
        "status": TxStatus::Failed.letter(),
        "failure": { "$exists": true },
        "erased_at": Bson::Null,
    };
    let options = FindOptions::builder().projection(doc! { "_id": 0, "failure": 1 }).build();
    let mut counts = BTreeMap::new();
    for found in commands.find(OPERATION, ENTITIES, filter, options).await? {
        *counts.entry(found.get_str("failure").unwrap_or_default().to_owned()).or_default() += 1;
    }
    Ok(counts)
}

/// Has entities done again that nobody has changed since they were read. Answers how many.
pub(super) async fn all_again(
    commands: &Commands,
    operation: &'static str,
    failed: &HashMap<String, EntityDoc>,
    counts_in: Option<&SyncTaskId>,
    now: Now,
) -> Result<u64> {
    let op = mark();
    let (mut statements, mut ids) = (Vec::new(), Vec::new());
    for (key, known) in failed {
        let Some(update) = do_again(operation, known, counts_in, now, &op)? else { continue };
        statements.push(doc! { "q": { "_id": key, "op": &known.op }, "u": update });
        ids.push(key);
    }
    let all = statements.len() as u64;
    match commands.update(operation, ENTITIES, statements).await?.matched {
        matched if matched == all => Ok(all),
        // Those that were changed without an answer are no longer failures, and would not be counted.
        _ => Ok(carried_out(commands, operation, &ids, &op).await?.len() as u64),
    }
}

/// What has a final entity done again; `None` if there is nothing to be done with it. The passes that it was part of ended
/// with what it was then; `counts_in` is the one in which it counts as what it is again.
fn do_again(
    operation: &'static str,
    known: &EntityDoc,
    counts_in: Option<&SyncTaskId>,
    now: Now,
    op: &str,
) -> Result<Option<Document>> {
    let intent = known.intent();
    if !intent.is_to_be_done() {
        return Ok(None);
    }
    let mut passes = known.passes.clone();
    freeze(&mut passes, known.status);
    if let Some(task) = counts_in {
        join(&mut passes, task.as_str());
    }
    let passes = bson(operation, &passes)?;
    let mut set =
        doc! { "attempts": 0_i64, "lost_leases": 0_i64, "passes": passes, "updated_at": date(now.wall), "op": op };
    let mut unset = Document::new();
    standing(transition::open(&intent, String::new(), now.store), &mut set, &mut unset);
    Ok(Some(doc! { "$set": set, "$unset": unset }))
}

/// At most `now`, told as less than the next millisecond: not every server finds the bound itself by a compound index.
fn due_by(now: Timestamp) -> Document {
    doc! { "$lt": DateTime::from_millis(now.as_millisecond().saturating_add(1)) }
}

fn ids(flow: &FlowId, keys: &[String]) -> Vec<String> {
    keys.iter().map(|key| entity_id(&EntityKey::new(flow, key.clone()))).collect()
}
