//! What the shop does meanwhile: new orders come, and there are edits.

use std::time::Duration;

use jiff::Timestamp;
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value};

use super::plan::Plan;
use super::world::World;

/// One order in so many is edited.
const EDITED: u64 = 8;

/// An edit touches one of the orders that came last as often as any other: those are on their way.
const LATEST: u64 = 50;

const STATUSES: [&str; 3] = ["pending", "processing", "complete"];

pub(super) struct Shop {
    /// A shop that has all orders from the beginning, whose texts are taken.
    texts: Sandbox,
    /// How many there were at the start.
    first: u64,
    all: u64,
    /// How many there are now.
    made: u64,
    edited: u64,
    time: Duration,
    dice: StdRng,
}

impl Shop {
    pub(super) fn new(plan: &Plan) -> Result<Self, String> {
        let options = SandboxOptions { orders: OrderSet::Synthetic(plan.orders), ..SandboxOptions::default() };
        let (texts, _) = Sandbox::in_process(options).map_err(|error| error.to_string())?;
        let first = plan.orders / 2;
        // The last come well before the end, so that enough befalls them too.
        let time = plan.time() * 9 / 10;
        let dice = StdRng::seed_from_u64(plan.seed ^ 0x5309);
        Ok(Self { texts, first, all: plan.orders, made: first, edited: 0, time, dice })
    }

    /// Has come and be edited what should have by now.
    pub(super) fn tend(&mut self, world: &World, elapsed: Duration) -> Result<(), String> {
        let (elapsed, time) = (elapsed.min(self.time).as_millis(), self.time.as_millis().max(1));
        let part = |of: u64| u64::try_from(u128::from(of) * elapsed / time).unwrap_or(u64::MAX);
        let (made, edited) = (self.first + part(self.all - self.first), part(self.all / EDITED));
        while self.made < made {
            self.made += 1;
            self.put(world, self.made)?;
        }
        while self.edited < edited && self.made > 0 {
            self.edited += 1;
            let latest = if self.dice.random_bool(0.5) { self.made.saturating_sub(LATEST) } else { 0 };
            let order = self.dice.random_range(latest + 1..=self.made);
            let status = STATUSES[self.dice.random_range(0..STATUSES.len())];
            let changes = Map::from_iter([("status".to_owned(), Value::from(status))]);
            world.magento.edit_order(order, changes).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Has come whatever has not yet.
    pub(super) fn finish(&mut self, world: &World) -> Result<(), String> {
        self.tend(world, self.time)
    }

    fn put(&self, world: &World, order: u64) -> Result<(), String> {
        let text = self.texts.order(order).ok_or_else(|| format!("there is no order {order}"))?;
        let mut order: Map<String, Value> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let now = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        for time in ["created_at", "updated_at"] {
            order.insert(time.to_owned(), Value::from(now.clone()));
        }
        world.magento.put_order(Value::Object(order).to_string()).map_err(|error| error.to_string())
    }

    /// How many edits there were.
    pub(super) fn edits(&self) -> u64 {
        self.edited
    }
}
