//! A certificate that is not trusted stops a run of `orders_sync` before anything is sent; one that is handed over does not.

use datawald_core::model::TxStatus;
use datawald_core::store::{EntityFilter, SqliteStore, StagingStore};
use datawald_tests::run_orders_sync;
use mage2_connector::sandbox::{Sandbox as Shop, SandboxOptions as ShopOptions};
use sapb1_connector::sandbox::service_layer::{Sandbox, SandboxOptions, Tls};
use sapb1_connector::sandbox::{COMPANY_DB, LOGIN};

use crate::world::{ROOTS, Setup, order};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_signed_by_itself() {
    for root in ROOTS {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let ca = folder.path().join("b1.pem");
        std::fs::write(&ca, made.cert.pem()).unwrap();
        let tls = Some(Tls { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() });
        let options = SandboxOptions { tls, ..Setup::new(root, 0).options };
        let b1 = Sandbox::start(options).await.unwrap();
        let shop = Shop::start(ShopOptions::default()).await.unwrap();
        (1..=3).for_each(|number| shop.put_order(order(number).to_string()).unwrap());

        let (magento, token, url) = (shop.url(), shop.token(), format!("{}{}", b1.url(), root.path()));
        let mut args = vec!["--magento", &magento, "--magento-token", &token, "--b1-api", "service-layer"];
        args.extend(["--b1", &url, "--b1-user", LOGIN.0, "--b1-company", COMPANY_DB, "--lease-ms", "4000"]);
        let run = run_orders_sync(folder.path(), &args).await;
        let told = String::from_utf8_lossy(&run.output.stderr);
        assert_eq!(run.output.status.code(), Some(1), "{told}");
        assert!(told.contains("the certificate of 127.0.0.1 is not trusted"), "{told}");
        assert!(!told.contains(LOGIN.1), "{told}");
        assert_eq!(b1.counters().requests, 0);
        let store = SqliteStore::open(folder.path().join("staging.db")).unwrap();
        let staged = store.list(&EntityFilter::default()).await.unwrap().items;
        assert!(staged.len() == 3 && staged.iter().all(|order| order.status == TxStatus::New), "{staged:?}");

        let ca = ca.display().to_string();
        args.extend(["--b1-ca", &ca]);
        let run = run_orders_sync(folder.path(), &args).await;
        assert_eq!(run.count("S"), 3, "{}", run.report());
        assert_eq!((b1.counters().documents, b1.counters().sessions), (3, 0), "and every session is given back");
    }
}
