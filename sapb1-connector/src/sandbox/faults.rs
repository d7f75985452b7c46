//! What goes wrong over either way in.

use std::collections::BTreeSet;

use super::{restful, service_layer};

/// What goes wrong over either way in; what is peculiar to one is set on that sandbox itself. `…_every: n` concerns every
/// n-th call since the faults were set; 0 none, 1 each.
///
/// Over SAP B1 RESTful an insert is a call of its own. Over the Service Layer it is a batch that writes orders, or a single write:
/// what befalls every n-th insert befalls every n-th of either.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// How long every call takes, in milliseconds.
    pub latency_ms: u64,
    /// Inserts that are carried out and whose connection is then closed without an answer.
    pub drop_after_commit_every: u64,
    /// Inserts whose connection is closed at once, and which are carried out `slow_commit_ms` later.
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
    /// Inserts that end after `crash_after_orders` of their orders, without an answer that tells how far they came. Over the
    /// Service Layer it takes the place of `drop_after_commit_every`.
    pub crash_every: u64,
    /// See `crash_every`; at least 1.
    pub crash_after_orders: usize,
    /// Calls that are answered 503, with nothing done.
    pub unavailable_every: u64,
    /// Calls that are answered by an HTML page, with nothing done.
    pub html_every: u64,
    /// Calls whose answer is cut in the middle, with everything done.
    pub cut_body_every: u64,
    /// Calls whose token or session is held to have ended.
    pub end_session_every: u64,
    /// Orders with these numbers, in `NumAtCard` or a user-defined field, are refused.
    pub refuse_numbers: BTreeSet<String>,
    /// Whether an order under a number that is taken already is refused, which SAP B1 does not do by itself.
    pub block_duplicates: bool,
    /// Whether orders refuse to be cancelled.
    pub refuse_cancel: bool,
}

impl From<Faults> for restful::Faults {
    fn from(faults: Faults) -> Self {
        Self {
            latency_ms: faults.latency_ms,
            drop_after_commit_every: faults.drop_after_commit_every,
            slow_commit_every: faults.slow_commit_every,
            slow_commit_ms: faults.slow_commit_ms,
            stall_every: faults.stall_every,
            stall_ms: faults.stall_ms,
            stall_reads: faults.stall_reads,
            crash_every: faults.crash_every,
            crash_after_orders: faults.crash_after_orders,
            unavailable_every: faults.unavailable_every,
            html_every: faults.html_every,
            cut_body_every: faults.cut_body_every,
            expire_token_every: faults.end_session_every,
            refuse_numbers: faults.refuse_numbers,
            block_duplicates: faults.block_duplicates,
            refuse_cancel: faults.refuse_cancel,
            ..Self::default()
        }
    }
}

impl From<Faults> for service_layer::Faults {
    fn from(faults: Faults) -> Self {
        let (dropped_batches, parts) = match faults.crash_every {
            0 => (faults.drop_after_commit_every, 0),
            every => (every, faults.crash_after_orders),
        };
        Self {
            latency_ms: faults.latency_ms,
            drop_after_commit_every: faults.drop_after_commit_every,
            drop_batch_after_commit_every: dropped_batches,
            drop_batch_after_parts: parts,
            slow_commit_every: faults.slow_commit_every,
            slow_commit_ms: faults.slow_commit_ms,
            stall_every: faults.stall_every,
            stall_ms: faults.stall_ms,
            stall_reads: faults.stall_reads,
            only_orders: true,
            unavailable_every: faults.unavailable_every,
            html_every: faults.html_every,
            cut_body_every: faults.cut_body_every,
            end_session_every: faults.end_session_every,
            refuse_numbers: faults.refuse_numbers,
            block_duplicates: faults.block_duplicates,
            refuse_cancel: faults.refuse_cancel,
            ..Self::default()
        }
    }
}
