//! The orders of the reference data, which nobody in this project wrote, all go through `orders_sync --orders`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use datawald_tests::{data_folder, run_orders_sync};
use sapb1_connector::sandbox::Way;

sapb1_connector::over_both_ways! {
    every_order_file_ends_with_equal_totals_or_a_reason
    the_sample_orders_end_as_they_are_meant_to
}

async fn every_order_file_ends_with_equal_totals_or_a_reason(way: Way) {
    let Some(data) = data_folder() else { return };
    let orders = data.join("magento2/orders");
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--orders", orders.to_str().unwrap(), "--rounds", "2", "--b1-api", way.name()];
    let run = run_orders_sync(folder.path(), &arguments).await;
    let files = std::fs::read_dir(&orders).unwrap().filter(|file| file.as_ref().unwrap().path().is_file()).count();
    assert_eq!(run.orders().len(), files, "one order per file");
    for order in run.orders() {
        let note = order["tx_note"].as_str().unwrap();
        match order["tx_status"].as_str().unwrap() {
            "S" => {
                assert!(order["b1_total"].is_string(), "{order}");
                assert_eq!(order["canonical_total"], order["b1_total"], "{order}");
            }
            "I" | "F" => assert!(note.len() > 20, "a reason that a merchant understands: {order}"),
            other => panic!("{other}: {order}"),
        }
    }
    let status = |file: &str| {
        let order = run.orders().iter().find(|order| order["file"] == file).unwrap();
        (order["tx_status"].as_str().unwrap().to_owned(), order["tx_note"].as_str().unwrap().to_owned())
    };
    // Only what must not go through does not: a cancelled order that never came to SAP B1 has no business there, and SAP B1
    // RESTful makes documents in the company's currency only, as the Service Layer does not.
    let (cancelled, note) = status("oca-order-9-canceled.json");
    assert!(cancelled == "I" && note.contains("cancel"), "{note}");
    let (inr, note) = status("appbuilder-order-1-guest-inr.json");
    let refused = match way {
        Way::Restful => {
            assert!(inr == "F" && note.contains("INR"), "{note}");
            1
        }
        Way::ServiceLayer => {
            assert_eq!(inr, "S", "{note}");
            0
        }
    };
    let applied = files - 1 - refused;
    assert_eq!(run.count("S"), applied, "{}", run.report());

    let rounds = run.report()["run"]["rounds"].as_array().unwrap();
    assert_eq!(rounds[1]["b1_writes"], 0, "a second round writes nothing: {}", rounds[1]);
    assert_eq!(run.report()["run"]["b1_documents"].as_u64().unwrap() as usize, applied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_file_ends_over_the_service_layer_as_over_restful() {
    let Some(data) = data_folder() else { return };
    let orders = data.join("magento2/orders");
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--orders", orders.to_str().unwrap(), "--rounds", "2"];
    let restful = run_orders_sync(folder.path(), &arguments).await;
    let folder = tempfile::tempdir().unwrap();
    let service_layer =
        run_orders_sync(folder.path(), &[&arguments[..], &["--b1-api", "service-layer"]].concat()).await;
    assert_eq!(restful.orders().len(), service_layer.orders().len());
    let key = |order: &serde_json::Value| (order["frontend"].to_string(), order["fe_order_id"].to_string());
    for order in service_layer.orders() {
        let other = restful.orders().iter().find(|other| key(other) == key(order)).unwrap();
        if order["currency"] != "USD" {
            // The Service Layer makes documents in any currency that the company has.
            assert_eq!((&order["tx_status"], &other["tx_status"]), (&"S".into(), &"F".into()), "{order}");
            assert_eq!(order["b1_total"], order["canonical_total"], "{order}");
            continue;
        }
        for field in ["tx_status", "b1_total", "b1_cancelled"] {
            assert_eq!(order[field], other[field], "{field} of {order}");
        }
    }
    let rounds = service_layer.report()["run"]["rounds"].as_array().unwrap();
    assert_eq!(rounds[1]["b1_writes"], 0, "a second round writes nothing: {}", rounds[1]);
}

async fn the_sample_orders_end_as_they_are_meant_to(way: Way) {
    let folder = tempfile::tempdir().unwrap();
    let run = run_orders_sync(folder.path(), &["--rounds", "2", "--b1-api", way.name()]).await;
    assert!(run.orders().len() >= 20, "{} sample orders", run.orders().len());
    for order in run.orders() {
        assert!(["S", "I", "F", "X"].contains(&order["tx_status"].as_str().unwrap()), "{order}");
        if order["tx_status"] == "S" {
            assert_eq!(order["canonical_total"], order["b1_total"], "{order}");
        }
    }
    let rounds = run.report()["run"]["rounds"].as_array().unwrap();
    assert_eq!(rounds[1]["b1_writes"], 0, "a second round writes nothing: {}", rounds[1]);
}
