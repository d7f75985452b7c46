//! The task queue over RabbitMQ (3.10 or newer), for workers on many machines.
//!
//! ```no_run
//! # async fn example() -> datawald_core::Result<()> {
//! use std::sync::Arc;
//!
//! use datawald_core::queue::{RabbitQueue, RabbitSettings, TaskQueue};
//!
//! let queue = RabbitQueue::connect(RabbitSettings::new("amqp://shop:s3cret@mq.example.com/shop")).await?;
//! let for_the_engine: Arc<dyn TaskQueue> = Arc::new(queue.clone());
//! // …
//! queue.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # At the broker
//!
//! A flow has a durable quorum queue `<prefix>.<table>.<frontend>`, and `….dead` for what was set aside, by whoever received
//! it or by RabbitMQ itself: what is no task, and what was delivered too often without an acknowledgement. What is to be tried
//! later waits in `….delay.<milliseconds>`; these come and go. Nothing else is declared, and the default exchange is used.
//!
//! # When RabbitMQ is away
//!
//! Every method answers within a few seconds, with a retryable error; the store knows what is due meanwhile. Connections and
//! queues are made again by whoever needs them next, after a restart as after all queues were deleted. Deliveries in hand when
//! the connection is lost come again, and acknowledging them is an error that says so.
//!
//! # When RabbitMQ is full
//!
//! A queue that has reached its capacity refuses ([`Published::Full`](super::Published::Full)). So does all of RabbitMQ while
//! it is low on memory or disk: it blocks the connections that publish, which is logged when it begins and when it ends.
//! Receiving and acknowledging go on, over a connection of their own.

mod config;
mod connection;
mod consumer;
mod dead;
mod delay;
mod error;
mod names;
mod parcel;
mod publish;
mod queue;
mod receive;
mod topology;

pub use config::RabbitSettings;
pub use queue::RabbitQueue;
