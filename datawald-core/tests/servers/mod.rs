//! What the tests need of servers that they do not start themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests' own")]
#![allow(dead_code, unreachable_pub, reason = "shared by several test programs")]

use datawald_core::store::{MongoSettings, MongoStore};
use mongodb::Client;

/// The URI of the MongoDB server for tests.
pub fn mongodb_uri() -> String {
    std::env::var("MONGODB_URI").expect("run ./scripts/test, or set MONGODB_URI to the URI of a MongoDB server")
}

/// A database of its own, dropped when the test is over.
pub struct Database {
    pub uri: String,
    pub name: String,
}

impl Database {
    pub fn new() -> Self {
        Self { uri: mongodb_uri(), name: format!("datawald-test-{}", uuid::Uuid::now_v7().simple()) }
    }

    pub fn settings(&self) -> MongoSettings {
        MongoSettings { database: Some(self.name.clone()), ..MongoSettings::new(self.uri.clone()) }
    }

    /// Host and port of the server.
    pub fn host(&self) -> String {
        self.parts().2
    }

    /// The same server by another address.
    pub fn uri_by(&self, address: &str) -> String {
        let (scheme, credentials, _, query) = self.parts();
        format!("{scheme}://{credentials}{address}/?directConnection=true&retryWrites=false{query}")
    }

    fn parts(&self) -> (String, String, String, String) {
        let (scheme, rest) = self.uri.split_once("://").unwrap();
        let (before, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, host) = match before.rsplit_once('@') {
            Some((credentials, host)) => (format!("{credentials}@"), host),
            None => (String::new(), before),
        };
        let query = path.split_once('?').map_or(String::new(), |(_, query)| format!("&{query}"));
        (scheme.to_owned(), credentials, host.to_owned(), query)
    }

    pub async fn store(&self) -> MongoStore {
        MongoStore::connect(self.settings()).await.unwrap()
    }

    /// The database as the driver sees it.
    pub async fn raw(&self) -> mongodb::Database {
        Client::with_uri_str(&self.uri).await.unwrap().database(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (uri, name) = (self.uri.clone(), self.name.clone());
        // A runtime of its own: the test's may be on its way out.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { Client::with_uri_str(&uri).await.unwrap().database(&name).drop().await })
        });
        match dropped.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("could not drop a test's database: {error}"),
            Err(_) => eprintln!("could not drop a test's database"),
        }
    }
}

/// A store in a database of its own.
pub async fn mongo_store() -> (MongoStore, Database) {
    let database = Database::new();
    (database.store().await, database)
}
