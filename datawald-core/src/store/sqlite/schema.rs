//! The tables of a store file.

/// `PRAGMA application_id`: "DWST" in ASCII. It tells a store from any other SQLite file.
pub(super) const APPLICATION_ID: i32 = 0x4457_5354;

/// `PRAGMA user_version` of the schema below.
///
/// Up to version 3, entities were told apart by their numbers, which two stores of one shop may share. Such a file is
/// refused: which record of the source an entity was cannot be told from it.
pub(super) const VERSION: i32 = 5;

/// The last version that can be brought up to date.
pub(super) const UPDATABLE: i32 = 4;

/// Brings a file of version [`UPDATABLE`] up to date: what kind of failure it is, when a pull came to its end, whose a document
/// is and what was erased were not recorded before.
pub(super) const UPDATE: &str = "
ALTER TABLE sync_tasks ADD COLUMN pulled_at INTEGER;
CREATE INDEX sync_tasks_open ON sync_tasks (tbl, frontend, started_at, id) WHERE status = 'Processing';
CREATE UNIQUE INDEX IF NOT EXISTS entities_target ON entities (tbl, target_id, reference)
    WHERE target_id IS NOT NULL AND reference IS NOT NULL;
ALTER TABLE entities ADD COLUMN failure TEXT;
ALTER TABLE entities ADD COLUMN erased_at INTEGER;
UPDATE entities SET failure = iif(intent = 'reject', 'mapping', 'refused') WHERE status = 'F';
CREATE INDEX entities_failed ON entities (tbl, frontend, failure) WHERE status = 'F';
CREATE INDEX documents_raw ON documents (entity) WHERE raw <> '';
CREATE INDEX history_replaced ON history (replaced_at);
DROP VIEW entities_v;
CREATE VIEW entities_v AS
SELECT e.tbl AS 'table', e.frontend, e.id, e.name, e.status, e.failure, e.note, e.target_id, e.reference, e.intent, e.reason,
       e.source_status,
       strftime('%Y-%m-%dT%H:%M:%SZ', e.source_updated_at / 1000000, 'unixepoch') AS source_updated_at,
       e.rev, e.attempts, e.lease_owner,
       (e.due_at - (SELECT CAST(value AS INTEGER) FROM records WHERE records.name = 'clock')) / 1000000 AS due_in_seconds,
       strftime('%Y-%m-%dT%H:%M:%SZ', e.created_at / 1000000, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%SZ', e.updated_at / 1000000, 'unixepoch') AS updated_at,
       strftime('%Y-%m-%dT%H:%M:%SZ', e.erased_at / 1000000, 'unixepoch') AS erased_at,
       d.doc, d.raw
FROM entities AS e JOIN documents AS d ON d.entity = e.seq;
";

/// Creates the schema in an empty file.
///
/// Times are microseconds since 1970 (UTC); the views show them as text. The documents stand apart from the entities,
/// so that leasing and settling, which rewrite an entity's row again and again, do not carry them along. `due_at` is
/// null exactly for final statuses, so the partial index holds what is open and nothing else. `due_at`, and the ends of
/// leases, are by the store's clock (the record `clock`), which no wall clock agrees with for long.
pub(super) const CREATE: &str = r"
CREATE TABLE entities (
    seq               INTEGER PRIMARY KEY,
    tbl               TEXT    NOT NULL,
    frontend          TEXT    NOT NULL,
    id                TEXT    NOT NULL,
    name              TEXT    NOT NULL,
    holds_name        INTEGER NOT NULL,
    status            TEXT    NOT NULL CHECK (status IN ('N', 'P', 'S', 'F', 'I', 'X', '?')),
    note              TEXT    NOT NULL,
    target_id         TEXT,
    reference         TEXT,
    written           INTEGER,
    missed            INTEGER NOT NULL DEFAULT 0,
    intent            TEXT    NOT NULL CHECK (intent IN ('apply', 'cancel', 'ignore', 'reject')),
    reason            TEXT    NOT NULL,
    source_status     TEXT    NOT NULL,
    source_updated_at INTEGER,
    rev               INTEGER NOT NULL,
    fingerprint       TEXT    NOT NULL,
    attempts          INTEGER NOT NULL,
    lost_leases       INTEGER NOT NULL,
    token             INTEGER NOT NULL,
    in_doubt          INTEGER NOT NULL,
    lease_owner       TEXT,
    lease_until       INTEGER,
    due_at            INTEGER,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    failure           TEXT,
    erased_at         INTEGER,
    UNIQUE (tbl, frontend, id)
) STRICT;
CREATE INDEX entities_failed ON entities (tbl, frontend, failure) WHERE status = 'F';
CREATE INDEX entities_due ON entities (tbl, frontend, due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX entities_name ON entities (tbl, frontend, name) WHERE holds_name;
-- A document is one entity's. The reference keeps companies apart, whose keys may be the same.
CREATE UNIQUE INDEX entities_target ON entities (tbl, target_id, reference)
    WHERE target_id IS NOT NULL AND reference IS NOT NULL;

CREATE TABLE documents (
    entity INTEGER PRIMARY KEY REFERENCES entities (seq),
    doc    TEXT NOT NULL,
    raw    TEXT NOT NULL
) STRICT;
-- What has its source's document still.
CREATE INDEX documents_raw ON documents (entity) WHERE raw <> '';

CREATE TABLE history (
    entity        INTEGER NOT NULL REFERENCES entities (seq),
    rev           INTEGER NOT NULL,
    status        TEXT    NOT NULL,
    note          TEXT    NOT NULL,
    target_id     TEXT,
    source_status TEXT    NOT NULL,
    replaced_at   INTEGER NOT NULL,
    doc           TEXT    NOT NULL,
    raw           TEXT    NOT NULL,
    UNIQUE (entity, rev)
) STRICT;
CREATE INDEX history_replaced ON history (replaced_at);

CREATE TABLE sync_tasks (
    seq               INTEGER PRIMARY KEY,
    id                TEXT    NOT NULL UNIQUE,
    tbl               TEXT    NOT NULL,
    frontend          TEXT    NOT NULL,
    status            TEXT    NOT NULL CHECK (status IN ('Processing', 'Completed', 'Fail', 'Incompleted')),
    note              TEXT    NOT NULL,
    cut_before        INTEGER,
    cut_before_offset INTEGER,
    cut_after         INTEGER,
    cut_after_offset  INTEGER,
    pulled            INTEGER NOT NULL,
    started_at        INTEGER NOT NULL,
    ended_at          INTEGER,
    pulled_at         INTEGER
) STRICT;
CREATE INDEX sync_tasks_started ON sync_tasks (started_at, id);
CREATE INDEX sync_tasks_open ON sync_tasks (tbl, frontend, started_at, id) WHERE status = 'Processing';

-- What a pull brought. pass_status is null while the entity's own status is what counts.
CREATE TABLE sync_task_entities (
    sync_task   INTEGER NOT NULL REFERENCES sync_tasks (seq),
    entity      INTEGER NOT NULL REFERENCES entities (seq),
    rev         INTEGER NOT NULL,
    pass_status TEXT,
    PRIMARY KEY (sync_task, entity)
) STRICT, WITHOUT ROWID;
CREATE INDEX sync_task_entities_entity ON sync_task_entities (entity);

CREATE TABLE cuts (
    tbl        TEXT    NOT NULL,
    frontend   TEXT    NOT NULL,
    cut_dt     INTEGER NOT NULL,
    cut_offset INTEGER NOT NULL,
    PRIMARY KEY (tbl, frontend)
) STRICT, WITHOUT ROWID;

-- What hosts agree on; each change counts rev up.
CREATE TABLE records (
    name  TEXT    NOT NULL PRIMARY KEY,
    rev   INTEGER NOT NULL,
    value TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- The right to pull a flow; owner is null while nobody has it. Tokens only grow.
CREATE TABLE pulls (
    tbl         TEXT    NOT NULL,
    frontend    TEXT    NOT NULL,
    token       INTEGER NOT NULL,
    owner       TEXT,
    lease_until INTEGER,
    PRIMARY KEY (tbl, frontend)
) STRICT, WITHOUT ROWID;

CREATE VIEW entities_v AS
SELECT e.tbl AS 'table', e.frontend, e.id, e.name, e.status, e.failure, e.note, e.target_id, e.reference, e.intent, e.reason,
       e.source_status,
       strftime('%Y-%m-%dT%H:%M:%SZ', e.source_updated_at / 1000000, 'unixepoch') AS source_updated_at,
       e.rev, e.attempts, e.lease_owner,
       (e.due_at - (SELECT CAST(value AS INTEGER) FROM records WHERE records.name = 'clock')) / 1000000 AS due_in_seconds,
       strftime('%Y-%m-%dT%H:%M:%SZ', e.created_at / 1000000, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%SZ', e.updated_at / 1000000, 'unixepoch') AS updated_at,
       strftime('%Y-%m-%dT%H:%M:%SZ', e.erased_at / 1000000, 'unixepoch') AS erased_at,
       d.doc, d.raw
FROM entities AS e JOIN documents AS d ON d.entity = e.seq;

CREATE VIEW sync_tasks_v AS
SELECT id, tbl AS 'table', frontend, status, note, pulled,
       strftime('%Y-%m-%dT%H:%M:%SZ', cut_before / 1000000, 'unixepoch') AS cut_before,
       strftime('%Y-%m-%dT%H:%M:%SZ', cut_after / 1000000, 'unixepoch') AS cut_after,
       strftime('%Y-%m-%dT%H:%M:%SZ', started_at / 1000000, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%SZ', ended_at / 1000000, 'unixepoch') AS ended_at
FROM sync_tasks;

CREATE VIEW cuts_v AS
SELECT tbl AS 'table', frontend,
       strftime('%Y-%m-%dT%H:%M:%SZ', cut_dt / 1000000, 'unixepoch') AS cut_dt, cut_offset
FROM cuts;
";
