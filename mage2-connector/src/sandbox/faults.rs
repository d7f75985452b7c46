//! Faults, as switches, and what is counted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What goes wrong. All off by default; the control route takes it as JSON, absent switches being off.
///
/// ```
/// # use mage2_connector::sandbox::Faults;
/// let faults: Faults = serde_json::from_str(r#"{"too_many_requests": {"every": 3, "retry_after_secs": 1}}"#)?;
/// assert_eq!(faults.too_many_requests.map(|nth| nth.every), Some(3));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Orders that become visible late, with the time of change that they have: transactions that commit late.
    pub late: Vec<LateCommit>,
    /// Leaves `sortOrders` out: orders come by descending id.
    pub ignore_sort: bool,
    /// Leaves the filters out.
    pub ignore_filter: bool,
    /// Answers with the last page again past the end, as versions up to 2.3 do.
    pub repeat_last_page: bool,
    /// Orders, by id, that cannot be serialised: whatever would hold one of them is answered with 500.
    pub unserialisable: Vec<u64>,
    /// Orders, by id, with a field (`customer_note`) that is not UTF-8: what holds it is no JSON.
    pub invalid_utf8: Vec<u64>,
    /// Answers searches of orders with status 200 and this in their place.
    pub instead: Option<Value>,
    /// Waits before every answer.
    pub latency_ms: u64,
    /// Answers every n-th request with 429 and `Retry-After`.
    pub too_many_requests: Option<EveryNth>,
    /// Answers every n-th request with 503.
    pub unavailable: Option<EveryNth>,
    /// An admin token is good for so many requests.
    pub expire_token_after: Option<u64>,
    /// Answers with a maintenance page, as HTML with status 200.
    pub html: bool,
    /// Cuts the body of an answer short and closes the connection.
    pub cut_body: bool,
    /// Answers with a body of so many bytes, streamed.
    pub huge_body_bytes: Option<u64>,
    /// Answers with something that is not JSON.
    pub invalid_json: bool,
}

/// Every n-th request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EveryNth {
    /// Which requests: 1 for all, 3 for every third. 0 is never.
    pub every: u64,
    /// The `Retry-After` header, in seconds; without it if absent.
    #[serde(default)]
    pub retry_after_secs: Option<u64>,
}

impl EveryNth {
    pub(super) fn hits(self, request: u64) -> bool {
        self.every > 0 && request.is_multiple_of(self.every)
    }
}

/// An order that is not visible at first. It becomes so when both conditions hold that are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LateCommit {
    /// Which order.
    pub entity_id: u64,
    /// After so many requests, counted from the sandbox's start.
    #[serde(default)]
    pub after_requests: Option<u64>,
    /// At this time of the sandbox's clock.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

impl LateCommit {
    pub(super) fn hidden(&self, requests: u64, now: Timestamp) -> bool {
        self.after_requests.is_some_and(|after| requests <= after) || self.at.is_some_and(|at| now < at)
    }
}

/// What the sandbox has done since its start. Requests to control routes are not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Requests to the REST API.
    pub requests: u64,
    /// Searches of orders that were answered.
    pub pages_served: u64,
    /// Orders in answers.
    pub orders_served: u64,
    /// Requests for an admin token.
    pub token_requests: u64,
    /// Requests answered with 401.
    pub unauthorized: u64,
    /// Requests answered with another 4xx, as Magento would.
    pub refused: u64,
    /// Requests that a fault has hit.
    pub faulted: u64,
}
