//! Carrying out a call of whoever has a session, and losing what is to be lost of it.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use tokio::time::Instant;

use super::answer::Answer;
use super::batch;
use super::call::Call;
use super::envelope::{self, Piece};
use super::faults::Faults;
use super::run::run;
use super::state::{State, Work};
use crate::sandbox::damage::{hits, take_chance};
use crate::sandbox::listener::Cutter;

/// What is left of the time that a call takes that began at `began` and wrote so many orders.
pub(super) async fn rest(faults: &Faults, began: Instant, orders: u64) {
    let latency = Duration::from_millis(faults.latency_ms);
    let writing = Duration::from_millis(faults.order_ms.saturating_mul(orders));
    tokio::time::sleep_until(began + latency + writing).await;
}

pub(super) async fn pause(millis: u64) {
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

/// Waits in front of a company that does not go on.
async fn stand(state: &State, faults: &Faults, writes: bool) {
    if writes {
        state.stall.write(faults.stall_every, faults.stall_ms).await;
    } else {
        state.stall.read(faults.stall_reads).await;
    }
}

pub(super) async fn single(
    state: &Arc<State>,
    cutter: &Cutter,
    faults: &Arc<Faults>,
    call: Call,
    began: Instant,
) -> Answer {
    let work = |state: &State, faults: &Faults, call: &Call| {
        let mut store = state.store();
        let mut work = Work::new(state, &mut store, faults);
        let answer = run(&mut work, call);
        (answer, work.orders)
    };
    if call.method != Method::GET {
        state.store().counters.writes += 1;
    }
    let writes = call.writes();
    stand(state, faults, writes).await;
    let mut chance = 0;
    if writes {
        chance = take_chance(&state.chances.writes);
        if hits(faults.slow_commit_every, chance) {
            cutter.cut();
            let (state, faults) = (state.clone(), faults.clone());
            tokio::spawn(async move {
                pause(faults.slow_commit_ms).await;
                // Nobody is left to be answered.
                let _ = work(&state, &faults, &call);
            });
            return Answer::no_content();
        }
    }
    let (answer, orders) = work(state, faults, &call);
    rest(faults, began, orders).await;
    if writes && hits(faults.drop_after_commit_every, chance) {
        cutter.cut();
    }
    answer
}

pub(super) async fn batched(
    state: &Arc<State>,
    cutter: &Cutter,
    faults: &Arc<Faults>,
    call: &Call,
    began: Instant,
) -> Answer {
    let version = call.version;
    {
        let mut store = state.store();
        store.counters.writes += 1;
        store.counters.batches += 1;
    }
    let kind = call.header("content-type").unwrap_or_default();
    let pieces: Vec<Piece> = match envelope::read(kind, &call.body, version) {
        Ok(pieces) => pieces,
        Err(refusal) => return Answer::refusal(version, &refusal),
    };
    let spared = faults.only_orders && !pieces.iter().any(Piece::writes_orders);
    stand(state, faults, !spared && pieces.iter().any(Piece::writes)).await;
    let chance = if spared { None } else { Some(take_chance(&state.chances.batches)) };
    let befallen = |every: u64| chance.is_some_and(|chance| hits(every, chance));
    if befallen(faults.slow_commit_every) {
        cutter.cut();
        let (state, faults) = (state.clone(), faults.clone());
        tokio::spawn(async move {
            pause(faults.slow_commit_ms).await;
            // Nobody is left to be answered.
            let _ = batch::carry_out(&state, &faults, version, &pieces, usize::MAX);
        });
        return Answer::no_content();
    }
    let drops = befallen(faults.drop_batch_after_commit_every);
    let most = match faults.drop_batch_after_parts {
        0 => usize::MAX,
        most if drops => most,
        _ => usize::MAX,
    };
    let done = batch::carry_out(state, faults, version, &pieces, most);
    rest(faults, began, done.orders).await;
    if drops {
        cutter.cut();
    }
    done.answer
}
