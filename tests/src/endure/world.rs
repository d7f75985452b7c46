//! The sandboxes, which live in this program and count, and where orders are staged.

use std::path::{Path, PathBuf};

use datawald_core::store::{MongoSettings, MongoStore, SqliteStore, StagingStore};
use datawald_examples::sample_company;
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use sapb1_connector::sandbox::{B1Sandbox, Company};

use super::plan::Plan;
use crate::servers::{MongoServer, RabbitNode, in_database};

/// The name of the shop.
pub(super) const SHOP: &str = "endure";

pub(super) struct World {
    pub(super) magento: Sandbox,
    pub(super) b1: B1Sandbox,
    pub(super) servers: Option<Servers>,
    folder: PathBuf,
    /// The how manieth file it is that orders are staged in.
    file: u32,
}

pub(super) struct Servers {
    pub(super) mongo: MongoServer,
    pub(super) broker: RabbitNode,
}

impl World {
    pub(super) async fn start(plan: &Plan) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("datawald-endure-").tempdir();
        let folder = folder.map_err(|error| format!("a temporary folder cannot be made: {error}"))?.keep();
        let servers = if plan.needs_servers() {
            let (mongo, broker) =
                tokio::try_join!(MongoServer::start(), RabbitNode::start()).map_err(|error| error.to_string())?;
            Some(Servers { mongo, broker })
        } else {
            None
        };
        let options = SandboxOptions { orders: OrderSet::Synthetic(plan.orders / 2), ..SandboxOptions::default() };
        let no_port = |error: std::io::Error| format!("a sandbox cannot be started: {error}");
        // Nobody logs out for a worker that is killed: its sessions keep their licences until they time out.
        let company = Company { licences: 100_000, ..sample_company() };
        Ok(Self {
            magento: Sandbox::start(options).await.map_err(no_port)?,
            b1: B1Sandbox::start(plan.way, company).await.map_err(no_port)?,
            servers,
            folder,
            file: 1,
        })
    }

    /// For what processes print, and for the store's file.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that orders are staged in, where it is one.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.join(format!("staging-{}.db", self.file))
    }

    /// Deletes the file while it is in use, with those that belong to it.
    pub(super) fn delete_file(&self) {
        let file = self.file();
        for end in ["", "-wal", "-shm"] {
            let mut name = file.clone().into_os_string();
            name.push(end);
            // Not all of them are there at any time.
            let _ = std::fs::remove_file(name);
        }
    }

    /// Has orders be staged in a new file from now on.
    pub(super) fn new_file(&mut self) {
        self.file += 1;
    }

    fn uri(&self) -> String {
        match &self.servers {
            Some(servers) => in_database(servers.mongo.uri(), "endure"),
            None => format!("sqlite:{}", self.file().display()),
        }
    }

    /// The arguments of every process: store and queue.
    pub(super) fn backends(&self) -> Vec<String> {
        let mut args = vec!["--store".to_owned(), self.uri()];
        if let Some(servers) = &self.servers {
            args.extend(["--queue".to_owned(), servers.broker.uri().to_owned()]);
        }
        args
    }

    /// Where MongoDB and the broker are; nowhere if there are none.
    pub(super) fn server_uris(&self) -> (&str, &str) {
        self.servers.as_ref().map_or(("", ""), |servers| (servers.mongo.uri(), servers.broker.uri()))
    }

    /// The file that a loop keeps its cut in.
    pub(super) fn cut_file(&self) -> PathBuf {
        self.folder.join("cut")
    }

    /// The store, to be read at the end.
    pub(super) async fn store(&self) -> Result<Box<dyn StagingStore>, String> {
        let unread = |error: datawald_core::Error| format!("the store cannot be read: {}", error.report());
        Ok(match &self.servers {
            Some(_) => Box::new(MongoStore::connect(MongoSettings::new(self.uri())).await.map_err(unread)?),
            None => Box::new(SqliteStore::open(self.file()).map_err(unread)?),
        })
    }
}
