//! Sessions: as many as there are licences, each on a node, ended by `Logout` or by time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use datawald_core::clock::later;
use jiff::Timestamp;

use super::options::SandboxOptions;

struct Session {
    ends: Timestamp,
    node: u32,
}

#[derive(Default)]
pub(super) struct Sessions {
    open: HashMap<String, Session>,
    random: RandomState,
    given: u32,
    most: usize,
}

/// What a call's cookies are worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Refused,
    In,
    /// The session's node has failed; it goes on at another, whose number this is.
    Moved(u32),
}

impl Sessions {
    /// A new session, and its node; `None` if there is no licence left.
    pub(super) fn open(&mut self, options: &SandboxOptions) -> Option<(String, u32)> {
        let now = options.clock.now();
        self.open.retain(|_, session| session.ends > now);
        if self.open.len() >= options.licences {
            return None;
        }
        self.given = self.given.wrapping_add(1);
        let (high, low) = (self.random.hash_one((self.given, 1)), self.random.hash_one((self.given, 2)));
        let id = format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFFF,
            low >> 48,
            low & 0xFFFF_FFFF_FFFF
        );
        let node = self.given % options.nodes.max(1) + 1;
        self.open.insert(id.clone(), Session { ends: later(now, options.session_timeout), node });
        self.most = self.most.max(self.open.len());
        Some((id, node))
    }

    /// Lets a call in that has both cookies; the session's time begins anew.
    pub(super) fn enter(
        &mut self,
        options: &SandboxOptions,
        cookies: &Cookies,
        failed: &std::collections::BTreeSet<u32>,
    ) -> Entry {
        let now = options.clock.now();
        // Where there is one node only, the balancer has no choice.
        let node = cookies.node.or((options.nodes <= 1).then_some(1));
        let (Some(id), Some(node)) = (&cookies.session, node) else { return Entry::Refused };
        match self.open.get_mut(id) {
            Some(session) if session.ends <= now => {
                self.open.remove(id);
                Entry::Refused
            }
            // The balancer sends a call to another node only if the one of the cookie has failed.
            Some(session) if session.node != node && !failed.contains(&node) => Entry::Refused,
            Some(session) => {
                session.ends = later(now, options.session_timeout);
                let other = (1..=options.nodes.max(1)).find(|node| !failed.contains(node));
                match other {
                    Some(other) if failed.contains(&session.node) => {
                        session.node = other;
                        Entry::Moved(other)
                    }
                    _ => Entry::In,
                }
            }
            None => Entry::Refused,
        }
    }

    /// Ends a session; whether there was one.
    pub(super) fn close(&mut self, cookies: &Cookies) -> bool {
        cookies.session.as_ref().is_some_and(|id| self.open.remove(id).is_some())
    }

    pub(super) fn close_all(&mut self) {
        self.open.clear();
    }

    /// How many there are, and how many there were at most.
    pub(super) fn count(&self, now: Timestamp) -> (usize, usize) {
        (self.open.values().filter(|session| session.ends > now).count(), self.most)
    }
}

/// Both cookies.
#[derive(Debug, Default)]
pub(super) struct Cookies {
    session: Option<String>,
    node: Option<u32>,
}

impl Cookies {
    pub(super) fn read(headers: &axum::http::HeaderMap) -> Self {
        let mut cookies = Self::default();
        let values = headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
        for pair in values.flat_map(|value| value.split(';')) {
            match pair.trim().split_once('=') {
                Some(("B1SESSION", id)) => cookies.session = Some(id.to_owned()),
                Some(("ROUTEID", node)) => cookies.node = node.strip_prefix(".node").and_then(|node| node.parse().ok()),
                _ => {}
            }
        }
        cookies
    }
}
