//! Whom a failure is about: the side, or one entity. In virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::engine::{Applied, EngineSettings, Target};
use datawald_core::model::TxStatus;
use datawald_core::store::Claimed;
use datawald_core::{Concern, Cx, Disposition, Effect, Error, ErrorKind};

use super::bench::*;
use super::sides::{Answers, Rows, applied, flow};

#[tokio::test(start_paused = true)]
async fn what_concerns_one_entity_counts_against_that_one_alone() {
    let bench = Bench::new();
    let answers = Answers::new(|_, claimed, _| match claimed.key.id.as_str() {
        "00007" => Err(Error::new(ErrorKind::Refused, Disposition::Retryable { after: None }, "insert", "is locked")),
        id => applied(id),
    });
    let erp = Erp::new(answers.clone());
    let engine = bench.engine(Rows::many(40), erp.clone());
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    assert!(bench.until_done(39).await < Duration::from_secs(5));
    assert_eq!(engine.pauses().await.unwrap(), []);
    // In an outage none of its attempts is used up either.
    erp.say(Some(away()));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(bench.entity("00007").await.status, TxStatus::New);
    erp.say(None);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let failed = bench.entity("00007").await;
    assert_eq!(failed.status, TxStatus::Failed);
    assert!(failed.note.starts_with("gave up after 8 attempts: is locked"), "{}", failed.note);
    assert_eq!(answers.calls("00007"), 8);
    assert_eq!(engine.pauses().await.unwrap(), []);
    workers.stop().await.unwrap();
}

/// The store's clock goes on by a quarter of a lease at most for each look at it.
#[tokio::test(start_paused = true)]
async fn a_short_lease_has_nothing_wait_for_longer() {
    let bench = Bench::new();
    let answers = Answers::new(|_, claimed, attempt| match attempt {
        1..=5 => Err(Error::new(ErrorKind::Refused, Disposition::Retryable { after: None }, "insert", "is locked")),
        _ => applied(&claimed.key.id),
    });
    let settings = EngineSettings { lease_ms: 2_000, ..EngineSettings::default() };
    let engine = bench.engine_with(settings, Rows::many(1), Erp::new(answers));
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    // The waits after five attempts are 31 s.
    let took = bench.until_done(1).await;
    assert!(took > Duration::from_secs(31) && took < Duration::from_secs(40), "{took:?}");
    workers.stop().await.unwrap();
}

/// A side that answers 500, but only where one order is among those that are asked for.
struct Poisoned(Erp);

#[async_trait]
impl Target for Poisoned {
    async fn apply(&self, cx: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        let results = self.0.apply(cx, batch).await;
        if batch.iter().all(|claimed| claimed.key.id != "00007") {
            return results;
        }
        let broken = Error::unknown_outcome(ErrorKind::Busy, Effect::Read, "look up orders", "failed with HTTP 500");
        batch.iter().map(|_| Err(broken.clone().about(Concern::Unclear)).into()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn one_entity_over_which_the_side_breaks_stops_nobody_else() {
    let bench = Bench::new();
    let rows = Rows::many(40);
    let engine = bench.engine(rows.clone(), Poisoned(Erp::good()));
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    let took = bench.until_done(39).await;
    assert!(took < Duration::from_secs(60), "{took:?}");
    // There is always another one that shows that the side is well.
    for number in 40..100 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        rows.put(&format!("{number:05}"), number, "content");
        engine.pull(&flow()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.count(TxStatus::Success).await, 99);
    // What its own attempts come to says whom they count against.
    let poisoned = bench.entity("00007").await;
    assert!(poisoned.note.contains("failed with HTTP 500"), "{}", poisoned.note);
    workers.stop().await.unwrap();
}

/// Nobody can tell whose fault it is while there is no other: it does not end, and the pause says whom to look at.
#[tokio::test(start_paused = true)]
async fn the_only_entity_over_which_the_side_breaks_is_named_and_does_not_fail() {
    let bench = Bench::new();
    let rows = Rows::default();
    rows.put("00007", 7, "content");
    let engine = bench.engine(rows.clone(), Poisoned(Erp::good()));
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(1_200)).await;
        let poisoned = bench.entity("00007").await;
        assert_eq!((poisoned.status, poisoned.attempts), (TxStatus::New, 0), "{}", poisoned.note);
        let [pause] = &engine.pauses().await.unwrap()[..] else { panic!("one pause") };
        assert_eq!(
            pause.reason, "failed with HTTP 500 (asked for 00007 alone, so it may be that one's fault)",
            "{}",
            pause.probes
        );
    }
    // Others show that the side is well, and it ends by its attempts.
    for number in 100..140 {
        rows.put(&format!("{number:05}"), number, "content");
        engine.pull(&flow()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(bench.count(TxStatus::Success).await, 40);
    let poisoned = bench.entity("00007").await;
    assert!(
        poisoned.attempts > 0 && poisoned.note.contains("failed with HTTP 500"),
        "{} {}",
        poisoned.attempts,
        poisoned.note
    );
    workers.stop().await.unwrap();
}

/// Configuration that one order alone needs: the others are told from it by the answer that they got.
#[tokio::test(start_paused = true)]
async fn a_mistake_that_only_one_entity_meets_does_not_stop_the_flow() {
    let bench = Bench::new();
    let answers = Answers::new(|_, claimed, _| match claimed.key.id.as_str() {
        "00007" => Err(Error::config("translate order", "SAP B1 RESTful cannot carry this field").field("U_Channel")),
        id => applied(id),
    });
    let engine = bench.engine(Rows::many(40), Erp::new(answers));
    let report = engine.run_once(&flow()).await.unwrap();
    assert_eq!((report.counts.success, report.counts.failed), (39, 1));
    assert!(bench.entity("00007").await.note.contains("U_Channel: SAP B1 RESTful cannot carry this field"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_came_through_in_part_ends_no_entity_wrongly() {
    let bench = Bench::new();
    let away = Arc::new(AtomicBool::new(true));
    let answers = {
        let away = away.clone();
        Answers::new(move |_, claimed, _| {
            let busy = away.load(Ordering::SeqCst) && claimed.key.id.as_str() > "00004";
            let after = Some(Duration::from_secs(90));
            let busy =
                busy.then(|| Error::new(ErrorKind::Busy, Disposition::Retryable { after }, "insert", "HTTP 503"));
            busy.map_or_else(|| applied(&claimed.key.id), Err)
        })
    };
    let erp = Erp::new(answers);
    let engine = bench.engine(Rows::many(10), erp.clone());
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(80)).await;
    assert_eq!((bench.count(TxStatus::Success).await, bench.count(TxStatus::New).await), (5, 5));
    assert_eq!(erp.look().0, [10], "the wait that was asked for is kept");
    away.store(false, Ordering::SeqCst);
    assert!(bench.until_done(10).await < Duration::from_secs(20));
    assert!(bench.all().await.iter().all(|entity| entity.attempts == 1));
    workers.stop().await.unwrap();
}
