//! Opening a store: every way it can fail says what to do, and never tells a password.

use std::time::{Duration, Instant};

use datawald_core::store::{MongoSettings, MongoStore, StagingStore};
use datawald_core::{Disposition, Error, ErrorKind};
use mongodb::bson::doc;

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

#[tokio::test]
async fn nobody_listening_is_told_in_time() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("mongodb://u:geheim@127.0.0.1:{port}/");
    let started = Instant::now();
    let error = refused(MongoSettings { connect_timeout_ms: 500, ..MongoSettings::new(uri) }).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(matches!(error.disposition(), Disposition::Retryable { .. }));
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
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
    assert_eq!(indexes, ["_id_", "due", "passes"]);
}
