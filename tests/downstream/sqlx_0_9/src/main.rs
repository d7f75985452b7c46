//! sqlx opens its database, and datawald its store, in one program.

use datawald_core::store::{SqliteStore, StagingStore};
use sqlx::{Connection, SqliteConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut own = SqliteConnection::connect("sqlite::memory:").await?;
    let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&mut own).await?;
    assert_eq!(one, 1);

    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("staging.db"))?;
    assert!(store.write_record("beside", 0, "sqlx").await?);
    println!("the database and the store are open");
    Ok(())
}
