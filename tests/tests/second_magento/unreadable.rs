//! Orders that Magento cannot serialise: they fail, each by itself, and no other waits for them.

use std::sync::Arc;

use datawald_backoffice::OrdersTarget;
use datawald_core::engine::{Engine, FetchQuery, Flow};
use datawald_core::model::{FlowId, Table, TxStatus};
use datawald_core::store::{EntityFilter, SqliteStore};
use datawald_core::{Disposition, ErrorKind};
use datawald_frontend::OrdersSource;
use datawald_tests::PlainBackoffice;
use jiff::{SignedDuration, Timestamp};
use mage2_connector::sandbox::{Faults, OrderSet, Sandbox, SandboxOptions};
use mage2_connector::{Mage2Agency, Mage2Settings};

use super::orders::{order, time};
use super::pulls::{Puller, sorted};
use super::shop::Shop;

/// How an order cannot be read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    /// Whatever is asked of it fails.
    Always,
    /// It fails as long as the field that is not UTF-8 is part of the answer.
    Encoding,
    /// The answer has a byte that is not UTF-8.
    Bytes,
}

fn spoil(shop: &Shop, how: How, ids: &[u64]) {
    let mut book = shop.book();
    book.unserialisable.clear();
    book.latin_1.clear();
    book.lenient_json = how == How::Bytes;
    let spoiled = if how == How::Always { &mut book.unserialisable } else { &mut book.latin_1 };
    spoiled.extend(ids);
}

fn without(count: u64, ids: &[u64]) -> Vec<u64> {
    (1..=count).filter(|id| !ids.contains(id)).collect()
}

#[tokio::test]
async fn the_others_come_through_and_each_fails_by_itself() {
    for how in [How::Always, How::Encoding, How::Bytes] {
        // The first, the last, two in a row, and two of one second.
        let bad = [1, 57, 58, 130, 200, 201, 300];
        let shop = Shop::with(1..=300).await;
        spoil(&shop, how, &bad);
        let puller = Puller::new(shop.settings(), shop.clock.clone());
        let (good, failed) = sorted(&puller.pull(None, 100).await.unwrap());
        assert_eq!(good, without(300, &bad), "{how:?}");
        assert_eq!(failed.iter().map(|one| one.0).collect::<Vec<_>>(), bad, "{how:?}");
        let reason = if how == How::Bytes { "no valid JSON" } else { "HTTP 500" };
        for (_, told) in &failed {
            assert!(told.contains("Magento cannot give this order") && told.contains(reason), "{told}");
            assert!(!told.contains("webapi-"), "a number that changes each time would be new content: {told}");
        }
        let requests = shop.book().requests.len();
        assert!(requests < 60 * bad.len(), "{how:?}: {requests} requests");
    }
}

#[tokio::test]
async fn what_is_known_of_it_is_told() {
    let shop = Shop::with(1..=20).await;
    spoil(&shop, How::Encoding, &[15]);
    let puller = Puller::new(shop.settings(), shop.clock.clone());
    let staged = puller.pull(None, 100).await.unwrap();
    let failed = staged.iter().find(|entity| entity.id == "15").unwrap();
    assert_eq!((failed.name.as_str(), failed.source_status.as_str()), ("200000015", "processing"));
    assert_eq!(failed.source_updated_at, Some(format!("{}Z", time(15)).parse().unwrap()));
}

/// As it is every few minutes: only one order has changed, and it is the one.
#[tokio::test]
async fn one_alone_on_its_page_is_found() {
    for how in [How::Always, How::Encoding, How::Bytes] {
        // Alone, and with four others of about its second.
        for (bad, others) in [(300, vec![]), (299, vec![296, 297, 298, 300])] {
            let shop = Shop::with(1..=300).await;
            spoil(&shop, how, &[bad]);
            let from: Timestamp = format!("{}Z", time(bad)).parse().unwrap();
            let puller = Puller::new(shop.settings(), shop.clock.clone());
            let (good, failed) = sorted(&puller.pull(Some(from), 100).await.unwrap());
            assert_eq!(failed.iter().map(|one| one.0).collect::<Vec<_>>(), [bad], "{how:?}");
            assert_eq!(good, others, "{how:?}");
        }
    }
}

/// The next pulls over the same stretch do not look for it again.
#[tokio::test]
async fn what_is_known_is_passed_quickly() {
    let shop = Shop::with(1..=300).await;
    spoil(&shop, How::Always, &[150, 160]);
    let puller = Puller::new(shop.settings(), shop.clock.clone());
    let first = puller.pull(None, 100).await.unwrap();
    shop.book().requests.clear();
    let second = puller.pull(None, 100).await.unwrap();
    assert_eq!(sorted(&first), sorted(&second));
    let fingerprint = |staged: &[datawald_core::store::StageEntity]| {
        staged.iter().find(|entity| entity.id == "150").unwrap().fingerprint.clone()
    };
    assert_eq!(fingerprint(&first), fingerprint(&second), "it is not new content");
    let requests = shop.book().requests.len();
    assert!(requests <= 10, "{requests}");
}

#[tokio::test]
async fn everything_failing_is_no_order_that_cannot_be_read() {
    let shop = Shop::with(1..=300).await;
    shop.book().down = true;
    let puller = Puller::new(shop.settings(), shop.clock.clone());
    let error = puller.page(&FetchQuery { from: None, after: None, page_size: 100 }).await.unwrap_err();
    assert_eq!((error.kind(), error.code_text()), (ErrorKind::Busy, Some("500")));
    assert!(matches!(error.disposition(), Disposition::Retryable { .. }));
    assert!(error.to_string().starts_with("fetch orders:"), "{error}");
    assert_eq!(shop.book().requests.len(), 4);
    shop.book().down = false;
    assert_eq!(puller.pull(None, 100).await.unwrap().len(), 300);
}

#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_in_parts() {
    let shop = Shop::with(1..=60).await;
    let size = order(1).to_string().len();
    let settings = Mage2Settings { max_body: 10 * size, ..shop.settings() };
    let puller = Puller::new(settings, shop.clock.clone());
    let (good, failed) = sorted(&puller.pull(None, 50).await.unwrap());
    assert_eq!((good, failed), (without(60, &[]), Vec::new()));
}

/// Mended in Magento's database, which changes no `updated_at`: it is taken by itself.
#[tokio::test]
async fn a_mended_order_is_taken_by_itself() {
    for how in [How::Always, How::Encoding, How::Bytes] {
        let shop = Shop::with(1..=50).await;
        // Long before the others, so that the next pulls begin behind it.
        shop.book().rows.get_mut(&20).unwrap()["updated_at"] = "2026-02-01 00:00:00".into();
        spoil(&shop, how, &[20]);
        let puller = Puller::new(shop.settings(), shop.clock.clone());
        let (client, clock) = (puller.client.clone(), shop.clock.clone());
        let folder = tempfile::tempdir().unwrap();
        let flow = FlowId::new(Table::Orders, "second");
        let erp = Arc::new(PlainBackoffice::default());
        let store = Arc::new(SqliteStore::open(folder.path().join("staging.db")).unwrap());
        let engine = Engine::builder(store.clone())
            .flow(
                Flow::new(flow.clone())
                    .source(OrdersSource::new(Arc::new(Mage2Agency::with_client(client))))
                    .target(OrdersTarget::new(erp.clone())),
            )
            .build()
            .unwrap();
        let standing = async || {
            use datawald_core::store::StagingStore;
            let filter = EntityFilter { flow: Some(flow.clone()), limit: 100, ..EntityFilter::default() };
            let entities = store.list(&filter).await.unwrap().items;
            let with = |status: TxStatus| entities.iter().filter(|entity| entity.status == status).count();
            (with(TxStatus::Success), with(TxStatus::Failed))
        };
        engine.run_once(&flow).await.unwrap();
        assert_eq!(standing().await, (49, 1), "{how:?}");

        spoil(&shop, how, &[]);
        engine.run_once(&flow).await.unwrap();
        assert_eq!(standing().await, (49, 1), "it is not asked for at once");
        clock.advance(SignedDuration::from_secs(61));
        engine.run_once(&flow).await.unwrap();
        assert_eq!(standing().await, (50, 0), "{how:?}");
        assert_eq!(erp.documents().len(), 50);
    }
}

/// The sandbox has the same orders, and the same happens.
#[tokio::test]
async fn the_sandbox_does_the_same() {
    for faults in [
        Faults { unserialisable: vec![3, 57], ..Faults::default() },
        Faults { invalid_utf8: vec![3, 57], ..Faults::default() },
    ] {
        let files = (1..=120).map(|id| (id.to_string(), order(id).to_string())).collect();
        let options = SandboxOptions { orders: OrderSet::Files(files), ..SandboxOptions::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        sandbox.set_faults(faults);
        let settings = Mage2Settings::bearer(sandbox.url(), sandbox.token());
        let puller = Puller::new(settings, Arc::new(datawald_core::SystemClock));
        let (good, failed) = sorted(&puller.pull(None, 50).await.unwrap());
        assert_eq!((good, failed.len()), (without(120, &[3, 57]), 2));
    }
}
