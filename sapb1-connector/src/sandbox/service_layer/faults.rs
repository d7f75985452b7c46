//! Switches for what goes wrong, and for what differs between installations.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How the link to the next page is written; all of these were seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextLink {
    /// `/b1s/v1/Orders?$skip=20`.
    Absolute,
    /// `Orders?$skip=20`.
    #[default]
    Relative,
    /// `Orders?%24filter=CardCode+eq+%27c1%27&$skip=20`: relative, encoded anew.
    Encoded,
    /// `Orders?&$skip=20`: relative, with an empty first parameter.
    EmptyFirst,
    /// `http://127.0.0.1:41234/b1s/v1/Orders?$skip=20`.
    Whole,
}

/// What is done with calls beyond the capacity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Busy {
    /// They wait for their turn.
    #[default]
    Wait,
    /// They are answered 503, with nothing done.
    Refuse,
    /// They are worked on at once, and take `busy_ms` longer.
    Slow,
}

/// What goes wrong. `…_every: n` concerns every n-th call since the faults were set (0 none, 1 each), `…_at` the
/// calls with these numbers, from 1. A call is an HTTP request; `order` an order, alone or in a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How long every call takes, in milliseconds.
    pub latency_ms: u64,
    /// How much longer it takes for each order that it writes, in milliseconds.
    pub order_ms: u64,
    /// How many calls are worked on at a time; 0 for any number. It may be changed during a run.
    pub capacity: usize,
    /// What becomes of the calls beyond that.
    pub busy: Busy,
    /// See [`Busy::Slow`].
    pub busy_ms: u64,
    /// Calls that are answered 503, with nothing done.
    pub unavailable_every: u64,
    /// See `unavailable_every`.
    pub unavailable_at: BTreeSet<u64>,
    /// As long as this is set, all calls but logouts are answered 503.
    pub unavailable: bool,
    /// What a 503 says in `Retry-After`, in seconds; 0 for nothing.
    pub retry_after_s: u64,
    /// Whether log-ins are refused as those with a wrong password are, since it was changed.
    pub password_changed: bool,
    /// Calls, Login and Logout left out, whose session is ended before they are looked at: 401 with code 301.
    pub end_session_every: u64,
    /// See `end_session_every`.
    pub end_session_at: BTreeSet<u64>,
    /// Single writes that are done and whose connection is then closed without an answer.
    pub drop_after_commit_every: u64,
    /// Batches that are done and whose connection is then closed without an answer.
    pub drop_batch_after_commit_every: u64,
    /// If not 0, such a batch is done up to this many of its parts only; the rest never happens.
    pub drop_batch_after_parts: usize,
    /// Single writes and batches whose connection is closed at once and that are done `slow_commit_ms` later.
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
    /// Whether batches that write no order are left alone by what befalls batches, and not counted for it;
    /// they read, as far as stalls go.
    pub only_orders: bool,
    /// Calls that are answered by an HTML page with status 502, with nothing done, as proxies do.
    pub html_every: u64,
    /// Calls whose answer is cut in the middle, with everything done.
    pub cut_body_every: u64,
    /// Orders that the company's transaction notification refuses.
    pub refuse_order_every: u64,
    /// Orders with these numbers, in `NumAtCard` or a user-defined field, are refused by it too.
    pub refuse_numbers: BTreeSet<String>,
    /// The code of such a refusal.
    pub refusal_code: i64,
    /// Orders that an approval procedure takes: a draft is saved and the answer is -2028, or 204 without `Location` for
    /// who wants no content.
    pub approval_every: u64,
    /// Orders with these numbers are taken by it too.
    pub approval_numbers: BTreeSet<String>,
    /// Whether an order under a `NumAtCard` that another standing order of the customer has is refused with -10.
    pub block_duplicates: bool,
    /// Actions of the whole company (`CompanyService_GetAdminInfo`) that are answered with this HTTP status and nothing done:
    /// 404 and 503 without an error of SAP's, any other as what the user may not call.
    pub refuse_actions: BTreeMap<String, u16>,
    /// The largest body of a call that is no batch, in bytes, as where a proxy has a rule of its own for paths; 0 for any.
    pub largest_alone: usize,
    /// Whether orders refuse to be cancelled.
    pub refuse_cancel: bool,
    /// Nodes that have failed, from 1. The first call of each session there is slow; another node takes the session
    /// over.
    pub failed_nodes: BTreeSet<u32>,
    /// How slow.
    pub fail_over_ms: u64,
    /// How links to the next page are written.
    pub next_link: NextLink,
    /// Whether a page size that is asked for is not heeded.
    pub ignore_page_size: bool,
    /// Whether `Prefer: return-no-content` is not heeded.
    pub ignore_no_content: bool,
    /// Whether dates come as `2026-04-14T00:00:00Z` in OData v3 too.
    pub long_dates: bool,
    /// Whether answers to batches have LF for CRLF.
    pub batch_line_feeds: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            order_ms: 0,
            capacity: 0,
            busy: Busy::Wait,
            busy_ms: 0,
            unavailable_every: 0,
            unavailable_at: BTreeSet::new(),
            unavailable: false,
            retry_after_s: 0,
            password_changed: false,
            end_session_every: 0,
            end_session_at: BTreeSet::new(),
            drop_after_commit_every: 0,
            drop_batch_after_commit_every: 0,
            drop_batch_after_parts: 0,
            slow_commit_every: 0,
            slow_commit_ms: 0,
            stall_every: 0,
            stall_ms: 0,
            stall_reads: false,
            only_orders: false,
            html_every: 0,
            cut_body_every: 0,
            refuse_order_every: 0,
            refuse_numbers: BTreeSet::new(),
            refusal_code: -2028,
            approval_every: 0,
            approval_numbers: BTreeSet::new(),
            block_duplicates: false,
            refuse_actions: BTreeMap::new(),
            largest_alone: 0,
            refuse_cancel: false,
            failed_nodes: BTreeSet::new(),
            fail_over_ms: 0,
            next_link: NextLink::Relative,
            ignore_page_size: false,
            ignore_no_content: false,
            long_dates: false,
            batch_line_feeds: false,
        }
    }
}
