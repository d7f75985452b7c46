//! Staging a page: the entities first, then the cut that they complete.

use std::collections::{HashMap, HashSet};

use mongodb::bson::{Bson, Document, doc};
use mongodb::options::FindOptions;

use super::bson::{bson, count, date, document, number, read};
use super::change::{ROUNDS, carried_out, mark, standing};
use super::commands::Commands;
use super::documents::{
    CutDoc, ENTITIES, EntityDoc, HISTORY, IntentWord, PassDoc, SYNC_TASKS, SightingDoc, SyncTaskDoc, VersionDoc,
};
use super::keys::{entity_id, flow_id, version_id};
use super::members::{self, freeze, has_joined, join, spill};
use super::{pulls, tasks};
use crate::model::{EntityKey, Fingerprint, FlowId, Intent, SyncTaskId, TxStatus};
use crate::store::transition::open;
use crate::store::{HISTORY_LIMIT, Push, StageBatch, StageEntity, Staging};
use crate::{Disposition, Error, ErrorKind, Result};

const OPERATION: &str = "stage";

/// Bytes of texts that a document can hold, with room for the rest; MongoDB's limit is 16 MB.
const LARGEST: usize = 15 * 1_024 * 1_024;

/// What staging one entity asks for.
enum Plan {
    /// It is not known.
    Insert(Box<EntityDoc>),
    /// It is known as `seen`, and is changed.
    Change { seen: String, update: Document, staging: Staging, earlier: Option<Box<VersionDoc>> },
    /// Nothing is written to it.
    Keep,
}

/// What the entities of a page have in common.
struct Page<'a> {
    flow: &'a FlowId,
    /// Of the right to pull; of what is pushed, of the last one there was.
    token: i64,
    /// The sync task that they join; what is pushed joins none.
    task: Option<&'a SyncTaskId>,
    now: jiff::Timestamp,
    first_place: i64,
    op: String,
}

pub(super) async fn stage(commands: &Commands, batch: StageBatch) -> Result<Vec<Staging>> {
    let StageBatch { lease, lease_until, sync_task, entities, cut, now } = batch;
    let (first_place, before) = pulls::renew(commands, OPERATION, &lease, lease_until, entities.len()).await?;
    check_task(commands, &sync_task, &lease.flow).await?;
    let entities: Vec<_> =
        entities.into_iter().map(|entity| Push { entity: that_fits(entity), if_rev: None }).collect();
    let token = number(lease.token);
    let page = Page { flow: &lease.flow, token, task: Some(&sync_task), now, first_place, op: mark() };
    let staged = page.stage(commands, &entities).await?.into_iter().flatten().collect();
    if let Some(cut) = cut {
        let stands = pulls::advance(commands, OPERATION, &lease, before, CutDoc::of(cut)).await?;
        tasks::reached(commands, OPERATION, &sync_task, stands).await?;
    }
    Ok(staged)
}

pub(super) async fn push(
    commands: &Commands,
    flow: &FlowId,
    entities: Vec<Push>,
    now: jiff::Timestamp,
) -> Result<Vec<Option<Staging>>> {
    let (first_place, token) = pulls::places(commands, OPERATION, flow, entities.len()).await?;
    let entities: Vec<_> = entities.into_iter().map(|push| Push { entity: that_fits(push.entity), ..push }).collect();
    Page { flow, token, task: None, now, first_place, op: mark() }.stage(commands, &entities).await
}

async fn check_task(commands: &Commands, id: &SyncTaskId, flow: &FlowId) -> Result<()> {
    let refused = |kind, message: &str| {
        Err(Error::new(kind, Disposition::Retryable { after: None }, OPERATION, message)
            .entity(format!("sync task {id}")))
    };
    match commands.find_one(OPERATION, SYNC_TASKS, doc! { "_id": id.as_str() }).await? {
        None => refused(ErrorKind::NotFound, "does not exist (was it deleted?); nothing was staged; pull again"),
        Some(found) if read::<SyncTaskDoc>(OPERATION, SYNC_TASKS, &found)?.flow != flow_id(flow) => {
            refused(ErrorKind::Invalid, "belongs to another flow; nothing was staged")
        }
        Some(_) => Ok(()),
    }
}

/// An entity that a document cannot hold is refused with its reason, so that the page goes on without it.
fn that_fits(entity: StageEntity) -> StageEntity {
    let size = entity.doc.len() + entity.raw.len();
    if size <= LARGEST {
        return entity;
    }
    let reason = format!("its documents take {size} bytes; MongoDB holds {LARGEST} of one entity");
    StageEntity { intent: Intent::Reject(reason), doc: String::new(), raw: String::new(), ..entity }
}

impl Page<'_> {
    async fn stage(&self, commands: &Commands, entities: &[Push]) -> Result<Vec<Option<Staging>>> {
        let mut answers: Vec<Option<Option<Staging>>> = vec![None; entities.len()];
        for _ in 0..ROUNDS {
            // Each key once a round, so that two of one key are taken in order.
            let mut keys = HashSet::new();
            let turn: Vec<usize> = (0..entities.len())
                .filter(|at| answers.get(*at).is_some_and(Option::is_none))
                .filter(|at| entities.get(*at).is_some_and(|push| keys.insert(push.entity.id.as_str())))
                .collect();
            if turn.is_empty() {
                return Ok(answers.into_iter().flatten().collect());
            }
            let turn: Vec<(usize, &Push)> =
                turn.into_iter().filter_map(|at| entities.get(at).map(|push| (at, push))).collect();
            for (at, staging) in self.round(commands, &turn).await? {
                if let Some(answer) = answers.get_mut(at) {
                    *answer = Some(staging);
                }
            }
        }
        Err(Error::store(OPERATION, "entities of this page are changed by others all the time; pull again"))
    }

    /// Stages what nobody changes at the same moment; the rest is for the next round.
    async fn round(&self, commands: &Commands, turn: &[(usize, &Push)]) -> Result<Vec<(usize, Option<Staging>)>> {
        let ids: Vec<String> = turn.iter().map(|(_, push)| self.id(&push.entity)).collect();
        let known = self.known(commands, &ids, turn).await?;
        let (mut inserts, mut changes) = (Vec::new(), Vec::new());
        let (mut earlier, mut sightings) = (Vec::new(), Vec::new());
        let mut inserted = Vec::new();
        let mut changed = Vec::new();
        let mut staged = Vec::new();
        for ((at, push), id) in turn.iter().zip(&ids) {
            let known = known.get(id);
            if push.if_rev.is_some_and(|rev| rev != known.map_or(0, |known| count(known.rev))) {
                staged.push((*at, None));
                continue;
            }
            match self.plan(*at, &push.entity, id, known, &mut sightings)? {
                Plan::Insert(new) => {
                    inserts.push(document(OPERATION, &new)?);
                    inserted.push((*at, id));
                }
                Plan::Change { seen, update, staging, earlier: version } => {
                    changes.push(doc! { "q": { "_id": id, "op": seen }, "u": update });
                    changed.push((*at, id, staging));
                    earlier.extend(version);
                }
                Plan::Keep => staged.push((*at, Some(Staging::Unchanged))),
            }
        }
        // What an entity leaves behind is written before it: it is not looked at before the entity has moved on.
        self.keep_versions(commands, &earlier).await?;
        members::see(commands, OPERATION, &sightings).await?;

        if !inserts.is_empty() {
            let written = commands.insert(OPERATION, ENTITIES, inserts).await?;
            let there: HashSet<usize> = written.duplicates.into_iter().collect();
            let doubtful: Vec<&String> =
                inserted.iter().enumerate().filter(|(n, _)| there.contains(n)).map(|(_, (_, id))| *id).collect();
            // The first try may have been carried out without an answer.
            let ours = carried_out(commands, OPERATION, &doubtful, &self.op).await?;
            staged.extend(
                inserted
                    .iter()
                    .enumerate()
                    .filter(|(n, (_, id))| !there.contains(n) || ours.contains(*id))
                    .map(|(_, (at, _))| (*at, Some(Staging::Inserted))),
            );
        }
        if !changes.is_empty() {
            let all = changes.len() as u64;
            let written = commands.update(OPERATION, ENTITIES, changes).await?;
            if written.matched < all {
                let ids: Vec<&String> = changed.iter().map(|(_, id, _)| *id).collect();
                let ours = carried_out(commands, OPERATION, &ids, &self.op).await?;
                changed.retain(|(_, id, _)| ours.contains(*id));
            }
            staged.extend(changed.iter().map(|(at, _, staging)| (*at, Some(*staging))));
            let done: HashSet<&str> = changed.iter().map(|(_, id, _)| id.as_str()).collect();
            earlier.retain(|version| done.contains(version.entity.as_str()));
            self.forget_versions(commands, &earlier).await?;
        }
        Ok(staged)
    }

    /// The entities that are there: whole if their content is to be replaced, else without their documents.
    async fn known(
        &self,
        commands: &Commands,
        ids: &[String],
        turn: &[(usize, &Push)],
    ) -> Result<HashMap<String, EntityDoc>> {
        let filter = doc! { "_id": { "$in": ids } };
        let light = FindOptions::builder().projection(doc! { "doc": 0, "raw": 0 }).build();
        let mut known = HashMap::new();
        for found in commands.find(OPERATION, ENTITIES, filter, light).await? {
            let found: EntityDoc = read(OPERATION, ENTITIES, &found)?;
            if self.task.is_some() && found.pull > self.token {
                return Err(Error::fenced(OPERATION, "a later pull has staged entities of this page"));
            }
            known.insert(found.key.clone(), found);
        }
        let replaced: Vec<&String> = turn
            .iter()
            .zip(ids)
            .filter(|((_, push), id)| known.get(*id).is_some_and(|known| !is_same(known, &push.entity)))
            .map(|(_, id)| id)
            .collect();
        if !replaced.is_empty() {
            let filter = doc! { "_id": { "$in": replaced } };
            for found in commands.find(OPERATION, ENTITIES, filter, FindOptions::default()).await? {
                let found: EntityDoc = read(OPERATION, ENTITIES, &found)?;
                known.insert(found.key.clone(), found);
            }
        }
        Ok(known)
    }

    fn plan(
        &self,
        at: usize,
        entity: &StageEntity,
        id: &str,
        known: Option<&EntityDoc>,
        sightings: &mut Vec<SightingDoc>,
    ) -> Result<Plan> {
        let Some(known) = known else {
            let key = EntityKey::new(self.flow, entity.id.clone());
            let place = self.first_place.saturating_add(number(at as u64));
            let mut new = EntityDoc::new(&key, entity, place, self.token, self.now, &self.op);
            self.join(&mut new.passes);
            return Ok(Plan::Insert(Box::new(new)));
        };
        let mut passes = known.passes.clone();
        let mut set = doc! { "op": &self.op, "pull": known.pull.max(self.token) };
        let mut unset = Document::new();
        let mut earlier = None;
        let raw_print = Fingerprint::of(entity.raw.as_bytes());
        let staging = if !is_same(known, entity) {
            Staging::Restaged
        } else if known.status == TxStatus::Failed && entity.intent.is_to_be_done() {
            Staging::Retried
        } else {
            Staging::Unchanged
        };
        if staging == Staging::Unchanged {
            if let Some(task) = self.task.filter(|task| !has_joined(&passes, task)) {
                match known.status.is_final() {
                    true => sightings.push(members::sighting(task, id, TxStatus::Ignored)),
                    false => join(&mut passes, task.as_str()),
                }
            }
            let source_updated_at = entity.source_updated_at.map(date);
            let same_source = known.raw_print == raw_print && known.source_updated_at == source_updated_at;
            if same_source && passes == known.passes {
                return Ok(Plan::Keep);
            }
        } else {
            if known.status.is_final() {
                freeze(&mut passes, known.status);
            }
            self.join(&mut passes);
            sightings.extend(spill(&mut passes, id));
            set.extend(doc! { "attempts": 0_i64, "lost_leases": 0_i64, "updated_at": date(self.now) });
            if !matches!(known.status, TxStatus::InProcess | TxStatus::InDoubt) {
                standing(open(&entity.intent, String::new(), self.now), &mut set, &mut unset);
            }
        }
        if staging == Staging::Restaged {
            let (intent, reason) = IntentWord::of(&entity.intent);
            set.extend(doc! {
                "intent": intent.word(),
                "reason": reason,
                "source_status": &entity.source_status,
                "fingerprint": entity.fingerprint.as_str(),
                "doc": &entity.doc,
                "rev": known.rev.saturating_add(1),
            });
            earlier = Some(Box::new(self.version(known)));
        }
        set.extend(doc! {
            "raw": &entity.raw,
            "raw_print": raw_print.as_str(),
            "source_updated_at": entity.source_updated_at.map_or(Bson::Null, |at| date(at).into()),
            "passes": bson(OPERATION, &passes)?,
        });
        let mut update = doc! { "$set": set };
        if !unset.is_empty() {
            update.insert("$unset", unset);
        }
        Ok(Plan::Change { seen: known.op.clone(), update, staging, earlier })
    }

    fn id(&self, entity: &StageEntity) -> String {
        entity_id(&EntityKey::new(self.flow, entity.id.clone()))
    }

    fn join(&self, passes: &mut Vec<PassDoc>) {
        if let Some(task) = self.task {
            join(passes, task.as_str());
        }
    }

    fn version(&self, known: &EntityDoc) -> VersionDoc {
        VersionDoc {
            id: version_id(&known.key, known.rev),
            entity: known.key.clone(),
            rev: known.rev,
            status: known.status,
            note: known.note.clone(),
            target_id: known.target_id.clone(),
            source_status: known.source_status.clone(),
            doc: known.doc.clone(),
            raw: known.raw.clone(),
            replaced_at: date(self.now),
        }
    }

    async fn keep_versions(&self, commands: &Commands, versions: &[Box<VersionDoc>]) -> Result<()> {
        let mut statements = Vec::with_capacity(versions.len());
        for version in versions {
            let version = document(OPERATION, version)?;
            statements.push(
                doc! { "q": { "_id": version.get_str("_id").unwrap_or_default() }, "u": version, "upsert": true },
            );
        }
        commands.update(OPERATION, HISTORY, statements).await.map(drop)
    }

    /// Drops what is older than the history goes back.
    async fn forget_versions(&self, commands: &Commands, newest: &[Box<VersionDoc>]) -> Result<()> {
        let kept = i64::from(HISTORY_LIMIT);
        let too_old = newest.iter().filter(|version| version.rev > kept).map(|version| {
            let (first, end) = (version_id(&version.entity, 0), version_id(&version.entity, version.rev - kept));
            doc! { "_id": { "$gte": first, "$lte": end }, "entity": &version.entity }
        });
        commands.delete(OPERATION, HISTORY, too_old).await.map(drop)
    }
}

/// Whether what is staged is what is there.
fn is_same(known: &EntityDoc, entity: &StageEntity) -> bool {
    known.fingerprint == entity.fingerprint
        && known.source_status == entity.source_status
        && known.intent() == entity.intent
}
