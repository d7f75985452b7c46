//! Whether the host can do its work, and what is missing if not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datawald_core::Result;
use datawald_core::api::{Part, Readiness};
use datawald_core::model::FlowId;
use datawald_core::store::StagingStore;
use datawald_examples::Backends;
use jiff::{SignedDuration, Timestamp};

use crate::sides::Sides;
use crate::telemetry;

/// How long one part may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How far a cut may be ahead of our clock: those of two machines differ a little.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// Why a part is not ready that nobody has tried.
const UNTRIED: &str = "was not tried yet";

/// How a part is: why not, if it does not work.
pub(crate) type Answer = std::result::Result<(), String>;

/// What is known of the parts. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Health(Arc<Shared>);

#[derive(Default)]
struct Shared {
    parts: Mutex<BTreeMap<String, Known>>,
    stopping: AtomicBool,
}

/// How a part was when it was last tried.
#[derive(Clone)]
struct Known {
    ok: bool,
    why: String,
}

impl Health {
    /// Notes how a part is; the log tells when that changes.
    pub(crate) fn set(&self, name: &str, state: Answer) {
        let part = Known { ok: state.is_ok(), why: state.err().unwrap_or_default() };
        telemetry::up(name, part.ok);
        let mut parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = parts.insert(name.to_owned(), part.clone());
        let was_well = before.as_ref().is_none_or(|before| before.ok || before.why == UNTRIED);
        let was_ready = before.as_ref().is_none_or(|before| before.ok);
        match part.ok {
            false if was_well => tracing::warn!(part = name, why = part.why, "is not ready"),
            true if !was_ready => tracing::info!(part = name, "is ready"),
            _ => {}
        }
    }

    /// Notes what is to be tried first.
    pub(crate) fn expect(&self, name: &str) {
        let mut parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.entry(name.to_owned()).or_insert_with(|| Known { ok: false, why: UNTRIED.to_owned() });
    }

    /// Tells the metrics of what is known.
    pub(crate) fn tell_again(&self) {
        for (name, part) in &*self.0.parts.lock().unwrap_or_else(PoisonError::into_inner) {
            telemetry::up(name, part.ok);
        }
    }

    /// Forgets the parts that `gone` names: a reload has others.
    pub(crate) fn forget(&self, gone: impl Fn(&str) -> bool) {
        self.0.parts.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| !gone(name));
    }

    /// Nothing is ready any more: the host is about to end.
    pub(crate) fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
    }
}

impl Readiness for Health {
    /// What was known when it was last tried, and whether the host is about to end.
    fn parts(&self) -> Vec<Part> {
        let known = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stopping = self.0.stopping.load(Ordering::SeqCst);
        let detail = if stopping { "is about to end" } else { "" };
        let host = Part { name: "host".to_owned(), ready: !stopping, required: true, detail: detail.to_owned() };
        // Without the store nothing can be done. While a side or the broker is away, the rest of the work goes on.
        let parts = known.into_iter().map(|(name, Known { ok, why })| Part {
            required: name == "store",
            name,
            ready: ok,
            detail: why,
        });
        std::iter::once(host).chain(parts).collect()
    }
}

/// Tries store, queue and sides once; reading only. Answers how each part is.
pub(crate) async fn try_all(backends: &Backends, sides: &Sides, flows: &[FlowId]) -> Vec<(String, Answer)> {
    let (mut parts, sides) = tokio::join!(try_backends(backends, flows), sides.try_all());
    parts.extend(sides);
    parts
}

/// Tries store and queue once; reading only.
pub(crate) async fn try_backends(backends: &Backends, flows: &[FlowId]) -> Vec<(String, Answer)> {
    let store = async {
        for flow in flows {
            backends.store().next_due(flow).await?;
        }
        Ok(())
    };
    let (store, queue, cuts) =
        tokio::join!(within(store), within(backends.reach_queue()), within(cuts(&**backends.store(), flows)));
    let mut parts = vec![("store".to_owned(), store), ("queue".to_owned(), queue)];
    // Of a store that does not answer, its own part tells.
    parts.extend(cuts.into_iter().flatten());
    parts
}

/// How the cut of each flow is.
async fn cuts(store: &dyn StagingStore, flows: &[FlowId]) -> Result<Vec<(String, Answer)>> {
    let mut parts = Vec::with_capacity(flows.len());
    for flow in flows {
        let cut = store.cut(flow).await?;
        parts.push((format!("cut of {flow}"), cut.map_or(Ok(()), |cut| is_behind(cut.cut_dt, Timestamp::now()))));
    }
    Ok(parts)
}

/// Whether a cut leaves nothing out.
fn is_behind(cut: Timestamp, now: Timestamp) -> Answer {
    match cut.duration_since(now) <= AHEAD {
        true => Ok(()),
        false => Err(format!(
            "{cut} lies ahead of this host's clock, and what changes until then would be left out: was it set by hand, or was a \
             clock wrong, the shop's or a host's? The next pull moves it back"
        )),
    }
}

/// Waits for an answer, but not for ever.
pub(crate) async fn within<T>(asked: impl Future<Output = Result<T>>) -> std::result::Result<T, String> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
