//! Staging entities.

use super::Store;
use super::world::{LEASE, SETTLE_DELAY, World, counts, entity, flow, retry, sec, success, with_intent};
use crate::clock::later;
use crate::model::{EntityKey, Fingerprint, FlowId, Intent, Table, TxStatus};
use crate::store::{EntityFilter, Push, Settled, StageEntity, Staging};

const FINAL: [TxStatus; 4] = [TxStatus::Success, TxStatus::Failed, TxStatus::Ignored, TxStatus::Cancelled];

pub async fn an_unknown_entity_is_new_and_due(store: Store) {
    let world = World::new(store).await;
    for (id, intent) in [("1", Intent::Apply), ("2", Intent::Cancel)] {
        let staged = with_intent(id, "v1", intent.clone());
        assert_eq!(world.stage_one(staged.clone()).await, Staging::Inserted);
        let found = world.get(id).await;
        assert_eq!(found.key, EntityKey::new(&flow(), id));
        assert_eq!((found.status, found.note.as_str()), (TxStatus::New, ""));
        assert_eq!((found.due_at, found.lease_until), (Some(world.now), None));
        assert_eq!((found.rev, found.attempts, found.target_id), (1, 0, None));
        assert_eq!((found.intent, found.source_status), (intent, staged.source_status));
        assert_eq!((found.source_updated_at, found.fingerprint), (staged.source_updated_at, staged.fingerprint));
        assert_eq!((found.doc, found.raw), (staged.doc, staged.raw));
        assert_eq!((found.created_at, found.updated_at), (world.now, world.now));
    }
}

pub async fn what_is_to_be_ignored_or_rejected_ends_at_once(store: Store) {
    let world = World::new(store.clone()).await;
    let ignore = StageEntity { source_updated_at: None, ..with_intent("1", "v1", Intent::Ignore("is held".into())) };
    let reject = StageEntity { doc: String::new(), ..with_intent("2", "v1", Intent::Reject("has no lines".into())) };
    assert_eq!(world.stage(vec![ignore, reject]).await, [Staging::Inserted, Staging::Inserted]);
    let (ignored, rejected) = (world.get("1").await, world.get("2").await);
    assert_eq!((ignored.status, ignored.note.as_str(), ignored.due_at), (TxStatus::Ignored, "is held", None));
    assert_eq!((rejected.status, rejected.note.as_str(), rejected.due_at), (TxStatus::Failed, "has no lines", None));
    assert_eq!((ignored.source_updated_at, rejected.doc.as_str()), (None, ""));
    assert!(world.claim(10).await.is_empty());
    assert_eq!(store.next_due(&flow()).await.unwrap(), None);
}

pub async fn new_content_opens_whatever_is_final(store: Store) {
    let mut world = World::new(store.clone()).await;
    for (n, status) in FINAL.into_iter().enumerate() {
        let id = &format!("{n}");
        world.bring_to(id, status).await;
        let before = world.get(id).await;
        world.wait(5);
        assert_eq!(world.stage_one(entity(id, "v2")).await, Staging::Restaged);
        let found = world.get(id).await;
        assert_eq!((found.status, found.note.as_str(), found.due_at), (TxStatus::New, "", Some(world.now)));
        assert_eq!((found.rev, found.attempts, found.target_id), (2, 0, before.target_id.clone()));
        assert_eq!((found.created_at, found.updated_at), (before.created_at, world.now));
        let history = store.history(&found.key).await.unwrap();
        assert_eq!(history.len(), 1);
        let old = &history[0];
        assert_eq!((old.rev, old.status, &old.note), (1, status, &before.note));
        assert_eq!((&old.target_id, &old.source_status), (&before.target_id, &before.source_status));
        assert_eq!((&old.doc, &old.raw, old.replaced_at), (&before.doc, &before.raw, world.now));
    }
}

pub async fn each_of_content_status_intent_and_reason_counts_as_new(store: Store) {
    let world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    let mut versions = vec![
        entity("1", "v2"),
        StageEntity { source_status: "complete".into(), ..entity("1", "v2") },
        StageEntity { intent: Intent::Cancel, source_status: "complete".into(), ..entity("1", "v2") },
    ];
    versions.push(StageEntity { intent: Intent::Ignore("a".into()), ..versions[2].clone() });
    versions.push(StageEntity { intent: Intent::Ignore("b".into()), ..versions[2].clone() });
    versions.push(StageEntity { intent: Intent::Reject("b".into()), ..versions[2].clone() });
    for (n, version) in versions.into_iter().enumerate() {
        assert_eq!(world.stage_one(version.clone()).await, Staging::Restaged, "{n}");
        let same = world.stage_one(version.clone()).await;
        let failed = matches!(version.intent, Intent::Reject(_));
        assert_eq!(same, if failed { Staging::StillFailed } else { Staging::Unchanged }, "{n}");
        let found = world.get("1").await;
        assert_eq!((found.rev, found.intent), (n as u64 + 2, version.intent));
        assert_eq!(found.source_status, version.source_status);
    }
}

pub async fn new_content_ends_a_back_off(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, retry(world.after(3_600))).await;
    assert_eq!(world.get("1").await.attempts, 1);
    world.wait(1);
    assert_eq!(world.stage_one(entity("1", "v2")).await, Staging::Restaged);
    let found = world.get("1").await;
    assert_eq!((found.status, found.due_at), (TxStatus::New, Some(world.now)));
    assert_eq!((found.attempts, found.note.as_str()), (0, ""));
}

pub async fn new_content_may_end_what_waits(store: Store) {
    let world = World::new(store).await;
    world.stage(vec![entity("1", "v1"), entity("2", "v1")]).await;
    let ignore = with_intent("1", "v2", Intent::Ignore("is closed".into()));
    let reject = with_intent("2", "v2", Intent::Reject("has no sku".into()));
    world.stage(vec![ignore, reject]).await;
    let (one, two) = (world.get("1").await, world.get("2").await);
    assert_eq!((one.status, one.note.as_str(), one.due_at), (TxStatus::Ignored, "is closed", None));
    assert_eq!((two.status, two.note.as_str(), two.due_at), (TxStatus::Failed, "has no sku", None));
}

pub async fn new_content_leaves_a_lease_in_place(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.stage_one(entity("1", "v1")).await;
    let claimed = world.claim_one("1").await;
    let leased = world.get("1").await;
    world.wait(1);
    assert_eq!(world.stage_one(entity("1", "v2")).await, Staging::Restaged);
    let found = world.get("1").await;
    assert_eq!((found.status, found.rev, found.attempts), (TxStatus::InProcess, 2, 0));
    assert_eq!((found.lease_until, found.due_at), (leased.lease_until, leased.due_at));
    assert_eq!(found.doc, entity("1", "v2").doc);
    assert_eq!(store.history(&found.key).await.unwrap()[0].status, TxStatus::InProcess);
    // Intents with nothing to do do not end it either, while a worker is at it.
    for intent in [Intent::Ignore("x".into()), Intent::Reject("y".into())] {
        world.stage_one(with_intent("1", "v3", intent)).await;
        assert_eq!(world.status("1").await, TxStatus::InProcess);
    }
    assert_eq!(world.stage_one(entity("1", "v4")).await, Staging::Restaged);
    assert_eq!(world.claim(10).await.len(), 0);
    assert_eq!(world.settle(&claimed, success("B1-1")).await, Settled::Superseded);
}

pub async fn new_content_leaves_a_doubt_in_place(store: Store) {
    let mut world = World::new(store.clone()).await;
    for (id, intent) in [("1", Intent::Apply), ("2", Intent::Ignore("x".into())), ("3", Intent::Reject("y".into()))] {
        world.bring_to(id, TxStatus::InDoubt).await;
        let before = world.get(id).await;
        world.wait(1);
        assert_eq!(world.stage_one(with_intent(id, "v2", intent.clone())).await, Staging::Restaged);
        let found = world.get(id).await;
        assert_eq!((found.status, found.due_at, &found.note), (TxStatus::InDoubt, before.due_at, &before.note));
        assert_eq!((found.rev, found.attempts, found.intent), (2, 0, intent));
        assert_eq!(found.doc, entity(id, "v2").doc);
    }
}

pub async fn a_failure_that_is_the_same_stays_failed(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.bring_to("1", TxStatus::Failed).await;
    let before = world.get("1").await;
    world.pass("second").await;
    world.wait(5);
    let again = StageEntity { raw: "other raw".into(), source_updated_at: Some(sec(3)), ..entity("1", "v1") };
    for _ in 0..2 {
        assert_eq!(world.stage_one(again.clone()).await, Staging::StillFailed);
        let found = world.get("1").await;
        assert_eq!((found.status, &found.note, found.due_at), (TxStatus::Failed, &before.note, None));
        assert_eq!((found.rev, found.attempts), (1, 1));
        assert_eq!((found.raw.as_str(), found.source_updated_at), ("other raw", Some(sec(3))));
        assert!(store.history(&found.key).await.unwrap().is_empty());
        assert!(world.claim(10).await.is_empty());
    }
    // The pass that it failed in tells so; the one that met it again has brought nothing of it.
    assert_eq!(world.counts("first-pass").await, counts(&[(TxStatus::Failed, 1)]));
    assert_eq!(world.counts("second").await, counts(&[(TxStatus::Ignored, 1)]));
    assert_eq!(world.stage_one(entity("1", "v2")).await, Staging::Restaged);
    assert_eq!(world.claim_one("1").await.attempts, 1);
}

pub async fn a_rejection_is_not_tried_again(store: Store) {
    let world = World::new(store).await;
    let reject = with_intent("1", "v1", Intent::Reject("has no lines".into()));
    world.stage_one(reject.clone()).await;
    assert_eq!(world.stage_one(reject).await, Staging::StillFailed);
    assert_eq!(world.status("1").await, TxStatus::Failed);
}

pub async fn what_is_the_same_stays_as_it_is(store: Store) {
    let mut world = World::new(store.clone()).await;
    for (n, status) in TxStatus::ALL.into_iter().filter(|status| *status != TxStatus::Failed).enumerate() {
        let id = &format!("{n}");
        world.bring_to(id, status).await;
        let mut expected = world.get(id).await;
        world.wait(1);
        let again = StageEntity {
            raw: "read again".into(),
            source_updated_at: Some(sec(77)),
            doc: "{\"not\":\"looked at\"}".into(),
            ..entity(id, "v1")
        };
        assert_eq!(world.stage_one(again).await, Staging::Unchanged);
        expected.raw = "read again".into();
        expected.source_updated_at = Some(sec(77));
        let mut found = world.get(id).await;
        // The fingerprint is the content: which of two documents with one fingerprint stays is no matter.
        found.doc.clone_from(&expected.doc);
        assert!(found == expected, "{status}: {found:?} is not {expected:?}");
        assert!(store.history(&found.key).await.unwrap().is_empty());
    }
}

pub async fn two_of_one_key_are_taken_in_order(store: Store) {
    let world = World::new(store.clone()).await;
    let staged = world.stage(vec![entity("1", "v1"), entity("1", "v2"), entity("1", "v2"), entity("1", "v1")]).await;
    assert_eq!(staged, [Staging::Inserted, Staging::Restaged, Staging::Unchanged, Staging::Restaged]);
    let found = world.get("1").await;
    assert_eq!((found.rev, found.doc), (3, entity("1", "v1").doc));
    assert_eq!(store.history(&found.key).await.unwrap().len(), 2);
    assert_eq!(world.counts("first-pass").await.total(), 1);
}

pub async fn answers_come_in_order(store: Store) {
    let world = World::new(store).await;
    world.bring_to("done", TxStatus::Success).await;
    world.bring_to("failed", TxStatus::Failed).await;
    world.bring_to("old", TxStatus::Success).await;
    let batch = vec![entity("failed", "v1"), entity("old", "v2"), entity("new", "v1"), entity("done", "v1")];
    let expected = [Staging::StillFailed, Staging::Restaged, Staging::Inserted, Staging::Unchanged];
    assert_eq!(world.stage(batch).await, expected);
}

/// Texts that have hurt others: quotes, control characters, other planes, right to left, things that look like SQL,
/// JSON or paths, leading and trailing blanks, one letter in two encodings.
pub(super) const ODD: [&str; 12] = [
    "O'Brien; DROP TABLE entities;--",
    "\"quoted\" `ticked` [bracketed] {braced}",
    "% _ * ? \\ / .. $where {$gt: \"\"}",
    "\u{1}\u{8}\t\r\n\u{1b}[31m\u{7f}\u{85}\u{2028}",
    "Ünïcödé 日本語 العربية 👩‍👩‍👧 \u{1f600}\u{fe0f}",
    " leading and trailing ",
    "é",
    "e\u{301}",
    "Ⅷ ſ İ ı ß ẞ",
    "null",
    "0000001",
    "1e400",
];

pub async fn texts_are_kept_exactly(store: Store) {
    let world = World::new(store.clone()).await;
    for (n, text) in ODD.iter().enumerate() {
        let id = format!("{n}");
        let staged = StageEntity {
            doc: (*text).into(),
            raw: (*text).into(),
            source_status: (*text).into(),
            intent: Intent::Ignore((*text).into()),
            fingerprint: Fingerprint::from_stored((*text).into()),
            ..entity(&id, "v1")
        };
        assert_eq!(world.stage_one(staged.clone()).await, Staging::Inserted);
        assert_eq!(world.stage_one(staged).await, Staging::Unchanged, "{text:?}");
        let found = world.get(&id).await;
        assert_eq!((found.doc.as_str(), found.raw.as_str(), found.note.as_str()), (*text, *text, *text));
        assert_eq!((found.source_status.as_str(), found.fingerprint.as_str()), (*text, *text));
        world.stage_one(entity(&id, "v2")).await;
        let claimed = world.claim_one(&id).await;
        world.settle(&claimed, success(text)).await;
        assert_eq!(world.get(&id).await.target_id.as_deref(), Some(*text));
        let history = store.history(&world.key(&id)).await.unwrap();
        assert_eq!((history[0].doc.as_str(), history[0].raw.as_str()), (*text, *text));
    }
}

pub async fn long_texts_are_kept_exactly(store: Store) {
    let world = World::new(store).await;
    let raw: String = (0..1_000_000_u32).map(|n| char::from_u32(0x20 + n % 0x400).unwrap_or(' ')).collect();
    let doc = raw.chars().rev().collect::<String>();
    world.stage_one(StageEntity { raw: raw.clone(), doc: doc.clone(), ..entity("1", "v1") }).await;
    let found = world.get("1").await;
    assert!(found.raw == raw && found.doc == doc);
    assert!(world.claim_one("1").await.doc == doc);
}

pub async fn keys_are_text_and_nothing_else(store: Store) {
    let world = World::new(store.clone()).await;
    let mut ids: Vec<String> = ODD.iter().map(|id| (*id).to_owned()).collect();
    ids.extend(["a", "A", "a ", "1", "01", "1.0", "", "x".repeat(300).as_str()].map(str::to_owned));
    let staged = world.stage(ids.iter().map(|id| entity(id, "v1")).collect()).await;
    assert!(staged.iter().all(|staged| *staged == Staging::Inserted), "two keys were taken for one");
    for id in &ids {
        assert_eq!(world.get(id).await.key.id, *id);
        let claimed = world.claim_one(id).await;
        assert_eq!(claimed.key, world.key(id));
        assert_eq!(world.settle(&claimed, success(id)).await, Settled::Done);
    }
    let listed = store.list(&EntityFilter { limit: 1_000, ..EntityFilter::default() }).await.unwrap();
    let mut listed: Vec<_> = listed.items.into_iter().map(|entity| entity.key.id).collect();
    listed.sort();
    ids.sort();
    assert_eq!(listed, ids);
}

pub async fn flows_do_not_mix(store: Store) {
    let mut flows = vec![flow(), FlowId::new(Table::Orders, "MAGE2"), FlowId::new(Table::Products, "mage2")];
    flows.extend(ODD.iter().map(|name| FlowId::new(Table::Orders, *name)));
    for (n, flow) in flows.iter().enumerate() {
        let world = World::of(store.clone(), flow.clone(), &format!("pass {n}")).await;
        assert_eq!(world.stage_one(entity("1", &format!("of {n}"))).await, Staging::Inserted);
    }
    for (n, flow) in flows.iter().enumerate() {
        let due = store.due(flow, sec(0), 10).await.unwrap();
        assert_eq!(due, ["1"]);
        let found = store.get(&EntityKey::new(flow, "1")).await.unwrap().unwrap();
        assert_eq!((found.key.flow(), found.doc), (flow.clone(), entity("1", &format!("of {n}")).doc));
    }
    let world = World { now: later(sec(0), LEASE + SETTLE_DELAY), ..World::new(store.clone()).await };
    assert_eq!(world.claim(100).await.len(), 1);
    let filter = EntityFilter { flow: Some(flow()), ..EntityFilter::default() };
    assert_eq!(store.list(&filter).await.unwrap().items.len(), 1);
}

pub async fn one_entity_of_a_flow_has_a_name(store: Store) {
    let world = World::new(store.clone()).await;
    let named = |id: &str, content: &str, name: &str| StageEntity { name: name.into(), ..entity(id, content) };
    let staged = world.stage(vec![named("1", "v1", "000000001"), named("2", "v1", "000000001")]).await;
    assert_eq!(staged, [Staging::Inserted; 2]);
    let (first, second) = (world.get("1").await, world.get("2").await);
    assert_eq!((first.status, first.name.as_str()), (TxStatus::New, "000000001"));
    assert_eq!(second.status, TxStatus::Failed);
    assert!(second.note.contains("000000001") && second.note.contains("the id 1"), "{}", second.note);
    assert!(!second.intent.is_to_be_done());
    // It is so each time, and no news.
    assert_eq!(world.stage_one(named("2", "v1", "000000001")).await, Staging::StillFailed);
    assert_eq!(world.stage_one(named("1", "v1", "000000001")).await, Staging::Unchanged);
    // What has nothing to be done is no trouble.
    let ignored = StageEntity { intent: Intent::Ignore("is held".into()), ..named("3", "v1", "000000001") };
    world.stage_one(ignored).await;
    assert_eq!(world.status("3").await, TxStatus::Ignored);
    // Called otherwise, it is one of its own; so is one of another flow.
    assert_eq!(world.stage_one(named("2", "v1", "EU-000000001")).await, Staging::Restaged);
    assert_eq!(world.status("2").await, TxStatus::New);
    let other = FlowId::new(Table::Orders, "mage3");
    World::of(store.clone(), other.clone(), "theirs").await.stage_one(named("1", "v1", "000000001")).await;
    assert_eq!(store.get(&EntityKey::new(&other, "1")).await.unwrap().unwrap().status, TxStatus::New);
    // Without a name, nothing is the same.
    world.stage(vec![named("4", "v1", ""), named("5", "v1", "")]).await;
    assert_eq!((world.status("4").await, world.status("5").await), (TxStatus::New, TxStatus::New));
    // By its name, it is found.
    let found = |name: &'static str| store.named(&world.flow, name);
    assert_eq!(found("000000001").await.unwrap(), Some(world.key("1")));
    assert_eq!(found("EU-000000001").await.unwrap(), Some(world.key("2")));
    assert_eq!(found("nobody").await.unwrap(), None);
    assert_eq!(found("").await.unwrap(), None);
}

pub async fn of_many_that_want_one_name_one_has_it(store: Store) {
    let world = World::new(store.clone()).await;
    let pushes = (0..8).map(|n| {
        let (store, flow) = (store.clone(), world.flow.clone());
        let entity = StageEntity { name: "000000001".into(), ..entity(&n.to_string(), "v1") };
        tokio::spawn(
            async move { store.push(&flow, vec![Push { entity, if_rev: None }], sec(0).into()).await.unwrap() },
        )
    });
    for push in pushes.collect::<Vec<_>>() {
        assert_eq!(push.await.unwrap(), [Some(Staging::Inserted)]);
    }
    let mut open = 0;
    for n in 0..8 {
        open += u32::from(world.status(&n.to_string()).await == TxStatus::New);
    }
    assert_eq!(open, 1);
}

pub async fn a_name_stays_once_it_was_taken_up(store: Store) {
    let world = World::new(store.clone()).await;
    let named = |content: &str, name: &str| StageEntity { name: name.into(), ..entity("1", content) };
    world.stage_one(named("v1", "000000001")).await;
    // Nobody has seen it yet.
    assert_eq!(world.stage_one(named("v2", "ACME-1")).await, Staging::Restaged);
    assert_eq!(world.get("1").await.name, "ACME-1");
    let claimed = world.claim_one("1").await;
    assert_eq!(claimed.name, "ACME-1");
    world.settle(&claimed, success("B1-1")).await;
    world.stage_one(named("v3", "ACME-2")).await;
    let found = world.get("1").await;
    assert_eq!((found.status, found.name.as_str()), (TxStatus::Failed, "ACME-1"));
    assert!(found.note.contains("ACME-1") && found.note.contains("ACME-2"), "{}", found.note);
    // With its old number it is what it was.
    world.stage_one(named("v4", "ACME-1")).await;
    assert_eq!(world.status("1").await, TxStatus::New);
}

pub async fn by_its_reference_it_is_known_whatever_it_is_called_now(store: Store) {
    let world = World::new(store.clone()).await;
    let named = |content: &str, intent: Intent, name: &str| StageEntity {
        name: name.into(),
        ..with_intent("1", content, intent)
    };
    world.stage_one(named("v1", Intent::Apply, "000000001")).await;
    let claimed = world.claim_one("1").await;
    world.settle_under(&claimed, "ref-1", success("B1-1")).await;
    for (content, intent) in [("v2", Intent::Cancel), ("v3", Intent::Apply)] {
        world.stage_one(named(content, intent.clone(), "EU-000000001")).await;
        let found = world.get("1").await;
        assert_eq!((found.status, found.intent, found.name.as_str()), (TxStatus::New, intent, "000000001"));
    }
    // The name is still the entity's, and nobody else's.
    assert_eq!(store.named(&world.flow, "000000001").await.unwrap(), Some(world.key("1")));
    assert_eq!(store.named(&world.flow, "EU-000000001").await.unwrap(), None);
}
