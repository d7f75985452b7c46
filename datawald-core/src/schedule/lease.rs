//! Who leads: one host at a time, by a lease in a record, with a term that counts the leaders.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::host::Host;
use super::records::{self, LEADER, text};
use crate::Result;
use crate::clock::later;
use crate::{Disposition, Error, ErrorKind};

/// How often a lease is renewed before it would be over.
const RENEWALS: u32 = 3;

/// Who leads the schedulers of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Leader {
    /// The host; empty if it has given the lead back.
    pub owner: String,
    /// Counts the leaders. One of a lower term can change nothing.
    pub term: u64,
    /// When its lease ends if it is not renewed, by its own clock.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub lease_until: Timestamp,
    /// How long a lease of it lasts, in milliseconds.
    pub lease_ms: u64,
}

/// The lead, as its holder has it.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) term: u64,
    rev: u64,
    until: Timestamp,
}

/// A host that would lead.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    /// The record's revision, and since when this host has seen it.
    seen: Option<(u64, Timestamp)>,
}

impl Candidate {
    /// Takes the lead if nobody has it.
    pub(super) async fn try_lead(&mut self, host: &Host) -> Result<Option<Lease>> {
        let now = host.clock.now();
        let (rev, term) = match read(host).await? {
            // Removed by an operator, perhaps: schedules' records would fence a leader that began at the first term again.
            None => (0, records::highest_term(&host.store).await?),
            Some((rev, leader)) if self.is_over(host, rev, &leader, now) => (rev, leader.term),
            Some(_) => return Ok(None),
        };
        let lease = Lease { term: term.saturating_add(1), rev: rev.saturating_add(1), until: until(host, now) };
        let won = host.store.write_record(LEADER, rev, &lease.record(host, &host.owner)?).await?;
        Ok(won.then_some(lease))
    }

    /// Whether a lease is over: this host has seen its record unchanged for as long as a lease lasts, which needs no clock
    /// that is right; or it is past its time, whatever clocks show that are as right as they should be. That alone is not
    /// believed while the holder may be renewing it.
    fn is_over(&mut self, host: &Host, rev: u64, leader: &Leader, now: Timestamp) -> bool {
        let since = match self.seen {
            // A clock that was set back has not seen anything for so long.
            Some((seen, since)) if seen == rev && since <= now => since,
            _ => now,
        };
        self.seen = Some((rev, since));
        let offset = host.settings.clock_offset();
        let lease = Duration::from_millis(leader.lease_ms);
        let renews = lease / RENEWALS + host.settings.poll();
        // Its clock may be off the one way, and this host's the other.
        let past = now > later(leader.lease_until, offset * 2) && now > later(since, renews);
        leader.owner.is_empty() || past || now > later(since, lease + offset)
    }
}

impl Lease {
    /// Renews the lease for as long as that succeeds; comes back when it is over.
    pub(super) async fn keep(&mut self, host: &Host) {
        let every = host.settings.lease() / RENEWALS;
        let mut at = later(host.clock.now(), every);
        loop {
            host.until(at.min(self.until)).await;
            if host.clock.now() >= self.until {
                return;
            }
            let ends = self.until;
            let renewed = tokio::select! {
                biased;
                () = host.until(ends) => return,
                renewed = self.renew(host) => renewed,
            };
            at = match renewed {
                Ok(true) => later(host.clock.now(), every),
                Ok(false) => return,
                Err(error) => {
                    host.store_failed(&error);
                    later(host.clock.now(), host.settings.poll())
                }
            };
        }
    }

    async fn renew(&mut self, host: &Host) -> Result<bool> {
        let now = host.clock.now();
        // An earlier renewal may have been written without an answer.
        match read(host).await? {
            Some((rev, leader)) if leader.term == self.term && leader.owner == host.owner => self.rev = rev,
            _ => return Ok(false),
        }
        let next = Lease { term: self.term, rev: self.rev.saturating_add(1), until: until(host, now) };
        let renewed = host.store.write_record(LEADER, self.rev, &next.record(host, &host.owner)?).await?;
        if renewed {
            *self = next;
        }
        Ok(renewed)
    }

    /// Gives the lead back, so that another host can take it at once.
    pub(super) async fn release(mut self, host: &Host) -> Result<()> {
        match read(host).await? {
            Some((rev, leader)) if leader.term == self.term && leader.owner == host.owner => self.rev = rev,
            _ => return Ok(()),
        }
        host.store.write_record(LEADER, self.rev, &self.record(host, "")?).await.map(drop)
    }

    fn record(&self, host: &Host, owner: &str) -> Result<String> {
        let leader = Leader {
            owner: owner.to_owned(),
            term: self.term,
            lease_until: self.until,
            lease_ms: host.settings.lease_ms,
        };
        text(&leader, "write leader's record")
    }
}

fn until(host: &Host, now: Timestamp) -> Timestamp {
    later(now, host.settings.lease())
}

async fn read(host: &Host) -> Result<Option<(u64, Leader)>> {
    host.store.record(LEADER).await?.map(|record| Ok((record.rev, parse(&record.value)?))).transpose()
}

pub(super) fn parse(value: &str) -> Result<Leader> {
    serde_json::from_str(value).map_err(|error| {
        Error::new(
            ErrorKind::Store,
            Disposition::Permanent,
            "read leader's record",
            "cannot be read as a leader; remove it, and a host will lead",
        )
        .entity(format!("record {LEADER}"))
        .caused_by(error)
    })
}
