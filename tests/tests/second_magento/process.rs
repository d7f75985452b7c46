//! Programs as processes: the sandbox with the keys of an integration that signs its requests, and `orders_sync` over this Magento.

use std::process::Command;
use std::time::Duration;

use datawald_core::ErrorKind;
use datawald_core::engine::FetchQuery;
use datawald_tests::{Process, example, run_orders_sync};
use mage2_connector::{Credentials, Mage2Client, Mage2Settings, OAuth1Keys};

use super::orders::time;
use super::shop::Shop;

fn keys(secret: &str) -> Credentials {
    Credentials::OAuth1(OAuth1Keys {
        consumer_key: "key".to_owned(),
        consumer_secret: secret.to_owned().into(),
        access_token: "token".to_owned().into(),
        access_token_secret: "token-secret".to_owned().into(),
    })
}

#[tokio::test]
async fn a_sandbox_process_takes_signed_requests() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(example("sandbox"));
    command.args(["magento", "--synthetic", "3", "--oauth", "key,secret,token,token-secret"]);
    let mut sandbox = Process::start(folder.path(), "sandbox", command);
    let log = sandbox.printed("control under /control", Duration::from_secs(60)).await;
    let url = log.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let query = FetchQuery { from: None, after: None, page_size: 10 };
    let page =
        async |credentials| Mage2Client::new(Mage2Settings::new(url, credentials)).unwrap().orders_page(&query).await;
    assert_eq!(page(keys("secret")).await.unwrap().docs.len(), 3);
    let error = page(keys("another")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().contains("The signature is invalid"), "{error}");
}

/// A first pull tells how much it brings, and begins where it is told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_sync_begins_where_it_is_told_to() {
    let shop = Shop::with(1..=20).await;
    for (since, orders) in [(None, 20), (Some(format!("{}Z", time(17)).replace(' ', "T")), 5)] {
        let folder = tempfile::tempdir().unwrap();
        let mut args = vec!["--magento", &shop.url, "--magento-token", "t0ken"];
        args.extend(since.iter().flat_map(|since| ["--since", since]));
        let run = run_orders_sync(folder.path(), &args).await;
        assert_eq!(run.orders().len(), orders, "{since:?}");
        let told = String::from_utf8_lossy(&run.output.stdout);
        assert!(told.contains(&format!("brings {orders} orders")), "{told}");
    }
}
