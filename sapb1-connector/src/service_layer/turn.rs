//! A call's turn: a session that nobody else uses meanwhile.

use datawald_core::Cx;
use jiff::Timestamp;
use tokio::time::Instant;

use super::pace::Kind;
use super::pool::Pool;
use super::session::Session;

/// A call's turn. Its session goes back when this is dropped.
pub(super) struct Turn<'a> {
    pool: &'a Pool,
    cx: &'a Cx,
    session: Option<Session>,
    /// The pace's age when it began.
    age: u64,
    began: Instant,
}

impl<'a> Turn<'a> {
    pub(super) fn new(pool: &'a Pool, cx: &'a Cx, session: Session, age: u64) -> Self {
        Self { pool, cx, session: Some(session), age, began: Instant::now() }
    }

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
        let took = self.began.elapsed();
        self.pool.count_answer();
        self.pool.pace(|pace| pace.answered(self.age, kind, took));
    }

    /// The call was refused because the server has too much to do, or was not answered in time.
    pub(super) fn overloaded(&self) {
        self.pool.pace(|pace| pace.overloaded(self.age));
    }

    /// The server does not know the session any more. Answers whether it was a new one, on which nothing was answered yet.
    pub(super) fn over(mut self) -> bool {
        self.session.take().is_some_and(|session| !session.proven)
    }

    /// The session was used at `now`.
    pub(super) fn used(&mut self, now: Timestamp) {
        if let Some(session) = &mut self.session {
            session.used(now);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut session = self.session.take();
        if let Some(session) = &mut session {
            // Whatever came of the call, it may have let the session live on.
            session.seen_at = self.cx.steady();
        }
        self.pool.put_back(session);
    }
}
