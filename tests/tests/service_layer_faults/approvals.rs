//! Orders that an approval procedure takes, by `orders_sync` and its report.

use std::path::Path;

use datawald_tests::{Run, run_orders_sync};
use mage2_connector::sandbox::{Sandbox as Shop, SandboxOptions as ShopOptions};
use sapb1_connector::sandbox::service_layer::{Faults, Sandbox};
use sapb1_connector::sandbox::{COMPANY_DB, LOGIN};
use serde_json::{Value, json};

use crate::world::{ROOTS, Setup, id, order};

async fn sync(folder: &Path, shop: &Shop, b1: &str, more: &[&str]) -> Run {
    let (magento, token) = (shop.url(), shop.token());
    let mut args = vec!["--magento", &magento, "--magento-token", &token, "--b1", b1, "--b1-api", "service-layer"];
    args.extend(["--b1-user", LOGIN.0, "--b1-company", COMPANY_DB, "--lease-ms", "4000"]);
    args.extend(more);
    run_orders_sync(folder, &args).await
}

fn line(run: &Run, number: u64) -> Value {
    run.orders().iter().find(|line| line["fe_order_id"] == id(number)).unwrap().clone()
}

fn counted(b1: &Sandbox) -> (u64, u64) {
    let counters = b1.counters();
    (counters.documents, counters.drafts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_recorded_as_such_and_becomes_the_order() {
    for root in ROOTS {
        let folder = tempfile::tempdir().unwrap();
        let shop = Shop::start(ShopOptions::default()).await.unwrap();
        (1..=5).for_each(|number| shop.put_order(order(number).to_string()).unwrap());
        let b1 = Sandbox::start(Setup::new(root, 0).options).await.unwrap();
        b1.set_faults(Faults { approval_numbers: [id(2), id(4)].into(), ..Faults::default() });
        let url = format!("{}{}", b1.url(), root.path());

        let run = sync(folder.path(), &shop, &url, &["--rounds", "2"]).await;
        assert_eq!(run.count("S"), 5, "{}", run.report());
        assert_eq!(counted(&b1), (3, 2), "a second round doubles neither");
        let draft =
            |number| line(&run, number)["bo_order_id"].as_str().unwrap().strip_prefix("draft ").map(str::to_owned);
        let (second, fourth) = (draft(2).unwrap(), draft(4).unwrap());
        assert_ne!(second, fourth);
        assert_eq!(draft(1), None);
        let drafts: Vec<i64> = b1.drafts().iter().map(|draft| draft.doc_entry).collect();
        assert!(drafts.iter().all(|entry| [&second, &fourth].contains(&&entry.to_string())), "{drafts:?}");

        // It changes in the shop: the draft stays one, and stays as it is.
        let change =
            |number: u64, changes: Value| shop.edit_order(number, changes.as_object().unwrap().clone()).unwrap();
        change(2, json!({ "status": "processing" }));
        let run = sync(folder.path(), &shop, &url, &[]).await;
        assert_eq!(line(&run, 2)["bo_order_id"], format!("draft {second}"), "{}", run.report());
        assert_eq!(counted(&b1), (3, 2));

        // It is approved, and changes once more: the order is found, and no other is made.
        let entry = b1.approve(second.parse().unwrap()).unwrap();
        change(2, json!({ "status": "pending" }));
        let run = sync(folder.path(), &shop, &url, &[]).await;
        assert_eq!(run.count("S"), 5, "{}", run.report());
        assert_eq!(line(&run, 2)["bo_order_id"], entry.to_string());
        assert_eq!(counted(&b1), (4, 2));

        // The customer cancels both: the order is cancelled, and of the draft it is told who must refuse it.
        for number in [2, 4] {
            change(number, json!({ "state": "canceled", "status": "canceled" }));
        }
        let run = sync(folder.path(), &shop, &url, &[]).await;
        assert_eq!((run.count("S"), run.count("X"), run.count("F")), (3, 1, 1), "{}", run.report());
        let told = line(&run, 4)["tx_note"].to_string();
        assert!(told.contains("waits for approval in SAP B1: refuse or remove the draft there"), "{told}");
        assert!(b1.document(&id(2)).unwrap().cancelled);
        assert_eq!(counted(&b1), (4, 2));
    }
}
