//! Bad input, bad answers, bad configuration: a clear error each, nothing lost, no panic, and neither a secret nor personal
//! data in any text. Through `orders_sync`, as its user meets them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;

use datawald_examples::{b1_arguments, sample_company};
use datawald_tests::{Run, run_orders_sync};
use mage2_connector::sandbox::{Faults, OrderSet, Sandbox, SandboxOptions};
use sapb1_connector::sandbox::{B1Sandbox, LOGIN, Way};
use serde_json::{Value, json};

/// What must be in no text.
const SECRETS: [&str; 8] =
    ["Quentin", "Zwiebelfisch", "quentin@example.com", "Geheimweg", "555-0199", "sandbox-token", "abcxyz", "hunter2"];

sapb1_connector::over_both_ways! {
    wrong_types
    missing_required_fields
    an_order_with_no_lines
    an_unknown_currency
    a_control_character_in_a_name
    a_sku_of_300_characters
    invalid_json
    an_html_error_page_with_status_200
    a_body_cut_short
    a_body_of_200_mb
    a_wrong_password_and_a_wrong_token
    a_wrong_url
    a_store_that_is_none
    a_store_of_another_version
    a_disk_that_cannot_be_written
    a_number_that_somebody_overwrote_in_sap_b1
}

struct Sides {
    magento: Sandbox,
    b1: B1Sandbox,
    folder: tempfile::TempDir,
}

impl Sides {
    async fn start(way: Way) -> Self {
        let magento =
            Sandbox::start(SandboxOptions { orders: OrderSet::Empty, ..SandboxOptions::default() }).await.unwrap();
        let b1 = B1Sandbox::start(way, sample_company()).await.unwrap();
        Self { magento, b1, folder: tempfile::tempdir().unwrap() }
    }

    fn put(&self, order: &Value) {
        self.magento.put_order(order.to_string()).unwrap();
    }

    async fn sync(&self) -> Run {
        self.sync_with(&[]).await
    }

    async fn sync_with(&self, more: &[&str]) -> Run {
        let token = SandboxOptions::default().token;
        let (magento, b1) = (self.magento.url(), b1_arguments(&self.b1));
        let mut args = vec!["--magento", &magento, "--magento-token", &token];
        args.extend(b1.iter().map(String::as_str));
        args.extend(["--lease-ms", "5000"]);
        args.extend(more);
        let run = run_orders_sync(self.folder.path(), &args).await;
        clean(&run);
        run
    }
}

/// No secret and no personal data on the terminal, nor in a note; and no panic.
fn clean(run: &Run) {
    let notes: Vec<_> = match &run.report {
        Some(report) => report["orders"].as_array().unwrap().iter().map(|order| order["tx_note"].to_string()).collect(),
        None => Vec::new(),
    };
    let texts = [String::from_utf8_lossy(&run.output.stderr), String::from_utf8_lossy(&run.output.stdout)];
    for text in texts.iter().map(AsRef::as_ref).chain(notes.iter().map(String::as_str)) {
        for secret in SECRETS {
            assert!(!text.contains(secret), "`{secret}` is in: {text}");
        }
        assert!(!text.contains("panicked"), "{text}");
    }
}

/// The run ended with this error.
fn ends_with(run: &Run, expected: &[&str]) {
    let error = String::from_utf8_lossy(&run.output.stderr);
    assert!(!run.output.status.success(), "it must fail");
    for part in expected {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

fn order(number: u64) -> Value {
    let address = json!({
        "firstname": "Quentin", "lastname": "Zwiebelfisch", "street": ["Geheimweg 7"], "city": "Calder", "postcode": "49628",
        "region_code": "MI", "country_id": "US", "telephone": "555-0199", "email": "quentin@example.com",
    });
    json!({
        "entity_id": number, "increment_id": format!("{number:09}"), "state": "new", "status": "pending", "store_id": 1,
        "created_at": "2026-01-01 00:00:00", "updated_at": format!("2026-01-01 00:00:{:02}", number % 60),
        "order_currency_code": "USD", "base_currency_code": "USD", "customer_is_guest": 1, "is_virtual": 0,
        "customer_email": "quentin@example.com", "subtotal": 20, "grand_total": 20, "discount_amount": 0,
        "shipping_amount": 0, "shipping_tax_amount": 0, "tax_amount": 0, "total_qty_ordered": 2,
        "items": [{"item_id": number, "sku": "SKU-1", "name": "Thing", "product_type": "simple", "qty_ordered": 2, "price": 10,
            "row_total": 20, "tax_amount": 0, "discount_amount": 0}],
        "billing_address": address, "payment": {"method": "checkmo"},
        "extension_attributes": {"shipping_assignments": [{"shipping": {"address": address, "method": "flatrate_flatrate"}}]},
    })
}

/// One bad order between two good ones: it fails with a note that tells where and what, the good ones go through; once it is
/// mended in Magento, it goes through too.
async fn bad_order(way: Way, spoil: impl FnOnce(&mut Value), note: &[&str]) {
    let sides = Sides::start(way).await;
    sides.put(&order(1));
    let mut bad = order(2);
    spoil(&mut bad);
    sides.put(&bad);
    sides.put(&order(3));

    let run = sides.sync().await;
    assert_eq!((run.count("S"), run.count("F")), (2, 1), "{}", run.report());
    let failed = run.orders().iter().find(|order| order["tx_status"] == "F").unwrap();
    for part in note {
        assert!(failed["tx_note"].as_str().unwrap().contains(part), "`{part}` is not in: {}", failed["tx_note"]);
    }
    let store = datawald_core::store::SqliteStore::open(sides.folder.path().join("staging.db")).unwrap();
    let listing = datawald_core::store::StagingStore::list(&store, &Default::default()).await.unwrap();
    let staged = listing.items.iter().find(|entity| entity.name == failed["fe_order_id"].as_str().unwrap()).unwrap();
    assert!(staged.raw.contains("\"entity_id\""), "what came is kept");

    let mut mended = order(2);
    mended["updated_at"] = "2026-01-01 00:00:30".into();
    sides.put(&mended);
    let run = sides.sync().await;
    assert_eq!(run.count("S"), 3, "{}", run.report());
    assert_eq!(sides.b1.counters().documents, 3);
}

/// The document stands, but not under its number: it is neither doubled nor held to be cancelled, and once it has its number
/// back, everything goes on.
async fn a_number_that_somebody_overwrote_in_sap_b1(way: Way) {
    let sides = Sides::start(way).await;
    sides.put(&order(1));
    let run = sides.sync().await;
    assert_eq!(run.count("S"), 1, "{}", run.report());
    let key = sides.b1.document("000000001").unwrap().doc_entry.to_string();
    assert!(sides.b1.overwrite_reference("000000001", "PO 77"));

    let edits = [
        json!({ "status": "processing", "state": "processing" }),
        json!({ "status": "canceled", "state": "canceled" }),
    ];
    for (second, edit) in edits.iter().enumerate() {
        let mut edit = edit.as_object().unwrap().clone();
        edit.insert("updated_at".into(), format!("2026-01-01 00:01:{second:02}").into());
        sides.magento.edit_order(1, edit).unwrap();
        let run = sides.sync().await;
        assert_eq!(run.count("F"), 1, "{}", run.report());
        let note = run.orders()[0]["tx_note"].as_str().unwrap();
        for part in [key.as_str(), "000000001", "give the document its reference back"] {
            assert!(note.contains(part), "`{part}` is not in: {note}");
        }
        assert_eq!(sides.b1.counters().documents, 1);
    }

    assert!(sides.b1.overwrite_reference("PO 77", "000000001"));
    // What changes at the source has it tried again.
    let changes = json!({ "updated_at": "2026-01-01 00:02:00", "coupon_code": "SPRING" });
    sides.magento.edit_order(1, changes.as_object().unwrap().clone()).unwrap();
    let run = sides.sync().await;
    assert_eq!(run.count("X"), 1, "{}", run.report());
    assert!(sides.b1.document("000000001").unwrap().cancelled);
}

async fn wrong_types(way: Way) {
    bad_order(way, |order| order["items"][0]["qty_ordered"] = json!({"many": 2}), &["items[0].qty_ordered"]).await;
    bad_order(way, |order| order["grand_total"] = json!("twenty"), &["grand_total"]).await;
    bad_order(way, |order| order["items"] = json!("none"), &["items"]).await;
    bad_order(way, |order| order["billing_address"] = json!(["Quentin Zwiebelfisch"]), &["billing_address"]).await;
}

async fn missing_required_fields(way: Way) {
    for field in ["billing_address", "order_currency_code", "grand_total", "items"] {
        let spoil = |order: &mut Value| {
            order.as_object_mut().unwrap().remove(field);
        };
        bad_order(way, spoil, &[field]).await;
    }
    let spoil = |order: &mut Value| {
        order["items"][0].as_object_mut().unwrap().remove("sku");
    };
    bad_order(way, spoil, &["items[0].sku"]).await;
}

async fn an_order_with_no_lines(way: Way) {
    bad_order(way, |order| order["items"] = json!([]), &["items"]).await;
}

async fn an_unknown_currency(way: Way) {
    bad_order(way, |order| order["order_currency_code"] = json!("DUBLOONS"), &["currency"]).await;
    bad_order(way, |order| order["order_currency_code"] = json!("XQZ"), &["currency", "XQZ"]).await;
}

async fn a_control_character_in_a_name(way: Way) {
    bad_order(
        way,
        |order| order["billing_address"]["firstname"] = json!("Quentin\u{7}"),
        &["firstname", "control character"],
    )
    .await;
}

async fn a_sku_of_300_characters(way: Way) {
    bad_order(way, |order| order["items"][0]["sku"] = json!("S".repeat(300)), &["items[0].sku", "300"]).await;
}

/// Magento answers badly: the run ends with an error, and once Magento is well again everything goes through.
async fn bad_answers(way: Way, faults: Faults, error: &[&str]) {
    let sides = Sides::start(way).await;
    (1..=5).for_each(|number| sides.put(&order(number)));
    sides.magento.set_faults(faults);
    // A shop that is away is waited for.
    let run = sides.sync_with(&["--close-wait-ms", "3000"]).await;
    ends_with(&run, error);
    sides.magento.set_faults(Faults::default());
    let run = sides.sync().await;
    assert_eq!(run.count("S"), 5);
    assert_eq!(sides.b1.counters().documents, 5);
}

async fn invalid_json(way: Way) {
    bad_answers(way, Faults { invalid_json: true, ..Faults::default() }, &["fetch orders", "JSON"]).await;
}

async fn an_html_error_page_with_status_200(way: Way) {
    bad_answers(way, Faults { html: true, ..Faults::default() }, &["fetch orders", "HTML", "HTTP 200"]).await;
}

async fn a_body_cut_short(way: Way) {
    bad_answers(way, Faults { cut_body: true, ..Faults::default() }, &["fetch orders", "whole answer"]).await;
}

async fn a_body_of_200_mb(way: Way) {
    bad_answers(way, Faults { huge_body_bytes: Some(200 << 20), ..Faults::default() }, &["larger than the limit"])
        .await;
}

async fn a_wrong_password_and_a_wrong_token(way: Way) {
    let sides = Sides::start(way).await;
    sides.put(&order(1));
    let token = SandboxOptions::default().token;
    let (magento_url, b1) = (sides.magento.url(), b1_arguments(&sides.b1));
    let magento = ["--magento", &magento_url];
    let b1: Vec<&str> = b1.iter().map(String::as_str).collect();

    let folder = sides.folder.path().to_owned();
    let args: Vec<_> = magento.iter().chain(&["--magento-token", &token]).chain(&b1).copied().collect();
    let mut command = datawald_tests::orders_sync(&folder, &args);
    command.env("B1_PASSWORD", "hunter2");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let run = Run { output, report: None };
    clean(&run);
    ends_with(&run, &["user", "password"]);

    let args: Vec<_> = magento.iter().chain(&["--magento-token", "hunter2"]).chain(&b1).copied().collect();
    let run = run_orders_sync(&folder, &args).await;
    clean(&run);
    ends_with(&run, &["isn't authorized", "token"]);

    assert_eq!(sides.sync().await.count("S"), 1, "with the right ones, the order that waited goes through");
}

async fn a_wrong_url(way: Way) {
    let sides = Sides::start(way).await;
    sides.put(&order(1));
    let b1 = b1_arguments(&sides.b1);
    let b1: Vec<&str> = b1.iter().map(String::as_str).collect();
    for (url, expected) in [
        ("shop.example.com", "URL"),
        ("ftp://shop.example.com", "not an http or https address"),
        ("https://admin:hunter2@shop.example.com", "credentials"),
        ("http://127.0.0.1:1", "cannot connect to 127.0.0.1"),
    ] {
        let shop = ["--magento", url, "--magento-token", "t0ken", "--close-wait-ms", "3000"];
        let args: Vec<_> = shop.iter().chain(&b1).copied().collect();
        let run = run_orders_sync(sides.folder.path(), &args).await;
        clean(&run);
        ends_with(&run, &[expected]);
    }
    let token = SandboxOptions::default().token;
    let url = sides.b1.url();
    let b1 = b1.iter().map(|arg| if *arg == url { "b1.example.com" } else { arg });
    let magento = sides.magento.url();
    let args: Vec<_> = ["--magento", &magento, "--magento-token", &token].into_iter().chain(b1).collect();
    let run = run_orders_sync(sides.folder.path(), &args).await;
    clean(&run);
    ends_with(&run, &["URL"]);
    assert_eq!(sides.sync().await.count("S"), 1);
}

/// A store that cannot be used: the run ends before anything is asked of either side, and the file is left as it was.
async fn bad_store(way: Way, path: &Path, error: &[&str]) {
    let before = std::fs::read(path).ok();
    let sides = Sides::start(way).await;
    sides.put(&order(1));
    let store = format!("sqlite:{}", path.display());
    let token = SandboxOptions::default().token;
    let mut command = std::process::Command::new(datawald_tests::example("orders_sync"));
    command.env("B1_PASSWORD", LOGIN.1);
    command.args(["--store", &store, "--magento", &sides.magento.url(), "--magento-token", &token]);
    command.args(b1_arguments(&sides.b1));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let run = Run { output, report: None };
    clean(&run);
    ends_with(&run, error);
    assert_eq!(std::fs::read(path).ok(), before, "the file is left as it was");
    assert_eq!((sides.magento.counters().requests, sides.b1.counters().requests), (0, 0));
}

async fn a_store_that_is_none(way: Way) {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("letter.db");
    std::fs::write(&text, "Dear staging store, this is only a letter, though a long one. ".repeat(100)).unwrap();
    bad_store(way, &text, &["letter.db", "not"]).await;
    bad_store(way, folder.path(), &[folder.path().to_str().unwrap()]).await;
    bad_store(way, &folder.path().join("no/such/folder/staging.db"), &["staging.db"]).await;
}

async fn a_store_of_another_version(way: Way) {
    let sides = Sides::start(way).await;
    sides.put(&order(1));
    sides.sync().await;
    let path = sides.folder.path().join("staging.db");
    // The version stands in the file's header, at byte 60 (`PRAGMA user_version`); the file is at rest.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    std::fs::write(&path, bytes).unwrap();
    bad_store(way, &path, &["999", "staging.db"]).await;
}

async fn a_disk_that_cannot_be_written(way: Way) {
    // A file system that takes no new files, whoever asks; permissions would not stop root.
    bad_store(way, Path::new("/proc/staging.db"), &["/proc/staging.db"]).await;
}
