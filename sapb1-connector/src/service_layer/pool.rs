//! The sessions: never more than the licences, one call at a time on each, renewed before they end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use datawald_core::clock::later;
use datawald_core::http::Http;
use datawald_core::{Cx, Disposition, Error, ErrorKind, Result};
use jiff::Timestamp;
use tokio::sync::Notify;
use tracing::Instrument;

use super::ServiceLayerSettings;
use super::pace::{Kind, Pace};
use super::session::{Session, log_in, log_out};

/// For how long no further session is asked for, once one was refused.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// For how long credentials that were refused are not tried again: each time could lock the user.
const WRONG_FOR: Duration = Duration::from_secs(30);

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
}

struct State {
    idle: Vec<Session>,
    /// Calls that run, each on a session that is not among the idle ones.
    working: usize,
    /// Sessions that are being begun.
    opening: usize,
    pace: Pace,
    refused_until: Option<Timestamp>,
    /// The credentials were refused: whoever wants a session until then is told the same, and the server is not asked.
    wrong_until: Option<(Timestamp, Error)>,
    /// Until when sessions live that may have begun, but whose cookies did not come: they hold licences, and nobody can end
    /// them.
    lost_until: Vec<Timestamp>,
    /// How long a session lives that nobody uses, as the server said last.
    life: Duration,
    /// Whether the credentials have been good for a session.
    worked: bool,
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
    /// The credentials are wrong.
    Wrong(Error),
    Closed,
}

/// A call's turn: a session that nobody else uses meanwhile. It goes back when this is dropped.
pub(super) struct Turn<'a> {
    pool: &'a Pool,
    session: Option<Session>,
    age: u64,
    began: Instant,
}

impl Pool {
    pub(super) fn new(http: Http, settings: Arc<ServiceLayerSettings>) -> Arc<Self> {
        let state = State {
            idle: Vec::new(),
            working: 0,
            opening: 0,
            pace: Pace::new(settings.sessions, settings.adaptive),
            refused_until: None,
            wrong_until: None,
            lost_until: Vec::new(),
            life: USUAL_LIFE,
            worked: false,
            most: 0,
            closed: false,
        };
        Arc::new(Self { http, settings, state: Mutex::new(state), changed: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing within panics; and if it did, each change leaves a state that holds.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls may run now.
    pub(super) fn limit(&self) -> usize {
        self.state().pace.limit()
    }

    /// The most sessions that there were at the same time.
    pub(super) fn most(&self) -> usize {
        self.state().most
    }

    /// Waits for a turn; begins a session if there is room for one.
    pub(super) async fn turn(self: &Arc<Self>, cx: &Cx) -> Result<Turn<'_>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.next(cx.now()) {
                Next::Session(session, age) => {
                    return Ok(Turn { pool: self, session: Some(session), age, began: Instant::now() });
                }
                Next::Room(old) => self.open(cx.now(), old).await?,
                Next::Wait => changed.await,
                Next::Wrong(error) => return Err(error),
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
        match state.idle.pop() {
            Some(session) if !session.is_old(now) => {
                state.working += 1;
                Next::Session(session, state.pace.age())
            }
            Some(old) => {
                state.opening += 1;
                Next::Room(Some(old))
            }
            // Each call that runs has a session, so there are fewer than the licences.
            None => {
                if let Some((_, error)) = state.wrong_until.as_ref().filter(|(until, _)| now < *until) {
                    return Next::Wrong(error.clone());
                }
                // Until it is known that the credentials hold, they are tried once, whoever else wants a session.
                if !state.worked && state.opening > 0 {
                    return Next::Wait;
                }
                let refused = state.refused_until.is_some_and(|until| now < until);
                state.lost_until.retain(|until| now < *until);
                let others = state.working + state.opening;
                // One there must be, or nothing would go on until the lost ones are over.
                let full = others + state.lost_until.len() >= self.settings.sessions;
                if (refused || full) && others > 0 {
                    return Next::Wait;
                }
                state.opening += 1;
                state.most = state.most.max(state.working + state.opening);
                Next::Room(None)
            }
        }
    }

    /// Begins a session and puts it among the idle ones. In a task of its own, so that a caller who gives up does not leave
    /// a session behind that nobody knows.
    async fn open(self: &Arc<Self>, now: Timestamp, old: Option<Session>) -> Result<()> {
        let pool = self.clone();
        let worked = self.state().worked;
        let opening = async move {
            if let Some(old) = old {
                // Its licence is free before the next is asked for; if this fails, it is over in a while.
                let _ = log_out(&pool.http, &pool.settings, &old).await;
            }
            let opened = log_in(&pool.http, &pool.settings, now, worked).await;
            pool.opened(now, opened)
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

    /// Takes a new session in. That none is given is no failure while there are others to wait for, or are to be.
    fn opened(&self, now: Timestamp, opened: Result<Session>) -> Result<()> {
        let mut state = self.state();
        state.opening -= 1;
        let result = match opened {
            Ok(session) => {
                state.life = session.life();
                state.idle.push(session);
                state.refused_until = None;
                state.wrong_until = None;
                state.worked = true;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Busy && error.code_text().is_some() => {
                state.refused_until = Some(later(now, REFUSED_FOR));
                let others = state.working + state.opening + state.idle.len();
                if others > 0 { Ok(()) } else { Err(error) }
            }
            Err(error) => {
                if error.kind() == ErrorKind::Unauthorized {
                    state.wrong_until = Some((later(now, WRONG_FOR), error.clone()));
                }
                if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Protocol | ErrorKind::TooLarge) {
                    let until = later(now, state.life);
                    state.lost_until.push(until);
                }
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

impl Turn<'_> {
    /// The value of the header `Cookie`.
    pub(super) fn cookies(&self) -> &str {
        self.session.as_ref().map_or("", Session::cookies)
    }

    /// The session.
    pub(super) fn session(&mut self) -> Option<&mut Session> {
        self.session.as_mut()
    }

    /// The call was answered.
    pub(super) fn answered(&mut self, kind: Kind) {
        if let Some(session) = &mut self.session {
            session.proven = true;
        }
        self.pool.state().pace.answered(self.age, kind, self.began.elapsed());
    }

    /// The call was refused because the server has too much to do, or was not answered in time.
    pub(super) fn overloaded(&self) {
        self.pool.state().pace.overloaded(self.age);
    }

    /// The server does not know the session any more. Answers whether it was a new one, on which nothing was answered yet.
    pub(super) fn over(mut self) -> bool {
        self.session.take().is_some_and(|session| !session.proven)
    }

    /// The session was used at `now`.
    pub(super) fn used(&mut self, now: Timestamp) {
        if let Some(session) = &mut self.session {
            session.used_at = now;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.working -= 1;
        state.idle.extend(self.session.take());
        drop(state);
        self.pool.changed.notify_waiters();
    }
}
