//! What is kept in step: tables, canonical documents, staged entities, cuts and sync tasks.

mod entity;
mod money;
mod order;
mod sync_task;
mod table;

pub use entity::{Entity, EntityKey, Fingerprint, Intent, TxStatus, Version};
pub use money::{Money, minor_units, parse_decimal, round_money};
pub use order::{Address, Addresses, Order, OrderItem};
pub use sync_task::{Counts, Cut, SyncStatus, SyncTask, SyncTaskId};
pub use table::{Direction, FlowId, Table};
