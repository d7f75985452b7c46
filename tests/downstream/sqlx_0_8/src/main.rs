//! A service that has datawald among its crates: its types, its TLS and its database are as they are without.

use std::collections::BTreeMap;

use datawald_core::Result;
use datawald_core::http::{Http, HttpSettings};
use datawald_core::store::{SqliteStore, StagingStore};
use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use serde::Deserialize;
use sqlx::{Connection, SqliteConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    types()?;
    tls()?;
    databases().await?;
    println!("types, TLS and databases are the service's own");
    Ok(())
}

/// Numbers in the types that serde reads twice. With serde_json's `arbitrary_precision` anywhere in the program, each is refused.
fn types() -> serde_json::Result<()> {
    #[derive(Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Price { amount: f64 },
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(f64),
        Text(String),
    }
    #[derive(Deserialize)]
    struct Flattened {
        #[serde(flatten)]
        rest: BTreeMap<String, f64>,
    }
    let Tagged::Price { amount } = serde_json::from_str(r#"{"kind": "Price", "amount": 12.5}"#)?;
    let untagged: Vec<Untagged> = serde_json::from_str(r#"[12.5, "none"]"#)?;
    let flattened: Flattened = serde_json::from_str(r#"{"amount": 12.5}"#)?;
    assert!(matches!(&untagged[..], [Untagged::Number(number), Untagged::Text(_)] if *number == amount));
    assert_eq!(flattened.rest["amount"], amount);
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
