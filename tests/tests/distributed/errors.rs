//! What somebody who sets it up gets wrong, and a broker that is full.

use std::time::Duration;

use datawald_tests::servers::{MongoServer, RabbitNode, free_port, in_database};
use mongodb::Client;
use mongodb::bson::doc;
use sapb1_connector::sandbox::Way;

use crate::world::{Backends, World, broker, database};

sapb1_connector::over_both_ways! {
    a_broker_that_is_away_only_delays_and_is_told
    a_full_broker_only_delays_and_is_told
}

const LIMIT: Duration = Duration::from_secs(60);

/// Runs with these backends, which must be refused, and gives what was printed. It does not come to SAP B1, whatever the way.
async fn refused(backends: Backends) -> String {
    let world = World::new(Way::ServiceLayer, backends, 1, 10).await;
    let mut process = world.both(0, "refused");
    let status = process.wait(LIMIT).await;
    let log = process.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(!log.contains("geheim"), "a password is told: {log}");
    assert_eq!(world.b1.counters().requests, 0);
    log
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_addresses_are_told() {
    let port = free_port().unwrap();
    let log = refused(Backends { store: format!("mongodb://u:geheim@127.0.0.1:{port}/x"), queue: None }).await;
    assert!(log.contains(&format!("no MongoDB server of 127.0.0.1:{port} answers")), "{log}");
    let log = refused(Backends { store: "mongodb://u:geheim@@nowhere:x".into(), queue: None }).await;
    assert!(log.contains("the MongoDB connection string cannot be read"), "{log}");
    let log = refused(Backends { store: "postgres://u:geheim@host".into(), queue: None }).await;
    assert!(log.contains("sqlite:PATH or mongodb://"), "{log}");
    let log = refused(Backends { store: database(), queue: Some("kafka://u:geheim@host".into()) }).await;
    assert!(log.contains("amqp://"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_told() {
    let server = MongoServer::start_with_access_control().await.unwrap();
    let store = in_database(&server.uri_as("nobody", "geheim"), "x");
    let log = refused(Backends { store, queue: None }).await;
    assert!(log.contains("refused the credentials"), "{log}");

    let url = broker();
    let (scheme, rest) = url.split_once("://").unwrap();
    let host = rest.rsplit('@').next().unwrap();
    let queue = Some(format!("{scheme}://nobody:geheim@{host}"));
    let log = refused(Backends { store: database(), queue }).await;
    assert!(log.contains("refused"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_programs_collection_is_told() {
    let store = database();
    let client = Client::with_uri_str(&store).await.unwrap();
    let theirs = client.default_database().unwrap();
    theirs.collection("entities").insert_one(doc! { "_id": 1, "customer": "theirs" }).await.unwrap();
    let log = refused(Backends { store, queue: None }).await;
    assert!(log.contains("`entities`") && log.contains("name another database"), "{log}");
    theirs.drop().await.unwrap();
}

/// Nobody at the broker's address: that is told, and the store's sweep does the work meanwhile.
async fn a_broker_that_is_away_only_delays_and_is_told(way: Way) {
    let port = free_port().unwrap();
    let queue = Some(format!("amqp://u:geheim@127.0.0.1:{port}"));
    let world = World::new(way, Backends { store: database(), queue }, 1, 100).await;
    let mut process = world.both(0, "away");
    let report = process.report(LIMIT).await;
    world.check_all_applied(0, &report, 100);
    let log = process.log();
    assert!(log.contains(&format!("127.0.0.1:{port}")) && log.contains("tasks wait in the store"), "{log}");
    assert!(!log.contains("geheim"), "{log}");
}

/// A broker that is low on memory takes no tasks: that is told, and the store's sweep does the work meanwhile.
async fn a_full_broker_only_delays_and_is_told(way: Way) {
    let node = RabbitNode::start().await.unwrap();
    node.rabbitmqctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await.unwrap();
    let backends = Backends { store: database(), queue: Some(node.uri().to_owned()) };
    let world = World::new(way, backends, 1, 200).await;
    let mut process = world.both(0, "full");
    let report = process.report(LIMIT).await;
    let log = process.log();
    assert!(log.contains("blocks publishers") && log.contains("low on memory"), "{log}");
    world.check_all_applied(0, &report, 200);
    node.rabbitmqctl(&["set_vm_memory_high_watermark", "0.4"]).await.unwrap();
}
