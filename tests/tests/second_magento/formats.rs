//! How answers are written, and what stands before a shop: understood, or refused in words that are true.

use datawald_core::engine::FetchQuery;
use datawald_core::{Disposition, Error, ErrorKind};
use mage2_connector::{Mage2Client, Mage2Settings};
use serde_json::{Value, json};

use super::orders::{order, time};
use super::pulls::{Puller, sorted};
use super::shop::Shop;

const EVERYTHING: FetchQuery = FetchQuery { from: None, after: None, page_size: 100 };

async fn refused(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Error {
    let shop = Shop::with(1..=2).await;
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    shop.book().canned = Some((status, headers, body.to_vec()));
    Mage2Client::new(shop.settings()).unwrap().orders_page(&EVERYTHING).await.unwrap_err()
}

#[tokio::test]
async fn gzip_and_a_byte_order_mark_are_understood() {
    for (gzip, byte_order_mark) in [(true, false), (false, true), (true, true)] {
        let shop = Shop::with(1..=150).await;
        shop.book().gzip = gzip;
        shop.book().byte_order_mark = byte_order_mark;
        let puller = Puller::new(shop.settings(), shop.clock.clone());
        let (good, bad) = sorted(&puller.pull(None, 100).await.unwrap());
        assert_eq!((good.len(), bad.len()), (150, 0));
        assert_eq!(shop.book().requests[0].1["accept-encoding"], "gzip");
    }
}

#[tokio::test]
async fn a_small_answer_does_not_become_a_large_one() {
    let shop = Shop::with(1..=2).await;
    shop.book().gzip = true;
    for id in [1, 2] {
        shop.book().rows.get_mut(&id).unwrap()["store_name"] = " ".repeat(4 << 20).into();
    }
    let settings = Mage2Settings { max_body: 1 << 20, ..shop.settings() };
    let error = Mage2Client::new(settings).unwrap().orders_page(&EVERYTHING).await;
    // Each is too large by itself, so each has its stand-in; what is inflated stays below the limit.
    let page = error.unwrap();
    assert!(page.docs.iter().all(|doc| doc.text().len() < 1000) && !page.docs.is_empty());
}

#[tokio::test]
async fn an_encoding_that_was_not_asked_for_is_named() {
    let error = refused(200, &[("content-encoding", "br")], b"\x0b\x01").await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("encoded as `br`"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_named_and_not_followed() {
    let shop = Shop::with(1..=2).await;
    let location = "https://www.shop.example/rest/V1/orders?searchCriteria=secret";
    let error = refused(301, &[("location", location)], b"").await;
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent));
    assert!(error.to_string().contains("set `base_url` to https://www.shop.example"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    let elsewhere = format!("{}/login", shop.url);
    let error = refused(302, &[("location", elsewhere.as_str())], b"").await;
    assert!(
        error.to_string().contains(&elsewhere) && error.to_string().contains("login or a maintenance page"),
        "{error}"
    );
    assert!(shop.book().requests.is_empty());
}

#[tokio::test]
async fn a_gate_before_the_shop_is_told_from_magento() {
    let error = refused(401, &[("www-authenticate", "Basic realm=\"staging\"")], b"<html>401</html>").await;
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().contains("HTTP Basic") && error.to_string().contains("`headers`"), "{error}");
    let error = refused(401, &[], br#"{"message":"The consumer isn't authorized to access %resources."}"#).await;
    assert!(!error.to_string().contains("Basic"), "{error}");
}

#[tokio::test]
async fn headers_are_sent_and_kept_secret() {
    let shop = Shop::with(1..=2).await;
    let mut settings = shop.settings();
    Mage2Client::new(settings.clone()).unwrap().orders_page(&EVERYTHING).await.unwrap();
    let agent = shop.book().requests[0].1["user-agent"].to_str().unwrap().to_owned();
    assert!(agent.starts_with("datawald/"), "{agent}");
    settings.headers.insert("X-Shop-Gate".to_owned(), "s3cret".into());
    settings.headers.insert("user-agent".to_owned(), "Mozilla/5.0 erp".into());
    let client = Mage2Client::new(settings).unwrap();
    client.orders_page(&EVERYTHING).await.unwrap();
    let headers = shop.book().requests.last().unwrap().1.clone();
    assert_eq!(
        (headers["x-shop-gate"].to_str().unwrap(), headers["user-agent"].to_str().unwrap()),
        ("s3cret", "Mozilla/5.0 erp")
    );
    assert!(!format!("{client:?}").contains("s3cret"));
}

#[tokio::test]
async fn times_with_an_offset_are_understood() {
    let shop = Shop::with(1..=30).await;
    shop.book().iso_times = true;
    let puller = Puller::new(shop.settings(), shop.clock.clone());
    let staged = puller.pull(Some(format!("{}Z", time(10)).parse().unwrap()), 7).await.unwrap();
    assert_eq!(sorted(&staged), ((8..=30).collect(), Vec::new()));
    let wanted = format!("{}Z", time(12)).parse().unwrap();
    assert_eq!(staged.iter().find(|one| one.id == "12").unwrap().source_updated_at, Some(wanted));
}

/// JSON can write half of a character; no text can hold it.
#[tokio::test]
async fn half_a_character_spoils_no_order() {
    let shop = Shop::with(1..=2).await;
    let odd = order(2).to_string().replace("\"Pia\"", r#""\ud83d P\ud83d\ude00\ude00""#);
    let body = format!(r#"{{"items":[{},{odd}],"total_count":2}}"#, order(1));
    shop.book().canned = Some((200, Vec::new(), body.into_bytes()));
    let puller = Puller::new(shop.settings(), shop.clock.clone());
    let staged = puller.pull(None, 100).await.unwrap();
    assert_eq!(sorted(&staged), (vec![1, 2], Vec::new()));
    let doc: Value = serde_json::from_str(&staged[1].doc).unwrap();
    assert_eq!(doc["addresses"]["billto"]["firstname"], json!("\u{FFFD} P\u{1F600}\u{FFFD}"));
    assert!(serde_json::from_str::<Value>(&staged[1].raw).is_ok(), "what is kept can be read again");
}
