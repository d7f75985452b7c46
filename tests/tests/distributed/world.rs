//! Sandboxes in the test, and processes of `orders_sync` beside it.

use datawald_examples::{b1_arguments, sample_company};
pub(crate) use datawald_tests::Process;
use datawald_tests::orders_sync;
use datawald_tests::servers::{in_database, shared_amqp_url, shared_mongodb_uri};
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use sapb1_connector::sandbox::{B1Sandbox, Document, Way};
use serde_json::Value;

/// A name that no other test has: of a database, of a shop (and so of its queues).
pub(crate) fn unique(what: &str) -> String {
    format!("{what}-{}", uuid::Uuid::now_v7().simple())
}

/// A database of its own on the shared MongoDB server.
pub(crate) fn database() -> String {
    in_database(&shared_mongodb_uri().unwrap(), &unique("test"))
}

/// The shared RabbitMQ node.
pub(crate) fn broker() -> String {
    shared_amqp_url().unwrap()
}

/// Where orders are staged and how tasks travel.
#[derive(Debug, Clone)]
pub(crate) struct Backends {
    pub(crate) store: String,
    pub(crate) queue: Option<String>,
}

impl Backends {
    pub(crate) fn shared() -> Self {
        Self { store: database(), queue: Some(broker()) }
    }
}

/// A shop and its sandbox.
pub(crate) struct Shop {
    pub(crate) name: String,
    pub(crate) magento: Sandbox,
}

/// Shops, SAP B1, and a folder for what processes write.
pub(crate) struct World {
    pub(crate) shops: Vec<Shop>,
    pub(crate) b1: B1Sandbox,
    pub(crate) backends: Backends,
    pub(crate) folder: tempfile::TempDir,
    /// Arguments of every process.
    pub(crate) sizes: Vec<String>,
}

impl World {
    /// Shops with `orders` made-up orders each, and a SAP B1 over `way`.
    pub(crate) async fn new(way: Way, backends: Backends, shops: usize, orders: u64) -> Self {
        let mut open = Vec::new();
        for _ in 0..shops {
            let options = SandboxOptions { orders: OrderSet::Synthetic(orders), ..SandboxOptions::default() };
            open.push(Shop { name: unique("shop"), magento: Sandbox::start(options).await.unwrap() });
        }
        let sizes =
            "--page-size 100 --batch 10 --concurrency 2 --lease-ms 3000 --settle-delay-ms 1000 --close-wait-ms 240000";
        Self {
            shops: open,
            b1: B1Sandbox::start(way, sample_company()).await.unwrap(),
            backends,
            folder: tempfile::tempdir().unwrap(),
            sizes: sizes.split(' ').map(str::to_owned).collect(),
        }
    }

    fn start(&self, name: &str, mut args: Vec<String>) -> Process {
        args.extend(["--store".to_owned(), self.backends.store.clone()]);
        if let Some(queue) = &self.backends.queue {
            args.extend(["--queue".to_owned(), queue.clone()]);
        }
        args.extend(self.sizes.iter().cloned());
        let folder = self.folder.path().join(name);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Process::start(&folder, name, orders_sync(&folder, &args))
    }

    /// A process that pulls a shop.
    pub(crate) fn frontend(&self, shop: usize, name: &str) -> Process {
        self.start(name, [words("--role frontend"), self.magento(shop)].concat())
    }

    /// A process that applies the orders of every shop.
    pub(crate) fn worker(&self, name: &str) -> Process {
        let shops = self.shops.iter().flat_map(|shop| ["--shop".to_owned(), shop.name.clone()]);
        self.start(name, [words("--role worker"), b1_arguments(&self.b1), shops.collect()].concat())
    }

    /// A process that does both for a shop.
    pub(crate) fn both(&self, shop: usize, name: &str) -> Process {
        self.start(name, [self.magento(shop), b1_arguments(&self.b1)].concat())
    }

    fn magento(&self, shop: usize) -> Vec<String> {
        let shop = &self.shops[shop];
        let token = SandboxOptions::default().token;
        ["--shop", &shop.name, "--magento", &shop.magento.url(), "--magento-token", &token].map(String::from).into()
    }

    /// The documents of an order of a shop; those after the first shop are told apart by its name.
    pub(crate) fn documents(&self, shop: usize, order: &str) -> Vec<Document> {
        match shop {
            0 => self.b1.documents_of(order),
            shop => self.b1.documents_of(&format!("{}-{order}", self.shops[shop].name)),
        }
    }

    /// Every order of a shop's report is S, and SAP B1 has one document of each.
    pub(crate) fn check_all_applied(&self, shop: usize, report: &Value, orders: u64) {
        let lines = report["orders"].as_array().unwrap();
        assert_eq!(lines.len() as u64, orders, "orders of {}", self.shops[shop].name);
        for line in lines {
            let order = line["fe_order_id"].as_str().unwrap();
            assert_eq!(line["tx_status"], "S", "{line}");
            let documents = self.documents(shop, order);
            assert_eq!(documents.len(), 1, "documents of {order}");
            assert_eq!(line["bo_order_id"], documents[0].doc_entry.to_string(), "{order}");
        }
    }
}

pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}
