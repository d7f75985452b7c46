//! An endurance run: real processes of `orders_sync`, or of another mover, over sandboxes, and everything befalls them that may
//! befall processes, clocks, servers and SAP B1. At the end somebody counts who knows nothing of the engine.
//!
//! * `plan`: how long, how many, over what;
//! * `world`: the sandboxes, the store and the queue;
//! * `programs`: what the processes run: `orders_sync`, or the peer or a plain loop in its place;
//! * `members`: the processes, killed, frozen and started again;
//! * `clock`: the wall clock of each process, set by a preloaded library;
//! * `shop`: new orders and edits, while all this goes on;
//! * `chaos`: what happens when, by a seed;
//! * `staged`: what the mover itself says of the orders;
//! * `judge`: the count;
//! * `report`: the table and the file.
//!
//! # Other movers
//!
//! `--mover celery` and `--mover loop` put another mover in the place of datawald, in the same world: the same shop and edits,
//! the same SAP B1, the same things by the same seed, and the same judge. What they lose and double is what the engine is for.
//!
//! | | Celery | loop |
//! |---|---|---|
//! | what it is | [`Peer`](crate::Peer), run where it is | `src/bin/plain_loop.rs` |
//! | over | SAP B1 RESTful | both ways |
//! | processes | `--workers` workers of one task each, and a scheduler | one |
//! | its state | MongoDB and RabbitMQ | a file with the cut |
//! | what failed | is F until the next sync, which takes up every order again | is tried again after 1 s, 2 s, 4 s … |
//! | waits for an answer | 60 s | 4 s |
//! | a stall lasts | 62 to 66 s | as for datawald |
//!
//! The peer sends no tax and no discount, whatever befalls: most of its documents come to another total than was charged.

mod chaos;
mod clock;
mod judge;
mod members;
mod plan;
mod programs;
mod report;
mod shop;
mod staged;
mod world;

use std::time::Duration;

use tokio::time::Instant;

pub use clock::{FAKETIME, tell_time};
pub use judge::Verdict;
pub use plan::{Event, Mover, Plan, Store};
pub use report::Report;

use chaos::Chaos;
use members::Members;
use programs::Programs;
use shop::Shop;
use world::World;

/// How often it is looked what is due.
const TICK: Duration = Duration::from_millis(50);

/// Runs a plan to its end, and counts.
///
/// # Errors
/// If what the run needs is not there, or the store cannot be read at the end.
pub async fn run(plan: &Plan) -> Result<Report, String> {
    let library = clock::library()?;
    clock::check(&library).await?;
    let programs = Programs::new(plan)?;
    let world = World::start(plan).await?;
    let mut shop = Shop::new(plan)?;
    let mut members = Members::new(plan, programs, &world, &library)?;
    let mut chaos = Chaos::new(plan, world);
    let began = Instant::now();
    while began.elapsed() < plan.time() {
        shop.tend(chaos.world(), began.elapsed())?;
        members.tend(chaos.world())?;
        chaos.tend(&mut members, began.elapsed()).await?;
        tokio::time::sleep(TICK).await;
    }
    shop.finish(chaos.world())?;
    chaos.calm(&mut members).await?;
    let calm = Instant::now();
    let verdict = loop {
        members.tend(chaos.world())?;
        if let Some(verdict) = judge::settled(plan, chaos.world()).await? {
            break verdict;
        }
        if calm.elapsed() >= plan.calm() {
            break judge::count(plan, chaos.world()).await?;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    members.stop_all(Instant::now()).await;
    Ok(Report::new(plan, verdict, &shop, &members, &chaos, began.elapsed()))
}
