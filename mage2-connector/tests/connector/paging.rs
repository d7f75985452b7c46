//! Paging while orders change: none is missed, none that stays as it is comes twice.

use std::collections::{BTreeMap, HashMap};

use datawald_core::engine::FetchQuery;
use datawald_core::model::Cut;
use datawald_core::{Disposition, ErrorKind};
use datawald_frontend::RawPage;
use jiff::{SignedDuration, Timestamp};
use mage2_connector::sandbox::{Faults, LateCommit, OrderSet, Sandbox};
use mage2_connector::{Mage2Client, format_time, parse_time};
use serde::Deserialize;
use serde_json::{Map, json};

use crate::common::*;

const START: &str = "2026-01-31T10:00:00Z";

#[derive(Deserialize, Clone)]
struct Seen {
    entity_id: u64,
    rev: u64,
    updated_at: String,
}

fn put(sandbox: &Sandbox, id: u64, updated: Timestamp) {
    let order =
        json!({"entity_id": id, "increment_id": format!("{id:09}"), "rev": 0, "updated_at": format_time(updated)});
    sandbox.put_order(order.to_string()).unwrap();
}

fn at(second: u64) -> Timestamp {
    START.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second as i64)
}

fn seen(page: &RawPage) -> Vec<Seen> {
    page.docs.iter().map(|doc| doc.read().unwrap()).collect()
}

/// Pulls to the end; `between` is called after each page with how far the pull has come.
async fn pull(
    client: &Mage2Client,
    from: Option<Timestamp>,
    page_size: usize,
    mut between: impl FnMut(Option<Cut>),
) -> (Vec<Seen>, Option<Cut>, usize) {
    let (mut all, mut reached, mut pages, mut after) = (Vec::new(), None::<Cut>, 0, None);
    loop {
        let page = client.orders_page(&FetchQuery { from, after, page_size }).await.unwrap();
        pages += 1;
        assert!(pages < 1000, "the pull does not end");
        assert!(page.docs.len() <= page_size);
        if let Some(cut) = page.reached {
            assert!(reached.is_none_or(|before| before.cut_dt <= cut.cut_dt), "the cut goes back");
            reached = Some(cut);
        }
        all.extend(seen(&page));
        after = page.next;
        if after.is_none() {
            return (all, reached, pages);
        }
        between(reached);
    }
}

/// What happened to an order while it was pulled.
#[derive(Default)]
struct Fate {
    changed: bool,
    /// The last version, and whether its time was after all that had been read when it was saved.
    rev: u64,
    ahead: bool,
}

async fn schedule(seed: u64) {
    let mut dice = Dice::new(seed);
    let sandbox = sandbox(OrderSet::Empty).await;
    let client = client(&sandbox);
    let count = dice.roll(40);
    // Few seconds for many orders: some seconds hold more of them than a page.
    let seconds = 1 + dice.roll(8);
    let page_size = 1 + dice.roll(7) as usize;
    let from = (dice.roll(3) > 0).then(|| at(dice.roll(seconds)));
    let mut fates: BTreeMap<u64, Fate> = BTreeMap::new();
    for id in 1..=count {
        // Ids do not grow with time.
        let id = id * 7919 % 1009;
        let time = at(dice.roll(seconds));
        put(&sandbox, id, time);
        if from.is_none_or(|from| time >= from) {
            fates.insert(id, Fate { ahead: true, ..Fate::default() });
        }
    }
    let mut now = at(seconds);
    let mut fresh = 2000;
    let busy = dice.roll(4);
    let (all, reached, pages) = pull(&client, from, page_size, |reached| {
        for _ in 0..dice.roll(busy + 1) {
            now += SignedDuration::from_secs(dice.roll(2) as i64);
            sandbox.set_now(Some(now));
            let ahead = reached.is_none_or(|cut| cut.cut_dt < now);
            let ids: Vec<u64> = fates.keys().copied().collect();
            // The shop does not sell for ever, so that a pull comes to its end.
            if fresh >= 2030 {
                return;
            }
            fresh += 1;
            if ids.is_empty() || dice.roll(3) == 0 {
                put(&sandbox, fresh, now);
                fates.insert(fresh, Fate { changed: true, rev: 0, ahead });
            } else {
                let id = ids[dice.roll(ids.len() as u64) as usize];
                let fate = fates.get_mut(&id).unwrap();
                *fate = Fate { changed: true, rev: fate.rev + 1, ahead };
                let mut changes = Map::new();
                changes.insert("rev".to_owned(), json!(fate.rev));
                sandbox.edit_order(id, changes).unwrap();
            }
        }
    })
    .await;

    let mut times: HashMap<u64, Vec<&Seen>> = HashMap::new();
    for one in &all {
        times.entry(one.entity_id).or_default().push(one);
    }
    for (id, fate) in &fates {
        let seen = times.get(id).map_or(0, Vec::len);
        if !fate.changed {
            assert_eq!(seen, 1, "seed {seed}: order {id}, which did not change, was seen {seen} times");
        } else if fate.ahead {
            assert!(
                times.get(id).is_some_and(|all| all.iter().any(|one| one.rev == fate.rev)),
                "seed {seed}: version {} of order {id} was missed",
                fate.rev
            );
        }
    }
    for one in &all {
        let time = parse_time(&one.updated_at).unwrap();
        assert!(from.is_none_or(|from| time >= from), "seed {seed}: order {} is older than asked for", one.entity_id);
        assert!(fates.contains_key(&one.entity_id));
    }
    if let Some(cut) = reached {
        let last = all.iter().filter_map(|one| parse_time(&one.updated_at)).max().unwrap();
        assert_eq!(cut.cut_dt, last, "seed {seed}");
        let ties = all.iter().filter(|one| parse_time(&one.updated_at) == Some(last)).count() as u64;
        assert_eq!(cut.offset, ties, "seed {seed}");
    } else {
        assert!(all.is_empty(), "seed {seed}");
    }
    assert_eq!(sandbox.counters().requests, pages as u64);
    assert!(pages <= 2 * all.len() + 10, "seed {seed}: {pages} requests for {} orders", all.len());
    sandbox.stop().await;
}

#[tokio::test]
async fn nothing_is_missed_or_repeated_under_300_schedules() {
    for seed in 0..300 {
        schedule(seed).await;
    }
}

#[tokio::test]
async fn one_second_with_more_orders_than_a_page() {
    let sandbox = sandbox(OrderSet::Empty).await;
    let client = client(&sandbox);
    for id in 1..=25 {
        put(&sandbox, id, at(5));
    }
    put(&sandbox, 30, at(6));
    let (all, reached, _) = pull(&client, Some(at(5)), 4, |_| {}).await;
    let ids: Vec<u64> = all.iter().map(|one| one.entity_id).collect();
    assert_eq!(ids, (1..=25).chain([30]).collect::<Vec<_>>());
    assert_eq!(reached, Some(Cut { cut_dt: at(6), offset: 1 }));
}

#[tokio::test]
async fn synthetic_orders_are_paged_completely() {
    let sandbox = sandbox(OrderSet::Synthetic(1000)).await;
    sandbox.set_now(Some(at(0)));
    let client = client(&sandbox);
    for size in [1000, 100, 33] {
        let mut query = all(size);
        query.page_size = size;
        let mut ids = Vec::new();
        loop {
            let page = client.orders_page(&query).await.unwrap();
            assert_eq!(page.source_now, Some(at(0)));
            for doc in &page.docs {
                let head: serde_json::Value = doc.read().unwrap();
                ids.push(head["entity_id"].as_u64().unwrap());
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        assert_eq!(ids, (1..=1000).collect::<Vec<u64>>(), "page size {size}");
    }
}

#[tokio::test]
async fn documents_come_exactly_as_they_are() {
    let sandbox = sandbox(OrderSet::Empty).await;
    let text = "{ \"entity_id\" : 1,\n \"price\": 1.10e1, \"updated_at\":\"2026-01-31 10:00:00\", \"x\":\"\\u00e9\" }";
    sandbox.put_order(text).unwrap();
    let page = client(&sandbox).orders_page(&all(10)).await.unwrap();
    assert_eq!(page.docs[0].text(), text);
    assert!(page.next.is_none());
}

#[tokio::test]
async fn fractions_of_a_second_do_not_hide_an_order() {
    let sandbox = sandbox(OrderSet::Empty).await;
    put(&sandbox, 1, at(0));
    let from: Timestamp = "2026-01-31T10:00:00.9Z".parse().unwrap();
    let (all, _, _) = pull(&client(&sandbox), Some(from), 10, |_| {}).await;
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn a_late_commit_is_there_for_the_next_pull() {
    let sandbox = sandbox(OrderSet::Empty).await;
    let client = client(&sandbox);
    for id in 1..=9 {
        put(&sandbox, id, at(id));
    }
    let late = |entity_id, after_requests, at| LateCommit { entity_id, after_requests, at };
    let faults = Faults { late: vec![late(2, Some(4), None), late(3, None, Some(at(60)))], ..Faults::default() };
    sandbox.set_faults(faults);
    sandbox.set_now(Some(at(10)));
    let (all, reached, pages) = pull(&client, None, 3, |_| {}).await;
    assert_eq!((all.len(), reached.unwrap().cut_dt, pages), (7, at(9), 4));
    let (all, _, _) = pull(&client, Some(at(2)), 3, |_| {}).await;
    assert_eq!(all.iter().map(|one| one.entity_id).collect::<Vec<_>>(), [2, 4, 5, 6, 7, 8, 9]);
    sandbox.set_now(Some(at(60)));
    let (all, _, _) = pull(&client, Some(at(2)), 3, |_| {}).await;
    assert_eq!(all.len(), 8);
}

#[tokio::test]
async fn an_ignored_sort_or_filter_is_told_unless_all_is_on_the_page() {
    for (faults, name) in [
        (Faults { ignore_sort: true, ..Faults::default() }, "sort order"),
        (Faults { ignore_filter: true, ..Faults::default() }, "filter"),
    ] {
        let sandbox = sandbox(OrderSet::Empty).await;
        let client = client(&sandbox);
        for id in 1..=6 {
            put(&sandbox, id, at(id));
        }
        sandbox.set_faults(faults);
        let query = FetchQuery { from: Some(at(3)), after: None, page_size: 3 };
        let error = client.orders_page(&query).await.unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Protocol, Disposition::Permanent), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
        // A page that holds everything is put in order here.
        let (all, reached, _) = pull(&client, Some(at(3)), 10, |_| {}).await;
        assert_eq!(all.iter().map(|one| one.entity_id).collect::<Vec<_>>(), [3, 4, 5, 6], "{name}");
        assert_eq!(reached.unwrap().cut_dt, at(6));
    }
}

#[tokio::test]
async fn a_cursor_of_somebody_else_is_refused() {
    let sandbox = sandbox(OrderSet::Empty).await;
    let after = Some(datawald_core::engine::Cursor("page 2".to_owned()));
    let error = client(&sandbox).orders_page(&FetchQuery { from: None, after, page_size: 5 }).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Permanent);
    assert_eq!(sandbox.counters().requests, 0);
}
