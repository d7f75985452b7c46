//! Opening a store: every way it can fail says what to do, and never tells a password.

use std::time::{Duration, Instant};

use datawald_core::store::{MongoSettings, MongoStore, StagingStore};
use datawald_core::{Disposition, Error, ErrorKind};
use mongodb::bson::doc;
use tokio::net::TcpSocket;

use crate::proxy::Proxy;
use crate::servers::{Database, mongodb_uri};
use crate::world::flow;

async fn refused(settings: MongoSettings) -> Error {
    let error = MongoStore::connect(settings.clone()).await.unwrap_err();
    for shown in [error.to_string(), error.report(), format!("{error:?}"), format!("{settings:?}")] {
        assert!(!shown.contains("geheim"), "a password is told: {shown}");
    }
    error
}

/// The URI of the server for tests, with other credentials.
fn with_credentials(credentials: &str) -> String {
    let uri = mongodb_uri();
    let (scheme, rest) = uri.split_once("://").unwrap();
    let (before, path) = rest.split_once('/').unwrap_or((rest, ""));
    let hosts = before.rsplit('@').next().unwrap();
    format!("{scheme}://{credentials}@{hosts}/{path}")
}

#[tokio::test]
async fn a_connection_string_that_is_none_is_told() {
    for uri in ["", "localhost:27017", "mongodb://", "http://u:geheim@localhost", "mongodb://u:geheim@lo/cal:x/?a"] {
        let error = refused(MongoSettings::new(uri)).await;
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent), "{uri}: {error}");
        assert!(error.to_string().contains("mongodb://user:password@host"), "{error}");
        assert_eq!(error.field_path(), Some("uri"));
    }
}

/// A port of one's own at which nobody listens.
fn silent_port() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

#[tokio::test]
async fn nobody_listening_is_told_in_time() {
    let (_socket, address) = silent_port();
    let uri = format!("mongodb://u:geheim@{address}/");
    let started = Instant::now();
    let error = refused(MongoSettings { connect_timeout_ms: 500, ..MongoSettings::new(uri) }).await;
    let took = started.elapsed();
    assert!((Duration::from_millis(500)..Duration::from_secs(5)).contains(&took), "{took:?}");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(matches!(error.disposition(), Disposition::Retryable { .. }));
    assert!(error.to_string().contains(&address), "{error}");
    assert!(error.report().to_lowercase().contains("connection refused"), "why is not told: {}", error.report());
}

#[tokio::test]
async fn a_server_that_comes_within_the_time_is_waited_for() {
    let database = Database::new();
    let (socket, address) = silent_port();
    let settings = MongoSettings { connect_timeout_ms: 6_000, ..MongoSettings::new(database.uri_by(&address)) };
    let settings = MongoSettings { database: Some(database.name.clone()), ..settings };
    let opening = tokio::spawn(MongoStore::connect(settings));
    // The driver's first look for a server is over, which lasts half of the time.
    tokio::time::sleep(Duration::from_millis(3_300)).await;
    assert!(!opening.is_finished(), "it has given up");
    let _proxy = Proxy::on(socket.listen(16).unwrap(), database.host());
    opening.await.unwrap().unwrap();
}

#[tokio::test]
async fn refused_credentials_are_told() {
    let error = refused(MongoSettings::new(with_credentials("nobody:geheim"))).await;
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent), "{error}");
    assert!(error.to_string().contains("check user, password and `authSource`"), "{error}");
}

#[tokio::test]
async fn another_programs_collection_is_left_alone() {
    let database = Database::new();
    let raw = database.raw().await;
    let theirs = doc! { "_id": 1, "customer": "theirs" };
    raw.collection("entities").insert_one(theirs.clone()).await.unwrap();
    let error = refused(database.settings()).await;
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent));
    assert!(error.to_string().contains("`entities`") && error.to_string().contains(&database.name), "{error}");
    let found = raw.collection::<mongodb::bson::Document>("entities").find_one(doc! {}).await.unwrap();
    assert_eq!(found, Some(theirs));
    assert_eq!(raw.list_collection_names().await.unwrap(), ["entities"]);
}

#[tokio::test]
async fn what_is_closed_answers_with_an_error() {
    let database = Database::new();
    let store = database.store().await;
    store.close().await;
    let error = store.cut(&flow()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    database.store().await.cut(&flow()).await.unwrap();
}

#[tokio::test]
async fn many_may_open_it_at_once() {
    let database = Database::new();
    let opening: Vec<_> = (0..8).map(|_| tokio::spawn(MongoStore::connect(database.settings()))).collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
    let store = database.store().await;
    assert_eq!(store.cut(&flow()).await.unwrap(), None);
    let raw = database.raw().await;
    let indexes = raw.collection::<mongodb::bson::Document>("entities").list_index_names().await.unwrap();
    assert_eq!(indexes, ["_id_", "due", "failures", "names", "passes", "raw", "targets"]);
}

#[tokio::test]
async fn to_look_at_a_database_makes_nothing() {
    let database = Database::new();
    let raw = database.raw().await;
    assert!(!MongoStore::look(database.settings()).await.unwrap());
    assert_eq!(raw.list_collection_names().await.unwrap(), Vec::<String>::new());
    database.store().await.close().await;
    assert!(MongoStore::look(database.settings()).await.unwrap());
}
