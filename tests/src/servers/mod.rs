//! MongoDB and RabbitMQ for tests: private servers that a test may kill and start again, and the shared ones that
//! `with_servers` starts for a whole run.
//!
//! A private server listens on a free port of the loopback address and keeps its data in a temporary folder of its own:
//!
//! ```ignore
//! let mut broker = RabbitNode::start().await?;
//! connect(broker.uri()).await?;
//! broker.kill();                      // kill -9: what was not confirmed may be lost
//! broker.restart().await?;            // the same port, the same data
//! ```
//!
//! Nothing stays behind, however a test ends. Dropping a server kills it and removes its folder. Where there is no time
//! for that (the test itself is killed with `kill -9`), a [`Guard`] does both: a shell whose input is a pipe from
//! the test, and which cleans up once that pipe is closed.
//!
//! MongoDB is a real `mongod` where the machine has one, else `secantusd-rs`, which speaks its protocol; both are processes
//! only. `./scripts/test` sets up what is missing. A server that cannot be had is an error, never a reason to skip a test.

mod compose;
mod error;
mod find;
mod guard;
mod mongo;
mod ports;
mod process;
mod rabbit;
mod shared;

pub use compose::Compose;
pub use error::{Result, ServerError};
pub use find::schemathesis;
pub use guard::Guard;
pub use mongo::MongoServer;
pub use ports::free_port;
pub use rabbit::RabbitNode;
pub use shared::{AMQP_URL, MONGODB_URI, in_database, shared_amqp_url, shared_mongodb_uri};
