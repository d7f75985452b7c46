//! What people do beside the shop: documents of their own in SAP B1, operators who mend, clocks that are set.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use datawald_core::model::{Cut, EntityKey, TxStatus};
use datawald_core::store::{EntityFilter, StagingStore};
use datawald_core::{Clock, Now};
use jiff::SignedDuration;

use super::chance::Dice;
use super::engines::is_frontend;
use super::papers;
use super::schedule::Group;
use super::shop::Excuse;
use super::world::{ACTIVE, World};

/// What people write over the reference of a document.
pub(crate) const OVERWRITTEN: &str = "their own number";

/// A colleague enters a document of a customer's own under the number of an order, or of one that is to come.
pub(crate) async fn colleague(world: Arc<World>, place: usize) {
    let Some(mut dice) = world.chance.strikes(Group::Foreign, "foreign document", place, 150) else { return };
    let shop = &world.shops[place % world.shops.len()];
    let entity_id = u64::try_from(place).unwrap() * 2 + 1;
    let before = dice.one_in(2);
    let known = || shop.records.lock().unwrap().iter().find(|record| record.entity_id == entity_id).cloned();
    let record = loop {
        match known() {
            Some(record) => break record,
            None => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    };
    if !before {
        tokio::time::sleep(dice.seconds(0, 120)).await;
    }
    let (reference, cents) = (world.reference(&record), world.cents());
    let entered = papers::enter(&world, &reference, cents).await;
    match entered {
        Some(entry) => {
            world.story.tell("colleague", format!("enters document {entry} of {cents} cents under {reference}"));
            world.foreign.lock().unwrap().insert(entry, cents);
        }
        // It may have become a draft.
        None => {
            world.story.tell("colleague", format!("enters a document of {cents} cents under {reference}, not at once"))
        }
    }
    for record in shop.records.lock().unwrap().iter_mut() {
        if world.reference(record) == reference {
            record.excuses.insert(Excuse::ForeignDocument);
        }
    }
    if let Some(dice) = world.chance.strikes(Group::Mends, "mended", place, 800) {
        mend(&world, place, entity_id, &reference, dice).await;
    }
}

/// Gives the document of somebody else another number once it is in the way, and has the order done again.
async fn mend(world: &World, place: usize, entity_id: u64, reference: &str, mut dice: Dice) {
    let key = EntityKey::new(&world.flows[place % world.flows.len()], entity_id.to_string());
    for _ in 0..60 {
        tokio::time::sleep(dice.seconds(1, 10)).await;
        let entity = world.store.get(&key).await.unwrap();
        if !entity.is_some_and(|entity| entity.status == TxStatus::Failed) {
            continue;
        }
        let under: Vec<_> = world.papers().into_iter().filter(|paper| paper.reference == reference).collect();
        let [paper] = &under[..] else { return };
        let theirs = !paper.draft && world.foreign.lock().unwrap().contains_key(&paper.entry);
        if theirs && world.b1.overwrite_reference(reference, OVERWRITTEN) {
            let now = Now { wall: world.clock.now(), store: world.store_now().await };
            let again = world.store.resync(&key, now).await.unwrap();
            let what =
                format!("gives document {} another number, and has {entity_id} done again: {again}", paper.entry);
            world.story.tell("colleague", what);
            world.resynced.lock().unwrap().insert(key);
        }
        return;
    }
}

/// Somebody writes the customer's own number into a document that is there.
pub(crate) async fn clerk(world: Arc<World>) {
    for round in 0..4 {
        tokio::time::sleep(Duration::from_secs(230)).await;
        let Some(mut dice) = world.chance.strikes(Group::References, "reference overwritten", round, 700) else {
            continue;
        };
        let filter = EntityFilter { statuses: vec![TxStatus::Success], limit: 1_000, ..EntityFilter::default() };
        let mut done = world.store.list(&filter).await.unwrap().items;
        if done.is_empty() {
            continue;
        }
        let entity = done.swap_remove(dice.pick(done.len()));
        let Some((shop, record)) = world.record_of(&entity) else { continue };
        let reference = world.reference(&record);
        // Of several under one number it would be somebody else's.
        let mine = |paper: &papers::Paper| paper.reference == reference && !paper.draft;
        let papers: Vec<_> = world.papers().into_iter().filter(mine).collect();
        let [paper] = &papers[..] else { continue };
        if record.bears(paper.cents) && world.b1.overwrite_reference(&reference, OVERWRITTEN) {
            world.story.tell("clerk", format!("overwrites {reference} in document {}", paper.entry));
            world.shops[shop].excuse(record.entity_id, Excuse::ReferenceOverwritten);
        }
    }
}

/// An operator has entities done again and sets cuts.
pub(crate) async fn operator(world: Arc<World>) {
    for round in 0..8 {
        tokio::time::sleep(Duration::from_secs(110)).await;
        let now = world.clock.now();
        let by_store = world.store_now().await;
        if let Some(mut dice) = world.chance.strikes(Group::Resync, "resync", round, 700) {
            let filter = EntityFilter { limit: 1_000, ..EntityFilter::default() };
            let all = world.store.list(&filter).await.unwrap().items;
            for _ in 0..3 {
                let Some(entity) = all.get(dice.pick(all.len())) else { break };
                let again = world.store.resync(&entity.key, Now { wall: now, store: by_store }).await.unwrap();
                world.story.tell("operator", format!("has {} done again: {again}", entity.key.id));
                world.resynced.lock().unwrap().insert(entity.key.clone());
            }
        }
        if let Some(mut dice) = world.chance.strikes(Group::Cuts, "cut", round, 300) {
            let (kind, flow) = (dice.pick(4), &world.flows[dice.pick(world.flows.len())]);
            let cut = world.store.cut(flow).await.unwrap();
            let to = match kind {
                0 => None,
                // Back, and not over what was never pulled: of a cut that lies ahead nobody knows how far pulls have come.
                1 => {
                    cut.filter(|cut| cut.cut_dt <= now).map(|cut| cut.cut_dt.min(now - SignedDuration::from_secs(600)))
                }
                2 => Some(now + SignedDuration::from_hours(24)),
                _ => Some("2062-01-01T00:00:00Z".parse().unwrap()),
            };
            world.story.tell("operator", format!("sets the cut of {flow} to {to:?}"));
            world.store.set_cut(flow, to.map(|cut_dt| Cut { cut_dt, offset: 0 })).await.unwrap();
        }
    }
}

/// Approves drafts, some minutes after they were saved.
pub(crate) async fn approver(world: Arc<World>) {
    loop {
        tokio::time::sleep(Duration::from_secs(170)).await;
        papers::approve(&world);
    }
}

/// An operator changes how references are made, once each order that may have been written has its own, and starts the workers
/// anew.
pub(crate) async fn rules(world: Arc<World>) {
    let Some(mut dice) = world.chance.strikes(Group::Rules, "other references", 0, 900) else { return };
    tokio::time::sleep(dice.seconds(100, 700)).await;
    loop {
        let filter = EntityFilter { limit: 1_000, ..EntityFilter::default() };
        let all = world.store.list(&filter).await.unwrap().items;
        if !all.iter().any(|entity| entity.written.is_some() && entity.reference.is_none()) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    world.other_rules.store(true, Ordering::Relaxed);
    world.story.tell("operator", format!("has references begin with {}", world.prefix()));
    world.processes.iter().filter(|process| !is_frontend(process)).for_each(|process| process.kill("other references"));
}

/// Steps the clocks of processes and of the shop.
pub(crate) async fn clocks(world: Arc<World>) {
    for process in &world.processes {
        if let Some(mut dice) = world.chance.strikes(Group::ClockSkew, "skewed clock", process.id, 700) {
            match dice.pick(4) {
                0 => process.clock.step(dice.between(-3_600, 3_600)),
                1 => process.clock.step(dice.between(-260, 260)),
                2 => process.clock.drift(dice.between(-400_000, 400_000)),
                _ => process.clock.stop(),
            }
            process.tell(format!("has a clock that shows {}", process.clock.now()));
        }
    }
    for shop in &world.shops {
        if let Some(dice) = world.chance.strikes(Group::ShopClock, "shop's clock", shop.place, 800) {
            tokio::spawn(ahead(world.clone(), shop.place, dice));
        }
    }
    for round in 0..(ACTIVE.as_secs() / 60) {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let nth = usize::try_from(round).unwrap();
        for process in &world.processes {
            let who = process.id * 100 + nth;
            let Some(mut dice) = world.chance.strikes(Group::ClockStep, "clock steps", who, 120) else { continue };
            tokio::time::sleep(dice.seconds(0, 30)).await;
            let back = if dice.one_in(3) { -1 } else { 1 };
            let by = back * if dice.one_in(2) { dice.between(150, 400) } else { dice.between(5, 3_600) };
            process.clock.step(by);
            process.tell(format!("its clock steps by {by} s"));
        }
    }
}

async fn ahead(world: Arc<World>, shop: usize, mut dice: Dice) {
    tokio::time::sleep(dice.seconds(10, 400)).await;
    let shop = &world.shops[shop];
    let by = dice.between(600, 90_000);
    shop.clock.step(by);
    world.story.tell(format!("shop {}", shop.place), format!("its clock runs ahead by {by} s"));
    tokio::time::sleep(dice.seconds(60, 400)).await;
    shop.clock.correct();
    world.story.tell(format!("shop {}", shop.place), "its clock is corrected");
}
