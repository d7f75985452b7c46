//! Switches for what goes wrong.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What goes wrong. `…_every: n` concerns every n-th call or order since the faults were set; 0 none, 1 each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How long every answer takes, in milliseconds.
    pub latency_ms: u64,
    /// Insert calls whose documents are made and whose connection is then closed without an answer.
    pub drop_after_commit_every: u64,
    /// Insert calls whose connection is closed at once, while the documents are made `slow_commit_ms` later.
    pub slow_commit_every: u64,
    /// See `slow_commit_every`.
    pub slow_commit_ms: u64,
    /// Writes with which the company stops going on for `stall_ms`. The write, and each that comes meanwhile, waits in front of it
    /// and is carried out when it goes on, whoever still waits for the answer. A stall that has begun ends by itself, whatever
    /// is set then.
    pub stall_every: u64,
    /// See `stall_every`.
    pub stall_ms: u64,
    /// Whether calls that only read, look-ups for example, wait meanwhile too. Log-ins do not.
    pub stall_reads: bool,
    /// Orders that fail, though nothing is wrong with them.
    pub fail_order_every: u64,
    /// Orders with these numbers fail too.
    pub refuse_numbers: BTreeSet<String>,
    /// Orders that are made and then reported as failed, since the database did not tell their number.
    pub fail_after_commit_every: u64,
    /// Insert calls that fail as a whole (501) after `crash_after_orders` of their orders were made.
    pub crash_every: u64,
    /// See `crash_every`.
    pub crash_after_orders: usize,
    /// Calls that are answered 503, with nothing done.
    pub unavailable_every: u64,
    /// Whether an order under a number that is taken already is refused, which SAP B1 does not do by itself.
    pub block_duplicates: bool,
    /// Whether lists of numbers (`in`) are refused with 501.
    pub refuse_lists: bool,
    /// Calls whose token is held to have expired.
    pub expire_token_every: u64,
    /// Calls that are answered by an HTML page with status 200, with nothing done.
    pub html_every: u64,
    /// Calls whose answer is cut in the middle, with everything done.
    pub cut_body_every: u64,
    /// Whether inserts are answered in reverse order.
    pub reorder: bool,
    /// Whether the last order is missing from the answer to an insert.
    pub short: bool,
    /// Whether orders refuse to be cancelled.
    pub refuse_cancel: bool,
}
