//! Staging a page: the entities first, then the cut that they complete.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use mongodb::bson::{Bson, Document, doc};
use mongodb::options::FindOptions;

use super::bson::{bson, count, date, document, number, read};
use super::change::{ROUNDS, carried_out, mark, standing};
use super::commands::Commands;
use super::documents::{
    CutDoc, ENTITIES, EntityDoc, HISTORY, IntentWord, PassDoc, Place, SightingDoc, VersionDoc, raw_print,
};
use super::keys::{entity_id, flow_id, version_id};
use super::members::{self, freeze, has_joined, join, spill};
use super::names::{self, Named, check, touched};
use super::{pulls, tasks};
use crate::model::{EntityKey, FlowId, Intent, SyncStatus, SyncTaskId, TxStatus};
use crate::store::transition::open;
use crate::store::{HISTORY_LIMIT, NewSyncTask, Push, StageBatch, StageEntity, Staging};
use crate::{Error, Now, Result};

const OPERATION: &str = "stage";

/// Bytes of texts that a document can hold, with room for the rest; MongoDB's limit is 16 MB.
const LARGEST: usize = 15 * 1_024 * 1_024;

/// What staging one entity asks for.
enum Plan {
    /// It is not known.
    Insert(Box<EntityDoc>),
    /// It is known as `seen`, and is changed.
    Change { seen: String, update: Document, staging: Staging, joins: bool, earlier: Option<Box<VersionDoc>> },
    /// Nothing is written to it.
    Keep(Staging),
}

/// What the entities of a page have in common.
struct Page<'a> {
    flow: &'a FlowId,
    /// Of the right to pull; of what is pushed, of the last one there was.
    token: i64,
    /// The sync task that they join; what is pushed joins none.
    task: Option<&'a NewSyncTask>,
    /// Whether that is there.
    recorded: AtomicBool,
    now: Now,
    first_place: i64,
    op: String,
}

pub(super) async fn stage(commands: &Commands, batch: StageBatch) -> Result<Vec<Staging>> {
    let StageBatch { lease, lease_until, sync_task, entities, cut, now } = batch;
    if sync_task.flow != lease.flow {
        return Err(of_another_flow(&sync_task.id));
    }
    // Before the right is renewed: what is refused changes nothing.
    let known = tasks::find(commands, OPERATION, &sync_task.id).await?;
    if known.as_ref().is_some_and(|known| known.flow != flow_id(&lease.flow)) {
        return Err(of_another_flow(&sync_task.id));
    }
    let (first_place, before) = pulls::renew(commands, OPERATION, &lease, lease_until, entities.len()).await?;
    let recorded = known.is_some();
    // Whoever closed it took the pull for dead.
    if known.is_some_and(|known| known.status != SyncStatus::Processing || !known.note.is_empty()) {
        tasks::open(commands, OPERATION, &sync_task.id).await?;
    }
    let entities: Vec<_> =
        entities.into_iter().map(|entity| Push { entity: that_fits(entity), if_rev: None }).collect();
    let token = number(lease.token);
    let page = Page {
        flow: &lease.flow,
        token,
        task: Some(&sync_task),
        recorded: AtomicBool::new(recorded),
        now,
        first_place,
        op: mark(),
    };
    let staged = page.stage(commands, &entities).await?.into_iter().flatten().collect();
    if let Some(cut) = cut {
        let stands = pulls::advance(commands, OPERATION, &lease, before, CutDoc::of(cut)).await?;
        tasks::pulled_to(commands, OPERATION, &sync_task.id, stands).await?;
    }
    Ok(staged)
}

pub(super) async fn push(
    commands: &Commands,
    flow: &FlowId,
    entities: Vec<Push>,
    now: Now,
) -> Result<Vec<Option<Staging>>> {
    let (first_place, token) = pulls::places(commands, OPERATION, flow, entities.len()).await?;
    let entities: Vec<_> = entities.into_iter().map(|push| Push { entity: that_fits(push.entity), ..push }).collect();
    let recorded = AtomicBool::new(false);
    Page { flow, token, task: None, recorded, now, first_place, op: mark() }.stage(commands, &entities).await
}

fn of_another_flow(id: &SyncTaskId) -> Error {
    Error::invalid(OPERATION, "belongs to another flow; nothing was staged").entity(format!("sync task {id}"))
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
        // Names that the index has refused to one of this page.
        let mut refused = HashSet::new();
        let mut in_vain = 0;
        while in_vain < ROUNDS {
            let open: Vec<(usize, &Push)> =
                entities.iter().enumerate().filter(|(at, _)| answers.get(*at).is_some_and(Option::is_none)).collect();
            if open.is_empty() {
                return Ok(answers.into_iter().flatten().collect());
            }
            let staged = self.round(commands, &open, &mut refused).await?;
            in_vain = if staged.is_empty() { in_vain + 1 } else { 0 };
            for (at, staging) in staged {
                if let Some(answer) = answers.get_mut(at) {
                    *answer = Some(staging);
                }
            }
        }
        Err(Error::store(OPERATION, "entities of this page are changed by others all the time; pull again"))
    }

    /// Stages those whose turn it is and that nobody changes at the same moment; the rest is for the next round.
    async fn round(
        &self,
        commands: &Commands,
        open: &[(usize, &Push)],
        refused: &mut HashSet<String>,
    ) -> Result<Vec<(usize, Option<Staging>)>> {
        let ids: Vec<String> = open.iter().map(|(_, push)| self.id(&push.entity)).collect();
        let mut known = self.known(commands, &ids).await?;
        let turn = in_order(open, &ids, &known);
        let looked_up: Vec<&str> =
            turn.iter().filter_map(|(_, push, id)| names::to_look_up(&push.entity, known.get(*id), refused)).collect();
        let holders = names::holders(commands, OPERATION, self.flow, &looked_up).await?;
        let replaced: Vec<&String> = turn
            .iter()
            .filter(|(_, push, id)| {
                let named = |known| check(self.flow, &push.entity, Some(known), &holders);
                known.get(*id).is_some_and(|known| !is_same(known, &push.entity, &named(known)))
            })
            .map(|(.., id)| *id)
            .collect();
        self.with_documents(commands, &replaced, &mut known).await?;
        let (mut inserts, mut changes) = (Vec::new(), Vec::new());
        let (mut earlier, mut sightings) = (Vec::new(), Vec::new());
        let mut inserted = Vec::new();
        let mut changed = Vec::new();
        let mut staged = Vec::new();
        let mut brings = false;
        for (at, push, id) in &turn {
            let known = known.get(*id);
            if push.if_rev.is_some_and(|rev| rev != known.map_or(0, |known| count(known.rev))) {
                staged.push((*at, None));
                continue;
            }
            let named = check(self.flow, &push.entity, known, &holders);
            match self.plan(*at, &push.entity, named, id, known, &mut sightings)? {
                Plan::Insert(new) => {
                    brings = true;
                    inserts.push(document(OPERATION, &new)?);
                    inserted.push((*at, *id, &push.entity.name));
                }
                Plan::Change { seen, update, staging, joins, earlier: version } => {
                    brings |= joins;
                    changes.push(doc! { "q": { "_id": id, "op": seen }, "u": update });
                    changed.push((*at, *id, &push.entity.name, staging));
                    earlier.extend(version);
                }
                Plan::Keep(staging) => staged.push((*at, Some(staging))),
            }
        }
        // What an entity leaves behind is written before it: it is not looked at before the entity has moved on.
        self.keep_versions(commands, &earlier).await?;
        if let Some(task) = self.task.filter(|_| brings && !self.recorded.load(Ordering::Relaxed)) {
            tasks::create(commands, task.clone()).await?;
            self.recorded.store(true, Ordering::Relaxed);
        }
        if self.recorded.load(Ordering::Relaxed) {
            members::see(commands, OPERATION, &sightings).await?;
        }

        if !inserts.is_empty() {
            let written = commands.insert(OPERATION, ENTITIES, inserts).await?;
            let there: HashSet<usize> = written.duplicates.into_iter().collect();
            let doubtful: Vec<&String> =
                inserted.iter().enumerate().filter(|(n, _)| there.contains(n)).map(|(_, (_, id, _))| *id).collect();
            // The first try may have been carried out without an answer.
            let ours = carried_out(commands, OPERATION, &doubtful, &self.op).await?;
            for (n, (at, id, name)) in inserted.iter().enumerate() {
                if !there.contains(&n) || ours.contains(*id) {
                    staged.push((*at, Some(Staging::Inserted)));
                } else {
                    // Its key or its name: the next round finds out which.
                    refused.insert((*name).clone());
                }
            }
        }
        if !changes.is_empty() {
            let all = changes.len() as u64;
            let written = commands.update(OPERATION, ENTITIES, changes).await?;
            if written.matched < all {
                let ids: Vec<&String> = changed.iter().map(|(_, id, ..)| *id).collect();
                let ours = carried_out(commands, OPERATION, &ids, &self.op).await?;
                let others = written.duplicates.iter().filter_map(|at| changed.get(*at));
                refused.extend(others.map(|(_, _, name, _)| (*name).clone()));
                changed.retain(|(_, id, ..)| ours.contains(*id));
            }
            staged.extend(changed.iter().map(|(at, .., staging)| (*at, Some(*staging))));
            let done: HashSet<&str> = changed.iter().map(|(_, id, ..)| id.as_str()).collect();
            earlier.retain(|version| done.contains(version.entity.as_str()));
            self.forget_versions(commands, &earlier).await?;
        }
        Ok(staged)
    }

    /// The entities that are there, without their documents.
    async fn known(&self, commands: &Commands, ids: &[String]) -> Result<HashMap<String, EntityDoc>> {
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
        Ok(known)
    }

    /// Reads those whose content is to be replaced again, with their documents.
    async fn with_documents(
        &self,
        commands: &Commands,
        replaced: &[&String],
        known: &mut HashMap<String, EntityDoc>,
    ) -> Result<()> {
        if replaced.is_empty() {
            return Ok(());
        }
        let filter = doc! { "_id": { "$in": replaced } };
        for found in commands.find(OPERATION, ENTITIES, filter, FindOptions::default()).await? {
            let found: EntityDoc = read(OPERATION, ENTITIES, &found)?;
            known.insert(found.key.clone(), found);
        }
        Ok(())
    }

    fn plan(
        &self,
        at: usize,
        entity: &StageEntity,
        named: Named,
        id: &str,
        known: Option<&EntityDoc>,
        sightings: &mut Vec<SightingDoc>,
    ) -> Result<Plan> {
        let Some(known) = known else {
            let key = EntityKey::new(self.flow, entity.id.clone());
            let seq = self.first_place.saturating_add(number(at as u64));
            let place = Place { seq, pull: self.token };
            let mut new = EntityDoc::new(&key, entity, &named, place, self.now, &self.op);
            self.join(&mut new.passes);
            return Ok(Plan::Insert(Box::new(new)));
        };
        let mut passes = known.passes.clone();
        let mut set = doc! { "op": &self.op, "pull": known.pull.max(self.token) };
        let mut unset = Document::new();
        let mut earlier = None;
        let raw_print = raw_print(&entity.raw);
        let staging = if !is_same(known, entity, &named) {
            Staging::Restaged
        } else if known.status != TxStatus::Failed || known.erased_at.is_some() {
            Staging::Unchanged
        } else if named.intent.is_to_be_done() && self.task.is_none() {
            // What is handed over is somebody's act; what a pull meets again is not.
            Staging::Retried
        } else {
            Staging::StillFailed
        };
        if !staging.is_news() {
            if let Some(task) = self.task.filter(|task| !has_joined(&passes, &task.id)) {
                match known.status.is_final() {
                    true => sightings.push(members::sighting(&task.id, id, TxStatus::Ignored)),
                    false => join(&mut passes, task.id.as_str()),
                }
            }
            let source_updated_at = entity.source_updated_at.map(date);
            let same_raw = known.raw_print.is_none() || known.raw_print == raw_print;
            let same_source = same_raw && known.source_updated_at == source_updated_at;
            if same_source && passes == known.passes {
                return Ok(Plan::Keep(staging));
            }
        } else {
            if known.status.is_final() {
                freeze(&mut passes, known.status);
            }
            self.join(&mut passes);
            sightings.extend(spill(&mut passes, id));
            set.extend(doc! { "attempts": 0_i64, "lost_leases": 0_i64, "updated_at": date(self.now.wall) });
            if !matches!(known.status, TxStatus::InProcess | TxStatus::InDoubt) {
                standing(open(&named.intent, String::new(), self.now.store), &mut set, &mut unset);
            }
        }
        if staging == Staging::Restaged {
            let (intent, reason) = IntentWord::of(&named.intent);
            // What may be there keeps its name: the other side may know it by that.
            let name = known.held.as_ref().filter(|_| known.may_be_there()).unwrap_or(&entity.name);
            match named.holds_name {
                true => set.insert("held", name),
                false => unset.insert("held", ""),
            };
            set.extend(doc! {
                "name": name,
                "intent": intent.word(),
                "reason": reason,
                "source_status": &entity.source_status,
                "fingerprint": entity.fingerprint.as_str(),
                "doc": &entity.doc,
                "rev": known.rev.saturating_add(1),
            });
            unset.insert("erased_at", "");
            earlier = Some(Box::new(self.version(known)));
        }
        // One that is no longer kept comes again with new content only.
        if staging == Staging::Restaged || known.raw_print.is_some() {
            set.insert("raw", &entity.raw);
            match raw_print {
                Some(print) => set.insert("raw_print", print.as_str()),
                None => unset.insert("raw_print", ""),
            };
        }
        set.extend(doc! {
            "source_updated_at": entity.source_updated_at.map_or(Bson::Null, |at| date(at).into()),
            "passes": bson(OPERATION, &passes)?,
        });
        let mut update = doc! { "$set": set };
        if !unset.is_empty() {
            update.insert("$unset", unset);
        }
        let joins = passes != known.passes;
        Ok(Plan::Change { seen: known.op.clone(), update, staging, joins, earlier })
    }

    fn id(&self, entity: &StageEntity) -> String {
        entity_id(&EntityKey::new(self.flow, entity.id.clone()))
    }

    fn join(&self, passes: &mut Vec<PassDoc>) {
        if let Some(task) = self.task {
            join(passes, task.id.as_str());
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
            replaced_at: date(self.now.wall),
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

/// Those that have neither key nor name in common with one before them, each with its `_id`: so these are taken in order.
fn in_order<'a>(
    open: &[(usize, &'a Push)],
    ids: &'a [String],
    known: &HashMap<String, EntityDoc>,
) -> Vec<(usize, &'a Push, &'a String)> {
    let mut keys = HashSet::new();
    let mut names: HashSet<String> = HashSet::new();
    let mut first = Vec::with_capacity(open.len());
    for ((at, push), id) in open.iter().zip(ids) {
        let touched: Vec<&str> = touched(&push.entity, known.get(id)).collect();
        let free = keys.insert(id) && touched.iter().all(|name| !names.contains(*name));
        names.extend(touched.into_iter().map(str::to_owned));
        if free {
            first.push((*at, *push, id));
        }
    }
    first
}

/// Whether what is staged is what is there. What was erased is not applied again, whatever would be made of it today.
fn is_same(known: &EntityDoc, entity: &StageEntity, named: &Named) -> bool {
    known.fingerprint == entity.fingerprint
        && known.source_status == entity.source_status
        && (known.erased_at.is_some() || known.intent() == named.intent)
}
