//! The names of a flow's queues.

use std::fmt::Write as _;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::delay::RUNGS;
use crate::model::FlowId;

/// What a frontend's name keeps as it is: a `.` would make it look like a suffix of ours.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// AMQP's limit of a queue's name, in bytes.
const LONGEST: usize = 255;

/// Room for `.delay.` and the longest delay in milliseconds.
const SUFFIX: usize = 20;

/// The names of a flow's queues: its own, `….dead` and `….delay.<milliseconds>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// `<prefix>.<table>.<frontend>`. A name that is too long ends in a digest of the whole instead.
    pub(super) tasks: String,
}

impl Names {
    pub(super) fn new(prefix: &str, flow: &FlowId) -> Self {
        let mut tasks = format!("{prefix}.{}.{}", flow.table, utf8_percent_encode(&flow.frontend, ESCAPED));
        if tasks.len() > LONGEST - SUFFIX {
            let digest = Sha256::digest(tasks.as_bytes());
            // All of it is ASCII, so every place is a boundary.
            tasks.truncate(LONGEST - SUFFIX - 33);
            tasks.push('~');
            for byte in &digest[..16] {
                // Writing to a string cannot fail.
                let _ = write!(tasks, "{byte:02x}");
            }
        }
        Self { tasks }
    }

    pub(super) fn dead(&self) -> String {
        format!("{}.dead", self.tasks)
    }

    pub(super) fn delay(&self, rung: Duration) -> String {
        format!("{}.delay.{}", self.tasks, rung.as_millis())
    }

    /// Every queue that may be there.
    pub(super) fn all(&self) -> impl Iterator<Item = String> {
        let delays: Vec<_> = RUNGS.iter().map(|rung| self.delay(*rung)).collect();
        [self.tasks.clone(), self.dead()].into_iter().chain(delays)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::Table;

    fn name(frontend: &str) -> String {
        Names::new("datawald", &FlowId::new(Table::Orders, frontend)).tasks
    }

    #[test]
    fn odd_frontends_have_names_of_their_own() {
        assert_eq!(name("mage2"), "datawald.orders.mage2");
        assert_eq!(name("shop de.1"), "datawald.orders.shop%20de%2E1");
        let long = ["x".repeat(300), "x".repeat(301), "日".repeat(100), format!("{}y", "x".repeat(300))];
        let odd = ["a", "A", "a.dead", "a%2Edead", "a~", "", "日本"];
        let frontends: Vec<&str> = odd.into_iter().chain(long.iter().map(String::as_str)).collect();
        let names: BTreeSet<_> =
            frontends.iter().flat_map(|frontend| Names { tasks: name(frontend) }.all().collect::<Vec<_>>()).collect();
        assert_eq!(names.len(), frontends.len() * (2 + RUNGS.len()), "two flows share a name");
        assert!(names.iter().all(|name| name.len() <= LONGEST && name.is_ascii()));
    }
}
