//! A service that has datawald among its crates: its TLS and its database are as they are without.

use datawald_core::Result;
use datawald_core::http::{Http, HttpSettings};
use datawald_core::store::{SqliteStore, StagingStore};
use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use sqlx::{Connection, SqliteConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    tls()?;
    databases().await?;
    println!("TLS and databases are the service's own");
    Ok(())
}

/// The one provider among the crates is the service's. datawald takes it where it is told to, and installs none.
fn tls() -> Result<()> {
    let https = HttpSettings::new("https://shop.example.com")?;
    let missing = Http::new(https.clone()).expect_err("no provider was handed over or installed");
    assert_eq!(missing.field_path(), Some("tls_provider"));
    assert!(missing.to_string().contains("install_default()"), "{missing}");
    Http::new(HttpSettings::new("http://shop.example.com")?)?;

    let tls_provider = Some(aws_lc_rs::default_provider().into());
    Http::new(HttpSettings { tls_provider, ..https.clone() })?;
    assert!(CryptoProvider::get_default().is_none());

    // With two providers among the crates, this would panic.
    let _ = ClientConfig::builder();
    Http::new(https)?;
    Ok(())
}

/// sqlx opens its database, and datawald its store.
async fn databases() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut own = SqliteConnection::connect("sqlite::memory:").await?;
    let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&mut own).await?;
    assert_eq!(one, 1);

    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("staging.db"))?;
    assert!(store.write_record("beside", 0, "sqlx").await?);
    Ok(())
}
