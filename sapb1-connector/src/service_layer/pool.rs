//! The sessions: never more than the licences, one call at a time on each, renewed before they end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use datawald_core::http::Http;
use datawald_core::{Cx, Disposition, Error, ErrorKind, Result};
use jiff::Timestamp;
use tokio::sync::Notify;
use tracing::Instrument;

use super::ServiceLayerSettings;
use super::door::Door;
use super::lost::Lost;
use super::pace::Pace;
use super::session::{NoSession, Session, log_in, log_out};
use super::turn::Turn;

/// How long a session lives that nobody uses, where nothing else is known: SAP's default.
const USUAL_LIFE: Duration = Duration::from_secs(30 * 60);

/// How long closing waits for a call that runs.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// The sessions of a client.
pub(super) struct Pool {
    http: Http,
    settings: Arc<ServiceLayerSettings>,
    state: Mutex<State>,
    changed: Notify,
    /// Calls that were answered on any session.
    answered: AtomicU64,
}

struct State {
    idle: Vec<Session>,
    /// Calls that run, each on a session that is not among the idle ones.
    working: usize,
    /// Sessions that are being begun.
    opening: usize,
    pace: Pace,
    door: Door,
    lost: Lost,
    /// How long a session lives that nobody uses, as the server said last.
    life: Duration,
    /// The most sessions that there were at the same time.
    most: usize,
    closed: bool,
}

/// What there is for whoever wants to call.
enum Next {
    Session(Session, u64),
    /// Room for a session that is yet to begin, in the place of an old one perhaps.
    Room(Option<Session>),
    Wait,
    /// No session may be asked for, and there is none to wait for.
    Refused(Error),
    Closed,
}

impl State {
    /// Takes the idle session out that came back last of those that are `wanted`.
    fn take(&mut self, wanted: impl Fn(&Session) -> bool) -> Option<Session> {
        let place = self.idle.iter().rposition(wanted)?;
        // There is one at this place.
        Some(self.idle.remove(place))
    }

    fn call_on(&mut self, session: Session) -> Next {
        self.working += 1;
        Next::Session(session, self.pace.age())
    }

    /// Whether a session is known to be good yet.
    fn is_alive(&self, now: Timestamp) -> bool {
        self.working > 0 || self.idle.iter().any(|session| !session.is_over(now))
    }
}

impl Pool {
    pub(super) fn new(http: Http, settings: Arc<ServiceLayerSettings>) -> Arc<Self> {
        let state = State {
            idle: Vec::new(),
            working: 0,
            opening: 0,
            pace: Pace::new(settings.sessions, settings.adaptive),
            door: Door::default(),
            lost: Lost::default(),
            life: USUAL_LIFE,
            most: 0,
            closed: false,
        };
        Arc::new(Self { http, settings, state: Mutex::new(state), changed: Notify::new(), answered: AtomicU64::new(0) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing within panics; and if it did, each change leaves a state that holds.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls were answered on any session.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn count_answer(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls may run now.
    pub(super) fn limit(&self) -> usize {
        self.state().pace.limit()
    }

    /// The most sessions that there were at the same time.
    pub(super) fn most(&self) -> usize {
        self.state().most
    }

    /// Tells the pace what became of a call.
    pub(super) fn pace(&self, tell: impl FnOnce(&mut Pace)) {
        tell(&mut self.state().pace);
    }

    /// A call is over; its session may be too.
    pub(super) fn put_back(&self, session: Option<Session>) {
        let mut state = self.state();
        state.working -= 1;
        state.idle.extend(session);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits for a turn; begins a session if there is room for one.
    pub(super) async fn turn<'a>(self: &'a Arc<Self>, cx: &'a Cx) -> Result<Turn<'a>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.next(cx.steady()) {
                Next::Session(session, age) => return Ok(Turn::new(self, cx, session, age)),
                Next::Room(old) => self.open(cx, old).await?,
                Next::Wait => changed.await,
                Next::Refused(error) => return Err(error),
                Next::Closed => {
                    let message = "the connection is closed, since the process ends";
                    let retry = Disposition::Retryable { after: None };
                    return Err(Error::new(ErrorKind::Stopped, retry, "call the Service Layer", message));
                }
            }
        }
    }

    fn next(&self, now: Timestamp) -> Next {
        let mut state = self.state();
        if state.closed {
            return Next::Closed;
        }
        if state.working + state.opening >= state.pace.limit() {
            return Next::Wait;
        }
        if let Some(session) = state.take(|session| !session.is_old(now)) {
            return state.call_on(session);
        }
        let alive = state.is_alive(now);
        // Credentials that may have been changed are tried by one, whoever else wants a session.
        let unsure = state.opening > 0 && !(alive && state.door.is_sure(now));
        let shut = unsure || !state.door.is_open(now, alive);
        if shut || state.door.is_doubtful() {
            // It is worth more than the one that might not be given in its place.
            if let Some(old) = state.take(|session| !session.is_over(now)) {
                return state.call_on(old);
            }
        }
        if shut {
            return match state.door.refusal(now) {
                Some(error) if !alive && state.opening == 0 => Next::Refused(error),
                // For a call or a log-in that runs.
                _ => Next::Wait,
            };
        }
        if let Some(old) = state.idle.pop() {
            state.opening += 1;
            return Next::Room(Some(old));
        }
        // Each call that runs has a session, and none is idle.
        let others = state.working + state.opening;
        let full = others + state.lost.count(now) >= self.settings.sessions;
        if full && others > 0 {
            return Next::Wait;
        }
        if full {
            return Next::Refused(state.lost.refusal(now, self.settings.sessions));
        }
        state.opening += 1;
        state.most = state.most.max(state.working + state.opening);
        Next::Room(None)
    }

    /// Begins a session and puts it among the idle ones. In a task of its own, so that a caller who gives up does not leave
    /// a session behind that nobody knows.
    async fn open(self: &Arc<Self>, cx: &Cx, old: Option<Session>) -> Result<()> {
        let (pool, cx) = (self.clone(), cx.clone());
        let opening = async move {
            // Its licence is free before the next is asked for.
            if let Some(old) = old
                && log_out(&pool.http, &pool.settings, &old).await.is_err()
                && !old.is_over(cx.steady())
            {
                pool.keep(cx.steady(), old);
                return Ok(());
            }
            let opened = log_in(&pool.http, &pool.settings, &cx).await;
            pool.opened(cx.steady(), opened)
        };
        match tokio::spawn(opening.in_current_span()).await {
            Ok(opened) => opened,
            Err(_) => {
                self.state().opening -= 1;
                self.changed.notify_waiters();
                Err(Error::config("log in to the Service Layer", "was broken off, since the process ends"))
            }
        }
    }

    /// Takes an old session back that could not be ended: one in its place might be one too many.
    fn keep(&self, now: Timestamp, mut old: Session) {
        old.keep(now);
        let mut state = self.state();
        state.opening -= 1;
        state.idle.push(old);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Takes a new session in. That none is given is no failure while there are others to wait for, or are to be.
    fn opened(&self, now: Timestamp, opened: Result<Session, NoSession>) -> Result<()> {
        let mut state = self.state();
        state.opening -= 1;
        let alive = state.is_alive(now);
        let others = alive || state.opening > 0;
        let result = match opened {
            Ok(session) => {
                state.life = session.life();
                state.idle.push(session);
                state.door.opened(now);
                Ok(())
            }
            Err(NoSession::Refused { problem, licence }) => {
                let door = &mut state.door;
                let refuse = if licence { Door::no_licence } else { Door::refused };
                let error = refuse(door, now, alive, &problem);
                if others { Ok(()) } else { Err(error) }
            }
            Err(NoSession::Failed(error)) if error.kind() == ErrorKind::Busy && others => {
                state.door.busy(now);
                Ok(())
            }
            Err(NoSession::Failed(error)) => Err(error),
            Err(NoSession::Lost(error)) => {
                let life = state.life;
                state.lost.add(now, life, &error);
                Err(error)
            }
        };
        drop(state);
        self.changed.notify_waiters();
        result
    }

    /// Takes no calls any more, and ends the sessions, each as soon as nobody uses it.
    pub(super) async fn close(&self) {
        self.state().closed = true;
        self.changed.notify_waiters();
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let (idle, busy) = {
                let mut state = self.state();
                (std::mem::take(&mut state.idle), state.working + state.opening)
            };
            for session in idle {
                if let Err(error) = log_out(&self.http, &self.settings, &session).await {
                    tracing::warn!(%error, "a session of the Service Layer was not ended; it ends by its time-out");
                }
            }
            if busy == 0 || tokio::time::timeout(CLOSE_WAIT, changed).await.is_err() {
                return;
            }
        }
    }
}
