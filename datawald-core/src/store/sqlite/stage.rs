//! Pull leases, staging and cuts.

use std::cell::{Cell, RefCell};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{cut_columns, int, intent, intent_words, micros, opt_cut, status};
use super::tasks;
use super::writer::WorkError;
use crate::model::{Cut, EntityKey, Fingerprint, FlowId, Intent, SyncTaskId, TxStatus};
use crate::store::transition::{self, Standing};
use crate::store::{HISTORY_LIMIT, NewSyncTask, PullLease, Push, PushedSync, StageBatch, StageEntity, Staging};
use crate::{Disposition, Error, ErrorKind, Now};

type Work<T> = std::result::Result<T, WorkError>;

const OPERATION: &str = "stage";

pub(super) fn acquire_pull(
    db: &Connection,
    flow: FlowId,
    owner: String,
    now: Timestamp,
    until: Timestamp,
) -> Work<Option<PullLease>> {
    // Free, run out, or the owner's own: takes it and counts the token up.
    let token = db
        .prepare_cached(
            "INSERT INTO pulls (tbl, frontend, token, owner, lease_until) VALUES (?1, ?2, 1, ?3, ?5)
             ON CONFLICT DO UPDATE SET token = token + 1, owner = ?3, lease_until = ?5
             WHERE owner IS NULL OR owner = ?3 OR lease_until <= ?4
             RETURNING token",
        )?
        .query_row(params![flow.table.name(), flow.frontend, owner, micros(now), micros(until)], |row| {
            super::columns::count(row, 0)
        })
        .optional()?;
    Ok(token.map(|token| PullLease { flow, owner, token }))
}

pub(super) fn renew_pull(db: &Connection, lease: &PullLease, until: Timestamp) -> Work<bool> {
    let held = db
        .prepare_cached(
            "UPDATE pulls SET lease_until = ?4
             WHERE tbl = ?1 AND frontend = ?2 AND token = ?3 AND owner IS NOT NULL",
        )?
        .execute(params![lease.flow.table.name(), lease.flow.frontend, int(lease.token), micros(until)])?;
    Ok(held > 0)
}

fn passed_on(operation: &'static str, lease: &PullLease, so: &str) -> WorkError {
    let message = format!("the right to pull has passed to another process, or an operator set the cut; {so}");
    WorkError::Refused(Error::fenced(operation, message).entity(lease.flow.to_string()))
}

pub(super) fn release_pull(db: &Connection, lease: &PullLease) -> Work<()> {
    db.prepare_cached(
        "UPDATE pulls SET owner = NULL, lease_until = NULL WHERE tbl = ?1 AND frontend = ?2 AND token = ?3",
    )?
    .execute(params![lease.flow.table.name(), lease.flow.frontend, int(lease.token)])?;
    Ok(())
}

pub(super) fn stage(db: &Connection, batch: StageBatch) -> Work<Vec<Staging>> {
    let StageBatch { lease, lease_until, sync_task, entities, cut, now } = batch;
    let flow = &lease.flow;
    if sync_task.flow != *flow {
        return Err(WorkError::Refused(of_another_flow(&sync_task.id)));
    }
    let seq = task_seq(db, flow, &sync_task.id)?;
    if !renew_pull(db, &lease, lease_until)? {
        return Err(passed_on(OPERATION, &lease, "nothing was staged"));
    }
    if let Some(seq) = seq {
        // Whoever closed it took the pull for dead.
        db.prepare_cached(
            "UPDATE sync_tasks SET status = 'Processing', note = '', ended_at = NULL
             WHERE seq = ?1 AND (status <> 'Processing' OR note <> '')",
        )?
        .execute([seq])?;
    }
    let pass = Pass { db, flow, task: Some(&sync_task), seq: Cell::new(seq), unchanged: RefCell::default(), now };
    let staged = entities.iter().map(|entity| pass.stage(entity)).collect::<Work<Vec<_>>>()?;
    pass.join_unchanged()?;
    if let Some(cut) = cut {
        advance(db, flow, pass.seq.get(), cut)?;
    }
    Ok(staged)
}

pub(super) fn push(db: &Connection, flow: &FlowId, entities: &[Push], now: Now) -> Work<Vec<Option<Staging>>> {
    let pass = Pass { db, flow, task: None, seq: Cell::new(None), unchanged: RefCell::default(), now };
    entities
        .iter()
        .map(|push| match push.if_rev {
            Some(rev) if pass.rev(&push.entity.id)? != rev => Ok(None),
            _ => pass.stage(&push.entity).map(Some),
        })
        .collect()
}

pub(super) fn record_pushed(db: &Connection, pushed: &PushedSync) -> Work<()> {
    let PushedSync { task, members, cut } = pushed;
    let flow = &task.flow;
    tasks::create(db, task)?;
    tasks::finish_pull(db, &task.id, task.now)?;
    let seq = task_seq(db, flow, &task.id)?;
    let unchanged_later = RefCell::default();
    let pass =
        Pass { db, flow, task: Some(task), seq: Cell::new(seq), unchanged: unchanged_later, now: task.now.into() };
    // One that is named twice is unchanged only if it is said to be each time: the first to join stands.
    let (unchanged, changed): (Vec<_>, Vec<_>) = members.iter().partition(|member| member.unchanged);
    for member in changed.into_iter().chain(unchanged) {
        let Some(known) = pass.known(&member.id)? else {
            let message = "is not staged; nothing was recorded";
            let error = Error::new(ErrorKind::NotFound, Disposition::Rejected, "record sync task", message);
            return Err(WorkError::Refused(error.entity(EntityKey::new(flow, member.id.clone()).to_string())));
        };
        match member.unchanged {
            true => pass.unchanged.borrow_mut().push((known.seq, known.status)),
            false => pass.join_once(known.seq, None)?,
        }
    }
    pass.join_unchanged()?;
    match cut {
        Some(cut) => advance(db, flow, seq, *cut),
        None => Ok(()),
    }
}

/// Moves the cut on, unless it stands there or further.
fn advance(db: &Connection, flow: &FlowId, task: Option<i64>, cut: Cut) -> Work<()> {
    let (table, frontend) = (flow.table.name(), &flow.frontend);
    db.prepare_cached(
        "INSERT INTO cuts (tbl, frontend, cut_dt, cut_offset) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET cut_dt = excluded.cut_dt, cut_offset = excluded.cut_offset
         WHERE (excluded.cut_dt, excluded.cut_offset) > (cuts.cut_dt, cuts.cut_offset)",
    )?
    .execute(params![table, frontend, micros(cut.cut_dt), int(cut.offset)])?;
    db.prepare_cached(
        "UPDATE sync_tasks SET (cut_after, cut_after_offset) =
             (SELECT cut_dt, cut_offset FROM cuts WHERE tbl = ?2 AND frontend = ?3)
         WHERE seq = ?1",
    )?
    .execute(params![task, table, frontend])?;
    Ok(())
}

fn of_another_flow(id: &SyncTaskId) -> Error {
    Error::invalid(OPERATION, "belongs to another flow; nothing was staged").entity(format!("sync task {id}"))
}

/// The place of a sync task; `None` if it is not there.
fn task_seq(db: &Connection, flow: &FlowId, id: &SyncTaskId) -> Work<Option<i64>> {
    let found = db
        .prepare_cached("SELECT seq, tbl, frontend FROM sync_tasks WHERE id = ?1")?
        .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))
        .optional()?;
    match found {
        Some((seq, table, frontend)) if table == flow.table.name() && frontend == flow.frontend => Ok(Some(seq)),
        Some(_) => Err(WorkError::Refused(of_another_flow(id))),
        None => Ok(None),
    }
}

/// An entity that is already there.
struct Known {
    seq: i64,
    /// What it is called, if nobody else of its flow is called so.
    name: Option<String>,
    /// Whether the other side has or may have it.
    may_be_there: bool,
    has_reference: bool,
    erased: bool,
    status: TxStatus,
    intent: Intent,
    source_status: String,
    fingerprint: Fingerprint,
}

/// One batch of a pull, or of what is pushed.
struct Pass<'a> {
    db: &'a Connection,
    flow: &'a FlowId,
    /// The sync task that the entities join; what is pushed joins none.
    task: Option<&'a NewSyncTask>,
    /// Its place, once it is recorded.
    seq: Cell<Option<i64>>,
    /// Those that have not changed: they join at the end, if there is a sync task by then.
    unchanged: RefCell<Vec<(i64, TxStatus)>>,
    now: Now,
}

impl Pass<'_> {
    fn stage(&self, entity: &StageEntity) -> Work<Staging> {
        let known = self.known(&entity.id)?;
        let (intent, holds_name) = self.check_name(entity, known.as_ref())?;
        let Some(known) = known else {
            self.insert(entity, &intent, holds_name)?;
            return Ok(Staging::Inserted);
        };
        // What was erased is not applied again, whatever would be made of it today.
        let same = known.fingerprint == entity.fingerprint
            && known.source_status == entity.source_status
            && (known.erased || known.intent == intent);
        if !same {
            self.restage(&known, entity, &intent, holds_name)?;
            return Ok(Staging::Restaged);
        }
        self.refresh(&known, entity)?;
        let failed = known.status == TxStatus::Failed && !known.erased;
        // What is handed over is somebody's act; what a pull meets again is not.
        if failed && known.intent.is_to_be_done() && self.task.is_none() {
            keep_outcome(self.db, known.seq, known.status)?;
            let standing = transition::open(&known.intent, String::new(), self.now.store);
            self.stand(known.seq, &standing)?;
            return Ok(Staging::Retried);
        }
        self.unchanged.borrow_mut().push((known.seq, known.status));
        Ok(if failed { Staging::StillFailed } else { Staging::Unchanged })
    }

    /// Its version; 0 if it is not there.
    fn rev(&self, id: &str) -> Work<u64> {
        let rev = self
            .db
            .prepare_cached("SELECT rev FROM entities WHERE tbl = ?1 AND frontend = ?2 AND id = ?3")?
            .query_row(params![self.flow.table.name(), self.flow.frontend, id], |row| super::columns::count(row, 0))
            .optional()?;
        Ok(rev.unwrap_or(0))
    }

    fn known(&self, id: &str) -> Work<Option<Known>> {
        let known = self
            .db
            .prepare_cached(
                "SELECT seq, status, intent, reason, source_status, fingerprint, iif(holds_name, name, NULL),
                     written IS NOT NULL OR target_id IS NOT NULL, reference IS NOT NULL, erased_at IS NOT NULL
                 FROM entities
                 WHERE tbl = ?1 AND frontend = ?2 AND id = ?3",
            )?
            .query_row(params![self.flow.table.name(), self.flow.frontend, id], |row| {
                Ok(Known {
                    seq: row.get(0)?,
                    status: status(row, 1)?,
                    intent: intent(row, 2)?,
                    source_status: row.get(4)?,
                    fingerprint: Fingerprint::from_stored(row.get(5)?),
                    name: row.get(6)?,
                    may_be_there: row.get(7)?,
                    has_reference: row.get(8)?,
                    erased: row.get(9)?,
                })
            })
            .optional()?;
        Ok(known)
    }

    /// What is to be done with an entity, seen what it is called, and whether it is the one that is called so.
    fn check_name(&self, entity: &StageEntity, known: Option<&Known>) -> Work<(Intent, bool)> {
        if let Some((known, name)) = known.and_then(|known| Some((known, known.name.as_deref()?))) {
            if name == entity.name {
                return Ok((entity.intent.clone(), true));
            }
            if known.may_be_there {
                return Ok((transition::renamed(&entity.intent, name, &entity.name, known.has_reference), true));
            }
        }
        if entity.name.is_empty() {
            return Ok((entity.intent.clone(), false));
        }
        let holder: Option<String> = self
            .db
            .prepare_cached(
                "SELECT id FROM entities WHERE tbl = ?1 AND frontend = ?2 AND name = ?3 AND holds_name AND id <> ?4",
            )?
            .query_row(params![self.flow.table.name(), self.flow.frontend, entity.name, entity.id], |row| row.get(0))
            .optional()?;
        Ok(match holder {
            None => (entity.intent.clone(), true),
            Some(holder) => (transition::name_taken(&entity.intent, self.flow.table, &entity.name, &holder), false),
        })
    }

    fn insert(&self, entity: &StageEntity, intent: &Intent, holds_name: bool) -> Work<()> {
        let Standing { status, note, failure, due_at } = transition::open(intent, String::new(), self.now.store);
        let (word, reason) = intent_words(intent);
        self.db
            .prepare_cached(
                "INSERT INTO entities (tbl, frontend, id, status, note, intent, reason, source_status,
                     source_updated_at, rev, fingerprint, attempts, lost_leases, token, in_doubt, due_at, created_at,
                     updated_at, name, holds_name, failure)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, 0, 0, 0, 0, ?11, ?12, ?12, ?13, ?14, ?15)",
            )?
            .execute(params![
                self.flow.table.name(),
                self.flow.frontend,
                entity.id,
                status.letter(),
                note,
                word,
                reason,
                entity.source_status,
                entity.source_updated_at.map(micros),
                entity.fingerprint.as_str(),
                due_at.map(micros),
                micros(self.now.wall),
                entity.name,
                holds_name,
                failure,
            ])?;
        let seq = self.db.last_insert_rowid();
        self.db
            .prepare_cached("INSERT INTO documents (entity, doc, raw) VALUES (?1, ?2, ?3)")?
            .execute(params![seq, entity.doc, entity.raw])?;
        self.join(seq)
    }

    fn restage(&self, known: &Known, entity: &StageEntity, intent: &Intent, holds_name: bool) -> Work<()> {
        keep_outcome(self.db, known.seq, known.status)?;
        self.db
            .prepare_cached(
                "INSERT INTO history (entity, rev, status, note, target_id, source_status, replaced_at, doc, raw)
                 SELECT e.seq, e.rev, e.status, e.note, e.target_id, e.source_status, ?2, d.doc, d.raw
                 FROM entities AS e JOIN documents AS d ON d.entity = e.seq WHERE e.seq = ?1",
            )?
            .execute(params![known.seq, micros(self.now.wall)])?;
        let (word, reason) = intent_words(intent);
        self.db
            .prepare_cached(
                "UPDATE entities SET intent = ?2, reason = ?3, source_status = ?4, source_updated_at = ?5,
                     rev = rev + 1, fingerprint = ?6, attempts = 0, lost_leases = 0, updated_at = ?7, erased_at = NULL,
                     name = iif(holds_name AND (written IS NOT NULL OR target_id IS NOT NULL), name, ?8), holds_name = ?9
                 WHERE seq = ?1",
            )?
            .execute(params![
                known.seq,
                word,
                reason,
                entity.source_status,
                entity.source_updated_at.map(micros),
                entity.fingerprint.as_str(),
                micros(self.now.wall),
                entity.name,
                holds_name,
            ])?;
        self.db
            .prepare_cached("UPDATE documents SET doc = ?2, raw = ?3 WHERE entity = ?1")?
            .execute(params![known.seq, entity.doc, entity.raw])?;
        self.db
            .prepare_cached(
                "DELETE FROM history WHERE entity = ?1
                 AND rev < (SELECT rev FROM entities WHERE seq = ?1) - ?2",
            )?
            .execute(params![known.seq, HISTORY_LIMIT])?;
        // What is leased or in doubt stays so: a write of the old content may be on its way.
        if !matches!(known.status, TxStatus::InProcess | TxStatus::InDoubt) {
            self.stand(known.seq, &transition::open(intent, String::new(), self.now.store))?;
        }
        self.join(known.seq)
    }

    /// Takes over what may differ although nothing is new. A `raw` that is no longer kept does not come back.
    fn refresh(&self, known: &Known, entity: &StageEntity) -> Work<()> {
        let time = entity.source_updated_at.map(micros);
        self.db
            .prepare_cached(
                "UPDATE entities SET source_updated_at = ?2 WHERE seq = ?1 AND source_updated_at IS NOT ?2",
            )?
            .execute(params![known.seq, time])?;
        self.db
            .prepare_cached("UPDATE documents SET raw = ?2 WHERE entity = ?1 AND raw NOT IN ('', ?2)")?
            .execute(params![known.seq, entity.raw])?;
        Ok(())
    }

    fn stand(&self, seq: i64, standing: &Standing) -> Work<()> {
        self.db
            .prepare_cached(
                "UPDATE entities SET status = ?2, note = ?3, due_at = ?4, attempts = 0, lost_leases = 0, updated_at = ?5,
                     failure = ?6
                 WHERE seq = ?1",
            )?
            .execute(params![
                seq,
                standing.status.letter(),
                standing.note,
                standing.due_at.map(micros),
                micros(self.now.wall),
                standing.failure,
            ])?;
        Ok(())
    }

    /// Joins an entity that this pass has brought.
    fn join(&self, seq: i64) -> Work<()> {
        let Some(task) = self.record()? else { return Ok(()) };
        self.db
            .prepare_cached(
                "INSERT INTO sync_task_entities (sync_task, entity, rev, pass_status)
                 VALUES (?1, ?2, (SELECT rev FROM entities WHERE seq = ?2), NULL)
                 ON CONFLICT DO UPDATE SET rev = excluded.rev, pass_status = NULL",
            )?
            .execute(params![task, seq])?;
        Ok(())
    }

    /// Joins what this pass has found as it was. What it has brought before stands.
    fn join_unchanged(&self) -> Work<()> {
        let unchanged = self.unchanged.take();
        // What is open is still to be waited for.
        for (seq, _) in unchanged.iter().filter(|(_, status)| !status.is_final()) {
            self.join_once(*seq, None)?;
        }
        if self.seq.get().is_some() {
            for (seq, _) in unchanged.iter().filter(|(_, status)| status.is_final()) {
                self.join_once(*seq, Some(TxStatus::Ignored))?;
            }
        }
        Ok(())
    }

    /// The place of the sync task, which is recorded if it is not there; `None` if nothing joins one.
    fn record(&self) -> Work<Option<i64>> {
        if let (Some(task), None) = (self.task, self.seq.get()) {
            tasks::create(self.db, task)?;
            self.seq.set(task_seq(self.db, self.flow, &task.id)?);
        }
        Ok(self.seq.get())
    }

    /// Joins an entity, as `status` or as what it is, unless it has joined before.
    fn join_once(&self, entity: i64, status: Option<TxStatus>) -> Work<()> {
        let Some(task) = self.record()? else { return Ok(()) };
        self.db
            .prepare_cached(
                "INSERT INTO sync_task_entities (sync_task, entity, rev, pass_status)
                 VALUES (?1, ?2, (SELECT rev FROM entities WHERE seq = ?2), ?3)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![task, entity, status.map(TxStatus::letter)])?;
        Ok(())
    }
}

/// An entity that has come to its end and is taken up again keeps, in the passes before, the outcome it had.
pub(super) fn keep_outcome(db: &Connection, seq: i64, status: TxStatus) -> Work<()> {
    if status.is_final() {
        db.prepare_cached("UPDATE sync_task_entities SET pass_status = ?2 WHERE entity = ?1 AND pass_status IS NULL")?
            .execute(params![seq, status.letter()])?;
    }
    Ok(())
}

pub(super) fn cut(db: &Connection, flow: &FlowId) -> rusqlite::Result<Option<Cut>> {
    db.prepare_cached("SELECT cut_dt, cut_offset FROM cuts WHERE tbl = ?1 AND frontend = ?2")?
        .query_row(params![flow.table.name(), flow.frontend], |row| opt_cut(row, 0))
        .optional()
        .map(Option::flatten)
}

pub(super) fn set_cut(db: &Connection, flow: &FlowId, cut: Option<Cut>) -> Work<()> {
    write_cut(db, flow, cut)?;
    // A pull that is running would move the cut again: its token is no longer current.
    db.prepare_cached(
        "UPDATE pulls SET token = token + 1, owner = NULL, lease_until = NULL WHERE tbl = ?1 AND frontend = ?2",
    )?
    .execute(params![flow.table.name(), flow.frontend])?;
    Ok(())
}

pub(super) fn move_cut(db: &Connection, lease: &PullLease, cut: Option<Cut>) -> Work<()> {
    let held = db
        .prepare_cached("SELECT 1 FROM pulls WHERE tbl = ?1 AND frontend = ?2 AND token = ?3 AND owner IS NOT NULL")?
        .exists(params![lease.flow.table.name(), lease.flow.frontend, int(lease.token)])?;
    if !held {
        return Err(passed_on("move cut", lease, "the cut stays"));
    }
    write_cut(db, &lease.flow, cut)
}

fn write_cut(db: &Connection, flow: &FlowId, cut: Option<Cut>) -> Work<()> {
    let (table, frontend) = (flow.table.name(), &flow.frontend);
    match cut_columns(cut) {
        (Some(cut_dt), Some(offset)) => db
            .prepare_cached("INSERT OR REPLACE INTO cuts (tbl, frontend, cut_dt, cut_offset) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![table, frontend, cut_dt, offset])?,
        _ => {
            db.prepare_cached("DELETE FROM cuts WHERE tbl = ?1 AND frontend = ?2")?.execute(params![table, frontend])?
        }
    };
    Ok(())
}
