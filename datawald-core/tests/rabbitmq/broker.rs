//! The RabbitMQ node that the tests use, and queues on it that are gone after the test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a failure is a panic")]

use datawald_core::queue::{RabbitQueue, RabbitSettings};

/// Where the node is.
pub(crate) fn uri() -> String {
    std::env::var("AMQP_URL").unwrap_or_else(|_| {
        panic!("no RabbitMQ to test with: run ./scripts/test, or set AMQP_URL to a node (amqp://guest:guest@127.0.0.1:5672)")
    })
}

/// The node's `host:port`.
pub(crate) fn node() -> String {
    let uri = url::Url::parse(&uri()).unwrap();
    format!("{}:{}", uri.host_str().unwrap(), uri.port().unwrap_or(5672))
}

/// A channel of somebody else, with confirms.
pub(crate) async fn channel() -> lapin::Channel {
    let connection = lapin::Connection::connect(&uri(), lapin::ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(lapin::options::ConfirmSelectOptions::default()).await.unwrap();
    channel
}

/// A queue with names of its own, holding about 64 messages per flow.
pub(crate) async fn queue() -> (RabbitQueue, Keep) {
    queue_with(|_| ()).await
}

/// The same, with other settings.
pub(crate) async fn queue_with(change: impl FnOnce(&mut RabbitSettings)) -> (RabbitQueue, Keep) {
    let mut settings = RabbitSettings::new(uri());
    settings.prefix = format!("test-{}", uuid::Uuid::now_v7().simple());
    settings.capacity = 64;
    change(&mut settings);
    let queue = RabbitQueue::connect(settings.clone()).await.unwrap();
    (queue.clone(), Keep { settings, queue })
}

/// Deletes the queues when the test is over, also when it failed.
pub(crate) struct Keep {
    pub(crate) settings: RabbitSettings,
    queue: RabbitQueue,
}

impl Drop for Keep {
    fn drop(&mut self) {
        let (settings, flows) = (self.settings.clone(), self.queue.flows());
        // The test's own runtime may be the one that waits here.
        let cleaning = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let queue = RabbitQueue::connect(settings).await.unwrap();
                for flow in flows {
                    queue.delete_queues(&flow).await.unwrap();
                }
                queue.close().await;
            });
        });
        if cleaning.join().is_err() && !std::thread::panicking() {
            panic!("the queues of the test could not be deleted");
        }
    }
}
