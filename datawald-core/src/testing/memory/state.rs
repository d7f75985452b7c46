//! What the store in memory holds, and the contract carried out on it.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::clock::later;
use crate::model::{Cut, Entity, EntityKey, FlowId, Intent, SyncTask, SyncTaskId, TxStatus, Version};
use crate::store::{
    Claim, Claimed, HISTORY_LIMIT, Outcome, PullLease, Push, PushedSync, Record, Settled, Settlement, StageBatch,
    StageEntity, Staging,
};
use crate::{Disposition, Error, ErrorKind, Result};

#[derive(Default)]
pub(super) struct State {
    pub(super) rows: BTreeMap<EntityKey, Row>,
    pub(super) passes: BTreeMap<SyncTaskId, Pass>,
    pub(super) cuts: HashMap<FlowId, Cut>,
    pub(super) records: BTreeMap<String, Record>,
    pulls: HashMap<FlowId, Pull>,
}

pub(super) struct Row {
    pub(super) entity: Entity,
    /// Newest first.
    pub(super) history: Vec<Version>,
    /// The place in the order of first staging.
    seq: usize,
    token: u64,
    was_in_doubt: bool,
    lost_leases: u32,
}

pub(super) struct Pass {
    pub(super) task: SyncTask,
    /// The entities, each with the status that it keeps in this pass, if it is no longer its own that counts.
    pub(super) members: BTreeMap<EntityKey, Option<TxStatus>>,
}

#[derive(Default)]
struct Pull {
    token: u64,
    holder: Option<(String, Timestamp)>,
}

impl Row {
    /// Open for work at `at`, or at its end at once, as the intent has it.
    fn open(&mut self, note: &str, at: Timestamp) {
        let (status, note, due_at) = match &self.entity.intent {
            Intent::Apply | Intent::Cancel => (TxStatus::New, note.to_owned(), Some(at)),
            Intent::Ignore(reason) => (TxStatus::Ignored, reason.clone(), None),
            Intent::Reject(reason) => (TxStatus::Failed, reason.clone(), None),
        };
        self.entity.status = status;
        self.entity.note = note;
        self.entity.due_at = due_at;
    }

    pub(super) fn do_again(&mut self, now: Timestamp) {
        self.open("", now);
        self.entity.attempts = 0;
        self.lost_leases = 0;
        self.entity.updated_at = now;
    }
}

impl State {
    pub(super) fn acquire_pull(
        &mut self,
        flow: &FlowId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Option<PullLease> {
        let pull = self.pulls.entry(flow.clone()).or_default();
        if pull.holder.as_ref().is_some_and(|(holder, until)| holder != owner && *until > now) {
            return None;
        }
        pull.token += 1;
        pull.holder = Some((owner.to_owned(), until));
        Some(PullLease { flow: flow.clone(), owner: owner.to_owned(), token: pull.token })
    }

    pub(super) fn release_pull(&mut self, lease: &PullLease) {
        if let Some(pull) = self.pulls.get_mut(&lease.flow).filter(|pull| pull.token == lease.token) {
            pull.holder = None;
        }
    }

    pub(super) fn set_cut(&mut self, flow: &FlowId, cut: Option<Cut>) {
        match cut {
            Some(cut) => self.cuts.insert(flow.clone(), cut),
            None => self.cuts.remove(flow),
        };
        if let Some(pull) = self.pulls.get_mut(flow) {
            pull.token += 1;
            pull.holder = None;
        }
    }

    pub(super) fn stage(&mut self, batch: StageBatch) -> Result<Vec<Staging>> {
        let StageBatch { lease, lease_until, sync_task, entities, cut, now } = batch;
        let refused = |kind, message| Err(Error::new(kind, Disposition::Retryable { after: None }, "stage", message));
        let pull = self.pulls.get_mut(&lease.flow).filter(|pull| pull.token == lease.token);
        let Some((_, until)) = pull.and_then(|pull| pull.holder.as_mut()) else {
            return refused(ErrorKind::Fenced, "the right to pull has passed on");
        };
        match self.passes.get(&sync_task) {
            None => return refused(ErrorKind::NotFound, "there is no such sync task"),
            Some(pass) if pass.task.flow != lease.flow => {
                return refused(ErrorKind::Invalid, "another flow's sync task");
            }
            Some(_) => *until = lease_until,
        }
        let staged =
            entities.into_iter().map(|entity| self.stage_one(&lease.flow, Some(&sync_task), entity, now)).collect();
        if let Some(cut) = cut {
            self.advance(&lease.flow, &sync_task, cut);
        }
        Ok(staged)
    }

    pub(super) fn push(&mut self, flow: &FlowId, entities: Vec<Push>, now: Timestamp) -> Vec<Option<Staging>> {
        let push = |push: Push| {
            let there = self.rows.get(&EntityKey::new(flow, push.entity.id.clone())).map_or(0, |row| row.entity.rev);
            push.if_rev.is_none_or(|rev| rev == there).then(|| self.stage_one(flow, None, push.entity, now))
        };
        entities.into_iter().map(push).collect()
    }

    pub(super) fn record_pushed(&mut self, pushed: PushedSync) -> Result<()> {
        let PushedSync { task, members, cut } = pushed;
        let flow = task.flow.clone();
        let mut joining = Vec::new();
        // One that is named twice is unchanged only if it is said to be each time: the first to join stands.
        let (unchanged, changed): (Vec<_>, Vec<_>) = members.into_iter().partition(|member| member.unchanged);
        for member in changed.into_iter().chain(unchanged) {
            let key = EntityKey::new(&flow, member.id);
            let Some(row) = self.rows.get(&key) else {
                let refused = Disposition::Rejected;
                return Err(Error::new(
                    ErrorKind::NotFound,
                    refused,
                    "record sync task",
                    format!("{key} is not staged"),
                ));
            };
            let ignored = member.unchanged && row.entity.status.is_final();
            joining.push((key, ignored.then_some(TxStatus::Ignored)));
        }
        let id = task.id.clone();
        self.create_sync_task(task)?;
        if let Some(pass) = self.passes.get_mut(&id) {
            pass.task.pulled = true;
            for (key, status) in joining {
                pass.members.entry(key).or_insert(status);
            }
        }
        if let Some(cut) = cut {
            self.advance(&flow, &id, cut);
        }
        Ok(())
    }

    fn advance(&mut self, flow: &FlowId, pass: &SyncTaskId, cut: Cut) {
        let stands = self.cuts.entry(flow.clone()).or_insert(cut);
        if (cut.cut_dt, cut.offset) > (stands.cut_dt, stands.offset) {
            *stands = cut;
        }
        let stands = *stands;
        if let Some(pass) = self.passes.get_mut(pass) {
            pass.task.cut_after = Some(stands);
        }
    }

    fn stage_one(&mut self, flow: &FlowId, pass: Option<&SyncTaskId>, staged: StageEntity, now: Timestamp) -> Staging {
        let key = EntityKey::new(flow, staged.id.clone());
        let seq = self.rows.len();
        let Some(row) = self.rows.get_mut(&key) else {
            self.rows.insert(key.clone(), inserted(key.clone(), staged, seq, now));
            self.join(pass, key, None);
            return Staging::Inserted;
        };
        let before = row.entity.status;
        let entity = &mut row.entity;
        let same = entity.fingerprint == staged.fingerprint
            && entity.source_status == staged.source_status
            && entity.intent == staged.intent;
        if same {
            entity.raw = staged.raw;
            entity.source_updated_at = staged.source_updated_at;
            if before == TxStatus::Failed && row.entity.intent.is_to_be_done() {
                row.do_again(now);
                self.keep_outcome(&key, before);
                self.join(pass, key, None);
                return Staging::Retried;
            }
            let brought =
                pass.and_then(|pass| self.passes.get(pass)).is_some_and(|pass| pass.members.contains_key(&key));
            if !brought {
                self.join(pass, key, before.is_final().then_some(TxStatus::Ignored));
            }
            return Staging::Unchanged;
        }
        row.history.insert(0, version(entity, now));
        row.history.truncate(HISTORY_LIMIT as usize);
        entity.intent = staged.intent;
        entity.source_status = staged.source_status;
        entity.source_updated_at = staged.source_updated_at;
        entity.fingerprint = staged.fingerprint;
        entity.doc = staged.doc;
        entity.raw = staged.raw;
        entity.rev += 1;
        entity.attempts = 0;
        entity.updated_at = now;
        row.lost_leases = 0;
        if before != TxStatus::InProcess && before != TxStatus::InDoubt {
            row.open("", now);
        }
        if before.is_final() {
            self.keep_outcome(&key, before);
        }
        self.join(pass, key, None);
        Staging::Restaged
    }

    fn join(&mut self, pass: Option<&SyncTaskId>, key: EntityKey, status: Option<TxStatus>) {
        if let Some(pass) = pass.and_then(|pass| self.passes.get_mut(pass)) {
            pass.members.insert(key, status);
        }
    }

    fn keep_outcome(&mut self, key: &EntityKey, outcome: TxStatus) {
        for pass in self.passes.values_mut() {
            if let Some(status) = pass.members.get_mut(key) {
                status.get_or_insert(outcome);
            }
        }
    }

    /// What is due, the longest due first.
    pub(super) fn due(&self, flow: &FlowId, now: Timestamp) -> Vec<EntityKey> {
        let mut due: Vec<_> = self
            .rows
            .values()
            .filter(|row| row.entity.key.flow() == *flow)
            .filter_map(|row| Some((row.entity.due_at.filter(|at| *at <= now)?, row.seq, row.entity.key.clone())))
            .collect();
        due.sort_by_key(|(at, seq, _)| (*at, *seq));
        due.into_iter().map(|(.., key)| key).collect()
    }

    pub(super) fn claim(&mut self, claim: &Claim<'_>) -> Vec<Claimed> {
        let due = self.due(claim.flow, claim.now);
        let mut wanted: Vec<EntityKey> = Vec::new();
        match claim.keys {
            None => wanted = due,
            Some(ids) => {
                for id in ids {
                    let key = EntityKey::new(claim.flow, id.clone());
                    if due.contains(&key) && !wanted.contains(&key) {
                        wanted.push(key);
                    }
                }
            }
        }
        wanted.truncate(claim.limit);
        wanted.into_iter().filter_map(|key| self.rows.get_mut(&key).map(|row| lease(row, claim))).collect()
    }

    fn held(&mut self, key: &EntityKey, token: u64) -> Option<&mut Row> {
        self.rows.get_mut(key).filter(|row| row.entity.status == TxStatus::InProcess && row.token == token)
    }

    pub(super) fn renew(&mut self, key: &EntityKey, token: u64, until: Timestamp, due_at: Timestamp) -> bool {
        let Some(row) = self.held(key, token) else { return false };
        row.entity.lease_until = Some(until);
        row.entity.due_at = Some(due_at);
        true
    }

    pub(super) fn settle(&mut self, now: Timestamp, settlement: Settlement) -> Settled {
        let Settlement { key, token, rev, outcome } = settlement;
        let Some(row) = self.held(&key, token) else { return Settled::Fenced };
        let superseded = row.entity.rev != rev;
        match &outcome {
            Outcome::Success { target_id, .. } => row.entity.target_id = Some(target_id.clone()),
            Outcome::Cancelled { target_id: Some(target_id), .. } => row.entity.target_id = Some(target_id.clone()),
            _ => {}
        }
        if outcome != Outcome::Release {
            row.lost_leases = 0;
        }
        let entity = &mut row.entity;
        match outcome {
            Outcome::InDoubt { until, note } => {
                entity.status = TxStatus::InDoubt;
                entity.note = note;
                entity.due_at = Some(until);
            }
            Outcome::Release => {
                if !superseded && entity.attempts > 0 {
                    entity.attempts -= 1;
                }
                if row.was_in_doubt {
                    entity.status = TxStatus::InDoubt;
                    entity.due_at = Some(now);
                } else {
                    let note = entity.note.clone();
                    row.open(&note, now);
                }
            }
            Outcome::Retry { note, .. } if superseded => row.open(&note, now),
            Outcome::Retry { at, note } => row.open(&note, at),
            Outcome::Success { note, .. }
            | Outcome::Cancelled { note, .. }
            | Outcome::Ignored { note }
            | Outcome::Failed { note }
                if superseded =>
            {
                row.open(&note, now);
            }
            Outcome::Success { note, .. } => end(entity, TxStatus::Success, note),
            Outcome::Cancelled { note, .. } => end(entity, TxStatus::Cancelled, note),
            Outcome::Ignored { note } => end(entity, TxStatus::Ignored, note),
            Outcome::Failed { note } => end(entity, TxStatus::Failed, note),
        }
        row.was_in_doubt = false;
        row.entity.lease_until = None;
        row.entity.updated_at = now;
        if superseded { Settled::Superseded } else { Settled::Done }
    }
}

fn end(entity: &mut Entity, status: TxStatus, note: String) {
    entity.status = status;
    entity.note = note;
    entity.due_at = None;
}

fn inserted(key: EntityKey, staged: StageEntity, seq: usize, now: Timestamp) -> Row {
    let entity = Entity {
        key,
        status: TxStatus::New,
        note: String::new(),
        target_id: None,
        intent: staged.intent,
        source_status: staged.source_status,
        source_updated_at: staged.source_updated_at,
        rev: 1,
        fingerprint: staged.fingerprint,
        doc: staged.doc,
        raw: staged.raw,
        attempts: 0,
        due_at: None,
        lease_until: None,
        created_at: now,
        updated_at: now,
    };
    let mut row = Row { entity, history: Vec::new(), seq, token: 0, was_in_doubt: false, lost_leases: 0 };
    row.open("", now);
    row
}

fn version(entity: &Entity, now: Timestamp) -> Version {
    Version {
        rev: entity.rev,
        status: entity.status,
        note: entity.note.clone(),
        target_id: entity.target_id.clone(),
        source_status: entity.source_status.clone(),
        doc: entity.doc.clone(),
        raw: entity.raw.clone(),
        replaced_at: now,
    }
}

fn lease(row: &mut Row, claim: &Claim<'_>) -> Claimed {
    let was = row.entity.status;
    let lease_until = later(claim.now, claim.lease);
    row.token += 1;
    row.was_in_doubt = was != TxStatus::New;
    row.lost_leases += u32::from(was == TxStatus::InProcess);
    row.entity.status = TxStatus::InProcess;
    row.entity.attempts += 1;
    row.entity.lease_until = Some(lease_until);
    row.entity.due_at = Some(later(lease_until, claim.settle_delay));
    row.entity.updated_at = claim.now;
    Claimed {
        key: row.entity.key.clone(),
        token: row.token,
        rev: row.entity.rev,
        intent: row.entity.intent.clone(),
        doc: row.entity.doc.clone(),
        target_id: row.entity.target_id.clone(),
        attempts: row.entity.attempts,
        lost_leases: row.lost_leases,
        was,
        lease_until,
    }
}
