//! What is counted.

use serde::{Deserialize, Serialize};

/// What was asked of the sandbox, and what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// All HTTP requests but those to `/control`; a batch is one.
    pub requests: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Logins that were refused, the licences being in use or the password wrong.
    pub logins_refused: u64,
    /// Logouts of sessions that there were.
    pub logouts: u64,
    /// Requests refused with 401 and 301.
    pub unauthorized: u64,
    /// Requests answered 503.
    pub unavailable: u64,
    /// Calls that read orders or drafts, alone or in a batch.
    pub lookups: u64,
    /// Other calls that read.
    pub reads: u64,
    /// HTTP requests that may write: POST, PATCH, DELETE and batches, Login and Logout left out.
    pub writes: u64,
    /// Batches.
    pub batches: u64,
    /// Calls within batches that were carried out or refused; those after the first failure are not.
    pub batch_parts: u64,
    /// Calls that add orders.
    pub inserts: u64,
    /// Calls that change orders.
    pub updates: u64,
    /// Calls that cancel or close orders.
    pub cancels: u64,
    /// Calls that write and were refused.
    pub refused: u64,
    /// Orders there are, cancelled ones included.
    pub documents: u64,
    /// Cancelled orders.
    pub cancelled: u64,
    /// Drafts there are.
    pub drafts: u64,
    /// Business partners there are.
    pub partners: u64,
    /// Sessions there are, expired ones left out.
    pub sessions: u64,
    /// The most sessions that there were at one time.
    pub sessions_most: u64,
    /// The most calls that were worked on at one time.
    pub at_once_most: u64,
    /// Calls that waited for a company that did not go on.
    pub stalled: u64,
}
