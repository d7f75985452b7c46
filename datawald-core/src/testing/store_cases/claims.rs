//! Claiming and renewing.

use std::collections::HashSet;

use super::Store;
use super::world::{LEASE, SETTLE_DELAY, World, entity, failed, flow, in_doubt, retry, sec, success, with_intent};
use crate::clock::later;
use crate::model::{EntityKey, FlowId, Intent, Table, TxStatus};
use crate::store::{Claim, Outcome, Settled};

fn ids(claimed: &[crate::store::Claimed]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.key.id.as_str()).collect()
}

pub async fn a_claim_leases_what_is_due(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(with_intent("1", "v1", Intent::Cancel)).await;
    world.wait(5);
    let claimed = world.claim_one("1").await;
    assert_eq!((claimed.key.clone(), claimed.rev, claimed.attempts), (world.key("1"), 1, 1));
    assert_eq!((claimed.was, claimed.intent.clone(), &claimed.target_id), (TxStatus::New, Intent::Cancel, &None));
    assert_eq!((claimed.doc.clone(), claimed.lease_until), (entity("1", "v1").doc, later(world.now, LEASE)));
    let found = world.get("1").await;
    assert_eq!((found.status, found.attempts, found.updated_at), (TxStatus::InProcess, 1, world.now));
    assert_eq!(found.lease_until, Some(claimed.lease_until));
    assert_eq!(found.due_at, Some(later(claimed.lease_until, SETTLE_DELAY)));
    assert!(world.claim(10).await.is_empty());
}

pub async fn the_longest_due_comes_first(store: Store) {
    let mut world = World::new(store.clone()).await;
    for id in ["c", "a", "b"] {
        world.stage_one(entity(id, "v1")).await;
        world.wait(1);
    }
    world.stage(vec![entity("z", "v1"), entity("y", "v1")]).await;
    assert_eq!(store.due(&flow(), world.now, 10).await.unwrap(), ["c", "a", "b", "z", "y"]);
    assert_eq!(ids(&world.claim(2).await), ["c", "a"]);
    assert_eq!(ids(&world.claim(2).await), ["b", "z"]);
    assert_eq!(ids(&world.claim(2).await), ["y"]);
}

pub async fn nothing_is_claimed_before_it_is_due(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, retry(world.after(10))).await;
    world.wait(9);
    assert!(world.claim(10).await.is_empty());
    assert!(world.claim_with(Some(&["1".to_owned()]), 10).await.is_empty());
    world.wait(1);
    let claimed = world.claim_one("1").await;
    assert_eq!((claimed.was, claimed.attempts), (TxStatus::New, 2));
}

pub async fn a_claim_takes_no_more_than_its_limit(store: Store) {
    let world = World::new(store).await;
    world.stage((0..10).map(|n| entity(&n.to_string(), "v1")).collect()).await;
    assert!(world.claim(0).await.is_empty());
    assert_eq!(world.claim(7).await.len(), 7);
    let keys: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    assert_eq!(world.claim_with(Some(&keys), 1).await.len(), 1);
    assert_eq!(world.claim(usize::MAX).await.len(), 2);
}

pub async fn a_claim_by_keys_looks_at_these_only(store: Store) {
    let world = World::new(store).await;
    world.stage((0..6).map(|n| entity(&n.to_string(), "v1")).collect()).await;
    let leased = world.claim_one("3").await;
    let done = world.claim_one("4").await;
    world.settle(&done, success("B1-4")).await;
    let keys = ["5", "nobody", "3", "1", "1", "4"].map(str::to_owned);
    let mut claimed = world.claim_with(Some(&keys), 10).await;
    claimed.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(ids(&claimed), ["1", "5"]);
    assert!(world.claim_with(Some(&[]), 10).await.is_empty());
    assert_eq!(world.settle(&leased, success("B1-3")).await, Settled::Done);
    assert_eq!(world.claim(10).await.len(), 2);
}

pub async fn an_expired_lease_passes_on_after_the_settle_delay(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    let first = world.claim_one("1").await;
    world.wait(60);
    assert!(world.claim(10).await.is_empty(), "the write may still be carried out");
    world.wait(19);
    assert!(world.claim(10).await.is_empty(), "the write may still be carried out");
    world.wait(1);
    let second = world.claim_one("1").await;
    assert!(second.token > first.token);
    assert_eq!((second.was, second.attempts, second.rev), (TxStatus::InProcess, 2, 1));
    assert_eq!(second.lease_until, later(world.now, LEASE));
}

pub async fn a_doubt_is_claimed_when_its_time_comes(store: Store) {
    let mut world = World::new(store).await;
    world.bring_to("1", TxStatus::InDoubt).await;
    world.wait(29);
    assert!(world.claim(10).await.is_empty());
    world.wait(1);
    assert_eq!(world.claim_one("1").await.was, TxStatus::InDoubt);
}

pub async fn what_was_in_doubt_may_have_nothing_left_to_do(store: Store) {
    let mut world = World::new(store).await;
    world.bring_to("1", TxStatus::InDoubt).await;
    let intent = Intent::Ignore("is closed".into());
    world.stage_one(with_intent("1", "v2", intent.clone())).await;
    world.wait(30);
    let claimed = world.claim_one("1").await;
    assert_eq!((claimed.was, claimed.intent.clone(), claimed.rev), (TxStatus::InDoubt, intent, 2));
    assert_eq!(world.settle(&claimed, success("B1-1")).await, Settled::Done);
    let found = world.get("1").await;
    assert_eq!((found.status, found.target_id.as_deref()), (TxStatus::Ignored, Some("B1-1")));
}

pub async fn tokens_only_grow(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    let mut last = 0;
    for n in 0..4 {
        let claimed = world.claim_one("1").await;
        assert!(claimed.token > last);
        last = claimed.token;
        match n {
            0 => world.settle(&claimed, Outcome::Release).await,
            1 => world.settle(&claimed, in_doubt(world.now)).await,
            _ => world.settle(&claimed, success("B1-1")).await,
        };
        world.wait(1);
        if n >= 2 {
            world.stage_one(entity("1", &format!("v{n}"))).await;
        }
    }
}

pub async fn lost_leases_are_counted(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    for lost in 0..4 {
        assert_eq!(world.claim_one("1").await.lost_leases, lost);
        world.wait(80);
    }
    // Handed back is not lost, and not forgotten.
    let claimed = world.claim_one("1").await;
    assert_eq!(claimed.lost_leases, 4);
    world.settle(&claimed, Outcome::Release).await;
    let claimed = world.claim_one("1").await;
    assert_eq!(claimed.lost_leases, 4);
    // Whoever comes back with anything has not been lost.
    world.settle(&claimed, in_doubt(world.now)).await;
    assert_eq!(world.claim_one("1").await.lost_leases, 0);
}

pub async fn new_beginnings_forget_lost_leases(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.stage_one(entity("1", "v1")).await;
    world.claim_one("1").await;
    world.wait(80);
    assert_eq!(world.claim_one("1").await.lost_leases, 1);
    world.stage_one(entity("1", "v2")).await;
    world.wait(80);
    // The lease that ran out since then counts, the ones before do not.
    let claimed = world.claim_one("1").await;
    assert_eq!(claimed.lost_leases, 1);
    world.settle(&claimed, failed("no")).await;
    assert!(store.resync(&world.key("1"), world.now.into()).await.unwrap());
    assert_eq!(world.claim_one("1").await.lost_leases, 0);
}

pub async fn a_target_id_comes_with_the_claim(store: Store) {
    let world = World::new(store).await;
    world.bring_to("1", TxStatus::Success).await;
    world.stage_one(entity("1", "v2")).await;
    let claimed = world.claim_one("1").await;
    assert_eq!((claimed.target_id.as_deref(), claimed.rev, claimed.attempts), (Some("B1-1"), 2, 1));
    assert_eq!(claimed.doc, entity("1", "v2").doc);
}

pub async fn due_tells_without_leasing(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.stage((0..5).map(|n| entity(&n.to_string(), "v1")).collect()).await;
    for _ in 0..2 {
        assert_eq!(store.due(&flow(), world.now, 3).await.unwrap(), ["0", "1", "2"]);
    }
    assert!(store.due(&flow(), sec(-1), 3).await.unwrap().is_empty());
    assert!(store.due(&flow(), world.now, 0).await.unwrap().is_empty());
    world.claim(4).await;
    assert_eq!(store.due(&flow(), world.now, 10).await.unwrap(), ["4"]);
    world.wait(80);
    assert_eq!(store.due(&flow(), world.now, 10).await.unwrap(), ["4", "0", "1", "2", "3"]);
}

pub async fn next_due_is_the_earliest(store: Store) {
    let mut world = World::new(store.clone()).await;
    let next = || async { store.next_due(&flow()).await.unwrap() };
    assert_eq!(next().await, None);
    world.stage_one(entity("1", "v1")).await;
    assert_eq!(next().await, Some(sec(0)));
    let claimed = world.claim_one("1").await;
    assert_eq!(next().await, Some(later(sec(0), LEASE + SETTLE_DELAY)));
    world.wait(10);
    world.stage_one(entity("2", "v1")).await;
    assert_eq!(next().await, Some(sec(10)));
    let other = world.claim_one("2").await;
    world.settle(&other, success("B1-2")).await;
    world.settle(&claimed, retry(sec(500))).await;
    assert_eq!(next().await, Some(sec(500)));
    assert_eq!(store.next_due(&FlowId::new(Table::Products, "mage2")).await.unwrap(), None);
}

pub async fn a_renewed_lease_lasts_longer(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.stage(vec![entity("1", "v1"), entity("2", "v1")]).await;
    let (one, two) = (world.claim_one("1").await, world.claim_one("2").await);
    let leases = [(one.key.clone(), one.token), (two.key.clone(), two.token)];
    assert_eq!(store.renew(&leases[..1], sec(100), sec(120)).await.unwrap(), [true]);
    let found = world.get("1").await;
    assert_eq!((found.lease_until, found.due_at), (Some(sec(100)), Some(sec(120))));
    world.now = sec(119);
    assert_eq!(ids(&world.claim(10).await), ["2"]);
    // It ran out, but nobody else has it.
    assert_eq!(store.renew(&leases, sec(200), sec(220)).await.unwrap(), [true, false]);
    world.now = sec(219);
    assert_eq!(ids(&world.claim(10).await), ["2"]);
    assert_eq!(world.settle(&one, success("B1-1")).await, Settled::Done);
    assert_eq!(store.renew(&[], sec(1), sec(2)).await.unwrap(), [false; 0]);
}

pub async fn a_lost_lease_is_not_renewed(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.stage_one(entity("1", "v1")).await;
    let lost = world.claim_one("1").await;
    world.wait(80);
    let held = world.claim_one("1").await;
    let before = world.get("1").await;
    let asked = [(lost.key.clone(), lost.token), (held.key.clone(), held.token + 1), (world.key("nobody"), held.token)];
    assert_eq!(store.renew(&asked, sec(900), sec(900)).await.unwrap(), [false; 3]);
    assert!(world.get("1").await == before);
    world.settle(&held, success("B1-1")).await;
    assert_eq!(store.renew(&[(held.key.clone(), held.token)], sec(900), sec(900)).await.unwrap(), [false]);
    assert_eq!(world.get("1").await.due_at, None);
}

pub async fn a_claim_is_of_one_flow(store: Store) {
    let other = FlowId::new(Table::Orders, "mage3");
    let world = World::new(store.clone()).await;
    world.stage_one(entity("1", "v1")).await;
    World::of(store.clone(), other.clone(), "theirs").await.stage_one(entity("2", "v1")).await;
    let keys = ["1", "2"].map(str::to_owned);
    assert_eq!(ids(&world.claim_with(Some(&keys), 10).await), ["1"]);
    assert!(world.claim(10).await.is_empty());
    assert_eq!(store.get(&EntityKey::new(&other, "2")).await.unwrap().unwrap().status, TxStatus::New);
}

pub async fn concurrent_claims_share_nothing(store: Store) {
    const ENTITIES: usize = 400;
    let world = World::new(store.clone()).await;
    let keys: Vec<String> = (0..ENTITIES).map(|n| n.to_string()).collect();
    world.stage(keys.iter().map(|id| entity(id, "v1")).collect()).await;
    let workers: Vec<_> = (0..16)
        .map(|n| {
            let (store, keys) = (store.clone(), keys.clone());
            tokio::spawn(async move {
                let flow = flow();
                let mut mine = Vec::new();
                loop {
                    // Half of them by key, over the same keys as everybody.
                    let claim = Claim {
                        flow: &flow,
                        keys: (n % 2 == 0).then_some(keys.as_slice()),
                        limit: 7,
                        owner: "worker",
                        lease: LEASE,
                        settle_delay: SETTLE_DELAY,
                        now: sec(0).into(),
                    };
                    let claimed = store.claim(claim).await.unwrap();
                    if claimed.is_empty() {
                        return mine;
                    }
                    mine.extend(claimed.into_iter().map(|claimed| claimed.key.id));
                }
            })
        })
        .collect();
    let mut seen = HashSet::new();
    for worker in workers {
        for id in worker.await.unwrap() {
            assert!(seen.insert(id.clone()), "{id} was given to two");
        }
    }
    assert_eq!(seen.len(), ENTITIES);
}

pub async fn a_success_of_what_is_not_to_be_done_is_none(store: Store) {
    let mut world = World::new(store).await;
    for (id, intent, status) in [
        ("1", Intent::Reject("has no sku".into()), TxStatus::Failed),
        ("2", Intent::Ignore("is on hold".into()), TxStatus::Ignored),
    ] {
        world.bring_to(id, TxStatus::InDoubt).await;
        world.stage_one(with_intent(id, "v2", intent)).await;
        world.wait(30);
        let claimed = world.claim_one(id).await;
        // It was looked up, and is there in the version before.
        assert_eq!(world.settle(&claimed, success("B1-1")).await, Settled::Done);
        let found = world.get(id).await;
        assert_eq!((found.status, found.note.as_str(), found.due_at), (status, "applied", None));
        assert_eq!((found.target_id.as_deref(), found.written), (Some("B1-1"), Some(1)));
        // What comes next follows the version that is there.
        world.stage_one(entity(id, "v3")).await;
        let claimed = world.claim_one(id).await;
        assert_eq!((claimed.rev, claimed.written, claimed.was), (3, Some(1), TxStatus::New));
    }
}
