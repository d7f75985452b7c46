//! The network, and how long the other sides take: a request that arrives is carried out whether or not its caller waits.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, StatusCode};
use datawald_core::http::{Answered, Broken, Carried, Transport};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::ServiceExt;

use super::chance::{Chance, Dice};
use super::process::{ANY, Process};
use super::schedule::Group;
use super::story::Story;

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Shop(usize),
    B1,
}

impl Peer {
    fn place(self) -> usize {
        match self {
            Peer::B1 => 0,
            Peer::Shop(shop) => 1 + shop,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::B1 => f.write_str("SAP B1"),
            Peer::Shop(shop) => write!(f, "shop {shop}"),
        }
    }
}

type Before = Box<dyn Fn() + Send + Sync>;

/// What all processes share of the network.
pub(crate) struct Wires {
    pub(crate) chance: Arc<Chance>,
    pub(crate) story: Arc<Story>,
    routers: Vec<(Peer, Router)>,
    windows: Vec<Window>,
    /// Called before a peer is asked, and after SAP B1 has written.
    before: Before,
    after_write: Before,
    on_the_way: AtomicUsize,
}

/// A time in which a peer is as it says.
struct Window {
    kind: Group,
    place: usize,
    from: Instant,
    until: Instant,
}

impl Wires {
    pub(crate) fn new(
        chance: Arc<Chance>,
        story: Arc<Story>,
        routers: Vec<(Peer, Router)>,
        before: Before,
        after_write: Before,
    ) -> Self {
        let mut windows = Vec::new();
        for (peer, _) in &routers {
            for (kind, site) in [(Group::Stall, "stall"), (Group::Outage, "outage"), (Group::Storm, "storm")] {
                if kind == Group::Stall && *peer != Peer::B1 {
                    continue;
                }
                for _ in 0..2 {
                    let Some(mut dice) = chance.strikes(kind, site, peer.place(), 600) else { continue };
                    let from = Instant::now() + dice.seconds(20, 700);
                    let window = Window { kind, place: peer.place(), from, until: from + dice.seconds(20, 420) };
                    let (at, until) = (dice_offset(window.from), dice_offset(window.until));
                    story.tell(peer, format!("is to have a {site} from {at} s to {until} s"));
                    windows.push(window);
                }
            }
        }
        Self { chance, story, routers, windows, before, after_write, on_the_way: AtomicUsize::new(0) }
    }

    fn within(&self, kind: Group, peer: Peer) -> Option<Instant> {
        let now = Instant::now();
        let is = |window: &&Window| {
            window.kind == kind && window.place == peer.place() && window.from <= now && now < window.until
        };
        self.windows.iter().find(is).map(|window| window.until)
    }

    /// Until when a peer stands still. It is writing that stands still first.
    fn stalls(&self, peer: Peer, writes: bool) -> Option<Instant> {
        let (now, early) = (Instant::now(), if writes { Duration::from_secs(30) } else { Duration::ZERO });
        let is = |window: &&Window| {
            let stall = window.kind == Group::Stall && window.place == peer.place();
            stall && window.from <= now + early && now < window.until
        };
        self.windows.iter().find(is).map(|window| window.until)
    }

    /// How many requests are not carried out yet.
    pub(crate) fn on_the_way(&self) -> usize {
        self.on_the_way.load(Ordering::Relaxed)
    }

    /// Has a peer answer.
    pub(crate) async fn ask(&self, peer: Peer, request: Carried) -> Result<Answered, Broken> {
        (self.before)();
        let router = self.routers.iter().find(|(known, _)| *known == peer).map(|(_, router)| router.clone()).unwrap();
        ask(router, request).await
    }
}

/// Has a router answer a request.
pub(crate) async fn ask(router: Router, request: Carried) -> Result<Answered, Broken> {
    let target = request.url[url::Position::BeforePath..].to_owned();
    let mut call = axum::http::Request::builder().method(request.method).uri(target);
    *call.headers_mut().unwrap() = request.headers;
    let call = call.body(request.body.map_or_else(Body::empty, Body::from)).unwrap();
    let response = router.oneshot(call).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|_| Broken::Cut(None))?;
    Ok(Answered { status: parts.status, headers: parts.headers, body })
}

fn dice_offset(at: Instant) -> u64 {
    at.duration_since(Instant::now()).as_secs()
}

/// What becomes of one request.
struct Fate {
    /// When it is carried out, from now; `None` if it never arrives.
    carried_out: Option<Duration>,
    /// When the caller's connection breaks, from now.
    cut: Option<Duration>,
    /// Whether the answer comes.
    answered: bool,
}

/// The network as one process sees it, to one peer.
pub(crate) struct Link {
    pub(crate) process: Arc<Process>,
    pub(crate) wires: Arc<Wires>,
    pub(crate) peer: Peer,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

/// Whether orders are written by it.
fn writes(request: &Carried) -> bool {
    if request.method == Method::GET || request.method == Method::PUT {
        return false;
    }
    let path = request.url.path();
    let body = request.body.as_deref().unwrap_or_default();
    let batched = || {
        let text = String::from_utf8_lossy(body);
        text.lines().any(|line| (line.starts_with("POST ") || line.starts_with("PATCH ")) && line.contains("Orders"))
    };
    path.contains("/orders/") || path.contains("/Orders") || (path.ends_with("$batch") && batched())
}

impl Link {
    fn chance(&self) -> &Chance {
        &self.wires.chance
    }

    fn befalls(&self, group: Group, site: &'static str, per_mille: u64) -> Option<Dice> {
        let dice = self.chance().strikes(group, site, self.peer.place(), per_mille)?;
        self.process.tell(format!("to {}: {site}", self.peer));
        Some(dice)
    }

    fn fenced(&self) -> bool {
        // SAP B1 refuses a number that stands; where people write over numbers, it does not stand any more.
        self.chance().schedule().has(Group::Fence) && !self.chance().schedule().has(Group::References)
    }

    fn fate(&self, writes: bool, timeout: Duration) -> Fate {
        let mut dice = self.chance().dice("how long", self.peer.place());
        let mut takes = match (self.peer, writes) {
            (Peer::B1, true) => dice.millis(100, 2_500),
            (Peer::B1, false) => dice.millis(20, 300),
            (Peer::Shop(_), _) => dice.millis(30, 400),
        };
        if matches!(self.peer, Peer::Shop(_)) && self.chance().schedule().has(Group::SlowShop) {
            takes += dice.seconds(1, 15);
        }
        let mut fate = Fate { carried_out: Some(takes), cut: None, answered: true };
        if writes && let Some(mut dice) = self.chance().strikes(Group::Slow, "slow write", 0, 350) {
            fate.carried_out = Some(dice.seconds(3, 50));
        }
        if let Some(mut dice) = self.befalls(Group::LostRequests, "a request is lost", 60) {
            fate.carried_out = None;
            fate.cut = dice.one_in(2).then(|| dice.millis(10, 5_000));
        }
        if let Some(mut dice) = self.befalls(Group::LostAnswers, "an answer is lost", if writes { 160 } else { 40 }) {
            fate.answered = false;
            // The caller hangs up, perhaps before it is carried out.
            fate.cut = dice.one_in(2).then(|| dice.millis(10, 5_000));
        }
        let gives_up = fate.cut.unwrap_or(timeout);
        if writes && let Some(mut dice) = self.befalls(Group::Tail, "a write is carried out late", 90) {
            // Without a fence in SAP B1 no later than two settle delays after the caller gave up: that is what is promised.
            // A fence refuses a second document whenever it comes, but not a late first one of an order that has ended meanwhile (of two
            // stores with one number, one is cancelled).
            let ends = [Group::Cancels, Group::Unmappable, Group::TwoStores]
                .iter()
                .any(|group| self.chance().schedule().has(*group));
            let longest = 60 << dice.pick(6);
            let any_time = self.fenced() && !ends;
            let late = if any_time { dice.seconds(60, longest) } else { gives_up + dice.seconds(0, 115) };
            fate.carried_out = Some(late);
        }
        fate
    }

    /// What a peer answers that is too busy.
    fn busy(&self) -> Option<Answered> {
        self.wires.within(Group::Storm, self.peer)?;
        let mut dice = self.chance().dice("storm", self.peer.place());
        let mut headers = HeaderMap::new();
        if dice.one_in(2) {
            headers.insert("retry-after", (1 + dice.pick(20)).into());
        }
        let status = if dice.one_in(2) { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
        (!dice.one_in(4)).then(|| Answered { status, headers, body: axum::body::Bytes::new() })
    }
}

#[async_trait]
impl Transport for Link {
    async fn exchange(&self, request: Carried) -> Result<Answered, Broken> {
        let writes = self.peer == Peer::B1 && writes(&request);
        let timeout = request.timeout;
        // Between the look at the clock and the first byte nothing but a fence in SAP B1 helps against a longer stop.
        let longest = if writes && !self.fenced() { Duration::from_secs(2) } else { ANY };
        // Where another task of the process has stopped it already, this one cannot have come so far: it would have looked later.
        if writes && self.process.stopped_for() > longest {
            self.process.gate("before a write is sent", longest).await;
            return Err(Broken::Connect(None));
        }
        self.process.gate(if writes { "before a write is sent" } else { "before a request is sent" }, longest).await;
        if self.wires.within(Group::Outage, self.peer).is_some() {
            tokio::time::sleep(Duration::from_millis(200)).await;
            return Err(Broken::Connect(None));
        }
        if let Some(answer) = self.busy() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            return Ok(answer);
        }
        let Fate { carried_out, cut, answered } = self.fate(writes, timeout);
        if writes {
            self.process.tell("sends a write");
        }
        let (answer, came) = oneshot::channel();
        let answer = Arc::new(Mutex::new(Some(answer)));
        if let Some(after) = carried_out {
            let (wires, peer, name) = (self.wires.clone(), self.peer, self.process.name.clone());
            let answer = answer.clone();
            self.wires.on_the_way.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                if let Some(until) = wires.stalls(peer, writes) {
                    // What was held up is done in any order.
                    let catching_up =
                        wires.chance.dice("catching up", 0).millis(0, if writes { 20_000 } else { 2_000 });
                    tokio::time::sleep_until(until + catching_up).await;
                }
                let done = wires.ask(peer, request).await;
                wires.on_the_way.fetch_sub(1, Ordering::Relaxed);
                if writes {
                    wires.story.tell(peer, format!("has carried out a write of {name}"));
                    (wires.after_write)();
                }
                let answer = if answered { answer.lock().unwrap().take() } else { None };
                if let Some(answer) = answer {
                    // Nobody may wait any more.
                    let _ = answer.send(done);
                }
            });
        }
        if writes {
            self.process.killed_while_it_waits().await;
        }
        // The sender is kept, so that what never comes is waited for.
        let kept = answer;
        let patience = cut.unwrap_or(timeout).min(timeout);
        let came = tokio::time::timeout(patience, came).await;
        drop(kept);
        let result = match came {
            Ok(Ok(answer)) => answer,
            _ if cut.is_some() => Err(Broken::Cut(None)),
            _ => Err(Broken::Timeout(None)),
        };
        self.process.gate("after an answer", ANY).await;
        result
    }
}
