//! What customers and shop keepers do: orders are placed, edited, cancelled; two stores use one number.

use std::sync::Arc;
use std::time::Duration;

use super::chance::Dice;
use super::schedule::Group;
use super::shop::{Excuse, Record, Version};
use super::world::World;

/// The life of the order number `place`.
pub(crate) async fn order(world: Arc<World>, place: usize) {
    let chance = &world.chance;
    let shop = &world.shops[place % world.shops.len()];
    let collides = world.schedule().has(Group::Collision);
    let mut dice = match chance.strikes(Group::Ties, "placed together", place, 800) {
        Some(_) => chance.common_dice("placed together", place / 7),
        None => chance.dice("placed", place / 4),
    };
    tokio::time::sleep(Duration::from_secs(dice.seconds(1, 400).as_secs())).await;
    let nth = place / world.shops.len() + 1;
    let number = match (collides, shop.place) {
        (true, 1) => format!("2{nth:09}"),
        _ => format!("{nth:09}"),
    };
    let entity_id = u64::try_from(place).unwrap() * 2 + 1;
    let late = |site| chance.strikes(Group::Late, site, place, 200).map_or(0, |mut dice| dice.between(1, 200));
    let mut record = Record {
        shop: shop.place,
        entity_id,
        number,
        store: 1,
        versions: vec![first_version(&world, nth)],
        excuses: [].into(),
    };
    if world.shares_numbers() {
        record.excuses.insert(Excuse::SharedNumber);
    }
    let twin = chance.strikes(Group::TwoStores, "twin", place, 300);
    if twin.is_some() {
        record.excuses.insert(Excuse::SharedNumber);
    }
    shop.place(record.clone(), late("commits late"));
    if let Some(dice) = twin {
        tokio::spawn(the_twin(world.clone(), record, dice));
    }
    for round in 0..2 {
        if let Some(mut dice) = chance.strikes(Group::Edits, "address", place, 300) {
            tokio::time::sleep(dice.seconds(1, 200)).await;
            let street = world.street();
            shop.change(entity_id, late("edit commits late"), None, |version| version.street = street);
        }
        if let Some(mut dice) = chance.strikes(Group::Unmappable, "cannot be mapped", place, 150) {
            tokio::time::sleep(dice.seconds(1, 200)).await;
            let excuse = Some(Excuse::CannotBeMapped);
            shop.change(entity_id, 0, excuse, |version| version.mappable = false);
        }
        if round == 0
            && let Some(mut dice) = chance.strikes(Group::Money, "money", place, 120)
        {
            tokio::time::sleep(dice.seconds(1, 300)).await;
            let cents = world.cents();
            shop.change(entity_id, 0, Some(Excuse::MoneyChanged), |version| version.cents = cents);
        }
    }
    if let Some(mut dice) = chance.strikes(Group::Cancels, "cancelled", place, 150) {
        tokio::time::sleep(dice.seconds(1, 300)).await;
        shop.change(entity_id, late("cancel commits late"), Some(Excuse::CancelledLate), |version| {
            version.status = "canceled";
        });
    }
}

/// An order of another store with the same number, which may be cancelled.
async fn the_twin(world: Arc<World>, first: Record, mut dice: Dice) {
    tokio::time::sleep(dice.seconds(0, 200)).await;
    let shop = &world.shops[first.shop];
    let entity_id = first.entity_id + 1;
    let versions = vec![version(&world, "processing")];
    shop.place(Record { entity_id, store: 2, versions, ..first }, 0);
    if dice.one_in(2) {
        tokio::time::sleep(dice.seconds(5, 300)).await;
        shop.change(entity_id, 0, Some(Excuse::CancelledLate), |version| version.status = "canceled");
    }
}

/// Of two shops that share their numbers, every other pair of orders comes to the same total too.
fn first_version(world: &World, nth: usize) -> Version {
    let same = world.shares_numbers() && (world.schedule().seed + nth as u64).is_multiple_of(2);
    let cents = if same { 900_000 + 37 * nth as u64 } else { world.cents() };
    Version { cents, ..version(world, "pending") }
}

fn version(world: &World, status: &'static str) -> Version {
    Version { cents: world.cents(), street: world.street(), status, mappable: true }
}
