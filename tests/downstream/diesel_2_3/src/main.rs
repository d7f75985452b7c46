//! diesel opens its database, and datawald its store, in one program.

use datawald_core::store::{SqliteStore, StagingStore};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut own = SqliteConnection::establish(":memory:")?;
    own.batch_execute("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")?;

    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("staging.db"))?;
    assert!(store.write_record("beside", 0, "diesel").await?);
    println!("the database and the store are open");
    Ok(())
}
