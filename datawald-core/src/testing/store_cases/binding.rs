//! What entities are known by on the other side.

use super::Store;
use super::world::{World, cancelled, entity, failed, ignored, in_doubt, retry, success};
use crate::model::{EntityKey, FlowId, Table, TxStatus};
use crate::store::{Binding, Bound, Claimed, Outcome, Settled};

fn binding(claimed: &Claimed, reference: &str, target_id: Option<&str>) -> Binding {
    Binding {
        key: claimed.key.clone(),
        token: claimed.token,
        reference: reference.to_owned(),
        target_id: target_id.map(str::to_owned),
    }
}

async fn bind(store: &Store, claimed: &Claimed, reference: &str, target_id: Option<&str>) -> Bound {
    let bound = store.bind(vec![binding(claimed, reference, target_id)]).await.unwrap();
    assert_eq!(bound.len(), 1);
    bound.into_iter().next().unwrap()
}

pub async fn what_an_entity_is_known_by_outlives_its_worker(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.stage_one(entity("1", "v1")).await;
    let lost = world.claim_one("1").await;
    let before = world.get("1").await;
    assert_eq!(bind(&store, &lost, "A-1", None).await, Bound::Done);
    let found = world.get("1").await;
    assert_eq!((found.reference.as_deref(), found.target_id.as_deref()), (Some("A-1"), None));
    assert_eq!((found.status, found.due_at, found.lease_until), (before.status, before.due_at, before.lease_until));
    world.wait(80);
    let claimed = world.claim_one("1").await;
    assert_eq!((claimed.reference.as_deref(), claimed.was), (Some("A-1"), TxStatus::InProcess));
    // The first stays, whatever the rules say by now.
    assert_eq!(bind(&store, &claimed, "B-1", Some("B1-1")).await, Bound::Done);
    assert_eq!(bind(&store, &claimed, "B-1", None).await, Bound::Done);
    let found = world.get("1").await;
    assert_eq!((found.reference.as_deref(), found.target_id.as_deref()), (Some("A-1"), Some("B1-1")));
    // Its document was found: no other outcome takes that back.
    world.settle(&claimed, failed("cannot follow")).await;
    let found = world.get("1").await;
    assert_eq!((found.reference.as_deref(), found.target_id.as_deref()), (Some("A-1"), Some("B1-1")));
    assert_eq!((found.status, found.written), (TxStatus::Failed, Some(1)));
}

pub async fn only_the_current_token_binds(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.stage(vec![entity("1", "v1"), entity("2", "v1")]).await;
    let lost = world.claim_one("1").await;
    world.wait(80);
    let held = world.claim_one("1").await;
    let before = world.get("1").await;
    let unclaimed = Claimed { key: world.key("2"), token: 0, ..held.clone() };
    let unknown = Claimed { key: world.key("nobody"), ..held.clone() };
    let bindings = [&lost, &unclaimed, &unknown].map(|claimed| binding(claimed, "A-1", Some("B1-1")));
    assert_eq!(store.bind(bindings.to_vec()).await.unwrap(), vec![Bound::Fenced; 3]);
    assert!(world.get("1").await == before);
    // In order, also where one of them is the same entity's.
    let bindings = vec![binding(&lost, "A-1", None), binding(&held, "B-1", None), binding(&unclaimed, "A-1", None)];
    assert_eq!(store.bind(bindings).await.unwrap(), [Bound::Fenced, Bound::Done, Bound::Fenced]);
    assert_eq!(world.get("1").await.reference.as_deref(), Some("B-1"));
    world.settle(&held, success("B1-1")).await;
    assert_eq!(bind(&store, &held, "C-1", Some("B1-2")).await, Bound::Fenced);
    assert_eq!(store.bind(Vec::new()).await.unwrap(), []);
}

/// A reference is of use as long as something may be known under it; else the rules of today are to apply.
pub async fn a_reference_goes_if_surely_nothing_was_written(store: Store) {
    let world = World::new(store.clone()).await;
    let cases = [
        (success("B1-1"), true),
        (in_doubt(world.after(30)), true),
        (cancelled(Some("B1-2")), true),
        (cancelled(None), false),
        (ignored("is not there"), false),
        (failed("no such item"), false),
        (retry(world.after(30)), false),
        (Outcome::Release, false),
    ];
    for (n, (outcome, stays)) in cases.into_iter().enumerate() {
        let id = &format!("{n}");
        world.stage_one(entity(id, "v1")).await;
        let claimed = world.claim_one(id).await;
        assert_eq!(bind(&store, &claimed, &format!("A-{n}"), None).await, Bound::Done);
        world.settle(&claimed, outcome).await;
        assert_eq!(world.get(id).await.reference.is_some(), stays, "{n}");
    }
}

pub async fn a_document_is_bound_to_one_entity(store: Store) {
    let world = World::new(store.clone()).await;
    let others = World::of(store.clone(), FlowId::new(Table::Orders, "mage3"), "theirs").await;
    let products = World::of(store.clone(), FlowId::new(Table::Products, "mage2"), "products").await;
    world.stage(vec![entity("1", "v1"), entity("2", "v1")]).await;
    others.stage_one(entity("1", "v1")).await;
    products.stage_one(entity("1", "v1")).await;
    let (one, two) = (world.claim_one("1").await, world.claim_one("2").await);
    let (theirs, product) = (others.claim_one("1").await, products.claim_one("1").await);
    assert_eq!(bind(&store, &one, "A-1", Some("B1-1")).await, Bound::Done);
    // Another entity of the table is refused it, whatever frontend it is of, and nothing of it is kept.
    let by = || world.key("1");
    assert_eq!(bind(&store, &theirs, "A-1", Some("B1-1")).await, Bound::Taken { by: by() });
    assert_eq!(bind(&store, &two, "A-1", Some("B1-1")).await, Bound::Taken { by: by() });
    for found in [others.get("1").await, world.get("2").await] {
        assert_eq!((found.reference, found.target_id), (None, None));
    }
    // Under the reference that it was told of before, too.
    assert_eq!(bind(&store, &two, "A-1", None).await, Bound::Done);
    assert_eq!(bind(&store, &two, "C-1", Some("B1-1")).await, Bound::Taken { by: by() });
    // The same key under another reference is another company's; and that of another table is another document's.
    assert_eq!(bind(&store, &theirs, "C-1", Some("B1-1")).await, Bound::Done);
    assert_eq!(bind(&store, &product, "A-1", Some("B1-1")).await, Bound::Done);
    // Whose it is may be told so again.
    assert_eq!(bind(&store, &one, "A-1", Some("B1-1")).await, Bound::Done);
    assert_eq!(world.settle(&one, success("B1-1")).await, Settled::Done);
}

pub async fn a_document_is_settled_for_one_entity(store: Store) {
    let mut world = World::new(store.clone()).await;
    let mut others = World::of(store.clone(), FlowId::new(Table::Orders, "mage3"), "theirs").await;
    world.stage((1..6).map(|n| entity(&n.to_string(), "v1")).collect()).await;
    others.stage_one(entity("1", "v1")).await;
    let claimed = world.claim(5).await;
    let [one, two, three, four, five] = &claimed[..] else { panic!("{claimed:?}") };
    let theirs = others.claim_one("1").await;
    assert_eq!(world.settle_under(one, "A-1", success("B1-1")).await, Settled::Done);
    assert_eq!(others.settle_under(&theirs, "A-1", success("B1-1")).await, Settled::Taken);
    assert_eq!(world.settle_under(two, "A-1", cancelled(Some("B1-1"))).await, Settled::Taken);
    for found in [others.get("1").await, world.get("2").await] {
        assert_eq!((found.status, found.target_id.as_deref(), found.due_at), (TxStatus::Failed, None, None));
        assert!(found.note.contains("B1-1") && found.note.contains("order 1 of mage2"), "{}", found.note);
    }
    // What became of its own write is not known: it is looked up twice when it is done again.
    others.wait(1);
    assert!(store.resync(&others.key("1"), others.now.into()).await.unwrap());
    assert!(others.claim_one("1").await.in_doubt());
    // Among others, and with newer content.
    world.stage_one(entity("4", "v2")).await;
    bind(&store, four, "A-1", None).await;
    let outcomes =
        [(three, "C-1"), (four, "A-1"), (five, "D-1")].map(|(claimed, reference)| crate::store::Settlement {
            key: claimed.key.clone(),
            token: claimed.token,
            rev: claimed.rev,
            reference: Some(reference.to_owned()),
            outcome: success("B1-1"),
        });
    let settled = store.settle(world.now.into(), outcomes.to_vec()).await.unwrap();
    assert_eq!(settled, [Settled::Done, Settled::Superseded, Settled::Done]);
    assert_eq!((world.status("4").await, world.get("4").await.target_id), (TxStatus::New, None));
    // Whose it is may be settled with it again.
    world.stage_one(entity("1", "v2")).await;
    world.wait(1);
    let one = world.claim_one("1").await;
    assert_eq!(world.settle(&one, success("B1-1")).await, Settled::Done);
}

pub async fn of_many_that_want_one_document_one_has_it(store: Store) {
    let world = World::new(store.clone()).await;
    world.stage((0..8).map(|n| entity(&n.to_string(), "v1")).collect()).await;
    let claimed = world.claim(8).await;
    let bindings = claimed.into_iter().map(|claimed| {
        let store = store.clone();
        tokio::spawn(async move { (claimed.key.clone(), bind(&store, &claimed, "A-1", Some("B1-1")).await) })
    });
    let mut done: Vec<EntityKey> = Vec::new();
    let mut taken = Vec::new();
    for binding in bindings.collect::<Vec<_>>() {
        match binding.await.unwrap() {
            (key, Bound::Done) => done.push(key),
            (_, Bound::Taken { by }) => taken.push(by),
            (key, Bound::Fenced) => panic!("{key}"),
        }
    }
    assert_eq!(done.len(), 1);
    assert_eq!(taken, vec![done[0].clone(); 7]);
}
