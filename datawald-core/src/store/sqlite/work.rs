//! What workers do: claim, renew, settle; and having it done again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::bind;
use super::columns::{count, int, intent, micros, opt_count, opt_time, small, status, time};
use super::writer::WorkError;
use crate::Now;
use crate::clock::later;
use crate::model::{EntityKey, FlowId, SyncTaskId, TxStatus};
use crate::store::transition::{self, After, Held};
use crate::store::{Claim, Claimed, Outcome, Settled, Settlement};

type Work<T> = std::result::Result<T, WorkError>;

/// A [`Claim`] that owns what it names, so that it can go to the writer.
pub(super) struct OwnedClaim {
    flow: FlowId,
    keys: Option<Vec<String>>,
    limit: usize,
    owner: String,
    lease_until: Timestamp,
    due_at: Timestamp,
    now: Now,
}

impl From<Claim<'_>> for OwnedClaim {
    fn from(claim: Claim<'_>) -> Self {
        // To the microsecond, so that what is answered is what is stored.
        let lease_until = later(claim.now.store, claim.lease);
        let lease_until = Timestamp::from_microsecond(micros(lease_until)).unwrap_or(lease_until);
        Self {
            flow: claim.flow.clone(),
            keys: claim.keys.map(<[String]>::to_vec),
            limit: claim.limit,
            owner: claim.owner.to_owned(),
            lease_until,
            due_at: later(lease_until, claim.settle_delay),
            now: claim.now,
        }
    }
}

/// The columns that a claim reads.
const DUE: &str =
    "SELECT e.seq, e.id, e.token, e.rev, e.intent, e.reason, e.target_id, e.attempts, e.status, d.doc, e.lost_leases,
         e.name, e.reference, e.written, e.missed
     FROM entities AS e JOIN documents AS d ON d.entity = e.seq
     WHERE e.tbl = ?1 AND e.frontend = ?2 AND e.due_at <= ?3";

/// An entity that is to be leased.
struct Due {
    seq: i64,
    claimed: Claimed,
    /// The version that the other side may have from now on.
    written: u64,
}

fn due_row(row: &Row<'_>, claim: &OwnedClaim) -> rusqlite::Result<Due> {
    let status = status(row, 8)?;
    let lost = u32::from(status == TxStatus::InProcess);
    let (rev, target_id, before) = (count(row, 3)?, row.get::<_, Option<String>>(6)?, opt_count(row, 13)?);
    let (was, written) = transition::claim(status, before, target_id.as_deref(), rev);
    let claimed = Claimed {
        key: EntityKey::new(&claim.flow, row.get::<_, String>(1)?),
        name: row.get(11)?,
        token: count(row, 2)?.saturating_add(1),
        rev,
        intent: intent(row, 4)?,
        doc: row.get(9)?,
        target_id,
        reference: row.get(12)?,
        written: before,
        missed: row.get(14)?,
        written_docs: Vec::new(),
        attempts: small(row, 7)?.saturating_add(1),
        lost_leases: small(row, 10)?.saturating_add(lost),
        was,
        lease_until: claim.lease_until,
    };
    Ok(Due { seq: row.get(0)?, claimed, written })
}

pub(super) fn claim(db: &Connection, claim: &OwnedClaim) -> Work<Vec<Claimed>> {
    let (table, frontend, now) = (claim.flow.table.name(), &claim.flow.frontend, micros(claim.now.store));
    let mut lease = db.prepare_cached(
        "UPDATE entities SET status = 'P', token = ?2, attempts = ?3, in_doubt = ?4, lease_owner = ?5,
             lease_until = ?6, due_at = ?7, updated_at = ?8, lost_leases = ?9, written = ?10, missed = 0
         WHERE seq = ?1",
    )?;
    let mut take = |due: &Due| {
        let claimed = &due.claimed;
        lease.execute(params![
            due.seq,
            int(claimed.token),
            claimed.attempts,
            claimed.was != TxStatus::New,
            claim.owner,
            micros(claim.lease_until),
            micros(claim.due_at),
            micros(claim.now.wall),
            claimed.lost_leases,
            int(due.written),
        ])
    };
    let mut answer = Vec::new();
    if let Some(keys) = &claim.keys {
        let mut by_key = db.prepare_cached(&format!("{DUE} AND e.id = ?4"))?;
        for id in keys {
            if answer.len() >= claim.limit {
                break;
            }
            let row = by_key.query_row(params![table, frontend, now, id], |row| due_row(row, claim)).optional()?;
            if let Some(due) = row {
                take(&due)?;
                answer.push(due.claimed);
            }
        }
    } else {
        let limit = int(claim.limit as u64);
        let found = db
            .prepare_cached(&format!("{DUE} ORDER BY e.due_at, e.seq LIMIT ?4"))?
            .query_map(params![table, frontend, now, limit], |row| due_row(row, claim))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for due in found {
            take(&due)?;
            answer.push(due.claimed);
        }
    }
    Ok(answer)
}

pub(super) fn due(db: &Connection, flow: &FlowId, now: Timestamp, limit: usize) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached(
        "SELECT id FROM entities WHERE tbl = ?1 AND frontend = ?2 AND due_at <= ?3 ORDER BY due_at, seq LIMIT ?4",
    )?
    .query_map(params![flow.table.name(), flow.frontend, micros(now), int(limit as u64)], |row| row.get(0))?
    .collect()
}

pub(super) fn next_due(db: &Connection, flow: &FlowId) -> rusqlite::Result<Option<Timestamp>> {
    db.prepare_cached(
        "SELECT due_at FROM entities WHERE tbl = ?1 AND frontend = ?2 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1",
    )?
    .query_row(params![flow.table.name(), flow.frontend], |row| time(row, 0))
    .optional()
}

pub(super) fn renew(
    db: &Connection,
    leases: &[(EntityKey, u64)],
    until: Timestamp,
    due_at: Timestamp,
) -> Work<Vec<bool>> {
    let mut prolong = db.prepare_cached(
        "UPDATE entities SET lease_until = ?5, due_at = ?6
         WHERE tbl = ?1 AND frontend = ?2 AND id = ?3 AND status = 'P' AND token = ?4",
    )?;
    let mut held = Vec::with_capacity(leases.len());
    for (key, token) in leases {
        let arguments = params![key.table.name(), key.frontend, key.id, int(*token), micros(until), micros(due_at)];
        held.push(prolong.execute(arguments)? > 0);
    }
    Ok(held)
}

pub(super) fn settle(db: &Connection, now: Now, settlements: Vec<Settlement>) -> Work<Vec<Settled>> {
    let mut find = db.prepare_cached(
        "SELECT seq, note, target_id, intent, reason, attempts, in_doubt, rev, written FROM entities
         WHERE tbl = ?1 AND frontend = ?2 AND id = ?3 AND status = 'P' AND token = ?4",
    )?;
    let mut write = db.prepare_cached(
        "UPDATE entities SET status = ?2, note = ?3, due_at = ?4, target_id = ?5, attempts = ?6, in_doubt = 0,
             lease_owner = NULL, lease_until = NULL, updated_at = ?7,
             lost_leases = iif(?8, lost_leases, 0), written = ?9, missed = ?10,
             reference = iif(?9 IS NULL AND ?5 IS NULL, NULL, coalesce(reference, ?11)),
             failure = ?12
         WHERE seq = ?1",
    )?;
    settlements.into_iter().map(|settlement| settle_one(db, &mut find, &mut write, now, settlement)).collect()
}

fn settle_one(
    db: &Connection,
    find: &mut CachedStatement<'_>,
    write: &mut CachedStatement<'_>,
    now: Now,
    settlement: Settlement,
) -> Work<Settled> {
    let Settlement { key, token, rev, reference, outcome } = settlement;
    let found = find
        .query_row(params![key.table.name(), key.frontend, key.id, int(token)], |row| {
            let held = Held {
                note: row.get(1)?,
                target_id: row.get(2)?,
                intent: intent(row, 3)?,
                attempts: small(row, 5)?,
                written: opt_count(row, 8)?,
                claimed: rev,
                was_in_doubt: row.get(6)?,
                superseded: count(row, 7)? != rev,
            };
            Ok((row.get::<_, i64>(0)?, held))
        })
        .optional()?;
    let Some((seq, held)) = found else { return Ok(Settled::Fenced) };
    let released = matches!(outcome, Outcome::Release);
    let mut write = |after: &After, reference: Option<&str>| {
        write.execute(params![
            seq,
            after.standing.status.letter(),
            after.standing.note,
            after.standing.due_at.map(micros),
            after.target_id,
            after.attempts,
            micros(now.wall),
            released,
            after.written.map(int),
            after.missed,
            reference,
            after.standing.failure,
        ])
    };
    let mut after = transition::settle(held.clone(), outcome.clone(), now.store);
    if let Err(error) = write(&after, reference.as_deref()) {
        let by = bind::holder(db, error, &key, reference.as_deref(), outcome.target_id())?;
        after = transition::taken(held, &outcome, &by, now.store);
        write(&after, None)?;
    }
    Ok(after.settled)
}

pub(super) fn resync(db: &Connection, key: &EntityKey, now: Now) -> Work<bool> {
    let found = db
        .prepare_cached(
            "SELECT seq, status, intent, reason, due_at, erased_at FROM entities
             WHERE tbl = ?1 AND frontend = ?2 AND id = ?3",
        )?
        .query_row(params![key.table.name(), key.frontend, key.id], |row| {
            Ok((row.get::<_, i64>(0)?, status(row, 1)?, intent(row, 2)?, opt_time(row, 4)?, opt_time(row, 5)?))
        })
        .optional()?;
    match found {
        Some((.., Some(erased_at))) => Err(WorkError::Refused(transition::erased("do entity again", key, erased_at))),
        Some((seq, status, intent, ..)) if status.is_final() && intent.is_to_be_done() => {
            // The runs that it was part of ended with what it was then.
            super::stage::keep_outcome(db, seq, status)?;
            again(db, seq, now)?;
            Ok(true)
        }
        Some((seq, TxStatus::New, _, due_at, _)) if due_at.is_none_or(|due_at| due_at > now.store) => {
            db.prepare_cached("UPDATE entities SET due_at = ?2, updated_at = ?3 WHERE seq = ?1")?.execute(params![
                seq,
                micros(now.store),
                micros(now.wall)
            ])?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

pub(super) fn resync_task(db: &Connection, id: &SyncTaskId, now: Now) -> Work<u64> {
    let failed = db
        .prepare_cached(
            "SELECT m.sync_task, e.seq FROM sync_tasks AS t
             JOIN sync_task_entities AS m ON m.sync_task = t.seq
             JOIN entities AS e ON e.seq = m.entity
             WHERE t.id = ?1 AND e.status = 'F' AND e.intent IN ('apply', 'cancel') AND e.erased_at IS NULL
                 AND coalesce(m.pass_status, 'F') = 'F'",
        )?
        .query_map([id.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for (task, seq) in &failed {
        super::stage::keep_outcome(db, *seq, TxStatus::Failed)?;
        again(db, *seq, now)?;
        db.prepare_cached("UPDATE sync_task_entities SET pass_status = NULL WHERE sync_task = ?1 AND entity = ?2")?
            .execute([task, seq])?;
    }
    if let Some((task, _)) = failed.first() {
        db.prepare_cached(
            "UPDATE sync_tasks SET status = 'Processing', note = '', ended_at = NULL, pulled_at = ?2 WHERE seq = ?1",
        )?
        .execute(params![task, micros(now.wall)])?;
    }
    Ok(failed.len() as u64)
}

pub(super) fn resync_failed(db: &Connection, flow: &FlowId, class: Option<&str>, now: Now) -> Work<u64> {
    let failed = db
        .prepare_cached(
            "SELECT seq FROM entities
             WHERE tbl = ?1 AND frontend = ?2 AND (?3 IS NULL OR failure = ?3) AND status = 'F'
                 AND intent IN ('apply', 'cancel') AND erased_at IS NULL",
        )?
        .query_map(params![flow.table.name(), flow.frontend, class], |row| row.get::<_, i64>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for seq in &failed {
        super::stage::keep_outcome(db, *seq, TxStatus::Failed)?;
        again(db, *seq, now)?;
    }
    Ok(failed.len() as u64)
}

pub(super) fn failures(db: &Connection, flow: &FlowId) -> rusqlite::Result<BTreeMap<String, u64>> {
    db.prepare_cached(
        "SELECT coalesce(failure, ''), count(*) FROM entities
         WHERE tbl = ?1 AND frontend = ?2 AND status = 'F' AND erased_at IS NULL GROUP BY failure",
    )?
    .query_map(params![flow.table.name(), flow.frontend], |row| Ok((row.get(0)?, count(row, 1)?)))?
    .collect()
}

/// Puts an entity that came to its end back to work.
fn again(db: &Connection, seq: i64, now: Now) -> Work<()> {
    db.prepare_cached(
        "UPDATE entities SET status = 'N', note = '', failure = NULL, due_at = ?2, attempts = 0, lost_leases = 0,
             updated_at = ?3 WHERE seq = ?1",
    )?
    .execute(params![seq, micros(now.store), micros(now.wall)])?;
    Ok(())
}
