//! The two sides: real ones by address, or sandboxes.

use std::collections::HashMap;
use std::sync::Arc;

use datawald_core::model::Entity;
use datawald_core::{Error, Result};
use mage2_connector::sandbox::{OrderSet, Sandbox as MagentoSandbox, SandboxOptions as MagentoOptions};
use mage2_connector::{Mage2Agency, Mage2Settings};
use sapb1_connector::sandbox::{B1Sandbox, Document};
use sapb1_connector::{B1Agency, B1Settings};

use crate::args::Args;
use crate::b1::B1;
use crate::shops::{self, Files};

/// A shop: a frontend of its own.
pub(crate) struct Shop {
    /// Its name.
    pub(crate) name: String,
    /// Its agency.
    pub(crate) agency: Arc<Mage2Agency>,
    /// The sandbox that plays it, unless it is a real one.
    sandbox: Option<MagentoSandbox>,
    /// The files that its orders come from, by number.
    files: HashMap<String, String>,
}

/// Both sides.
pub(crate) struct Sides {
    /// The shops.
    pub(crate) shops: Vec<Shop>,
    /// SAP B1, where orders are applied in this process.
    b1: Option<B1>,
    /// What a shop's orders are called in SAP B1, beside their number.
    prefixes: HashMap<String, String>,
}

impl Sides {
    /// Starts sandboxes where no address was given, and connects.
    pub(crate) async fn open(args: &Args) -> Result<Self> {
        let mut shops = Vec::new();
        match (&args.magento, &args.orders) {
            _ if !args.role.pulls() => {}
            (Some(url), _) => shops.push(real_shop(url, args)?),
            (None, Some(folder)) => {
                for (number, files) in shops::read(folder)?.into_iter().enumerate() {
                    shops.push(sandbox_shop(args, number, OrderSet::Files(files.clone()), files).await?);
                }
            }
            (None, None) => {
                let orders = args.synthetic.map_or(OrderSet::Fixtures, OrderSet::Synthetic);
                shops.push(sandbox_shop(args, 0, orders, Files::new()).await?);
            }
        }
        let mut settings = b1_settings(args)?;
        settings.requests.write_batch = args.batch;
        settings.requests.concurrency = args.concurrency;
        // Two shops may give the same number to different orders; in SAP B1 they must not look the same.
        let names =
            if args.role.pulls() { shops.iter().map(|shop: &Shop| shop.name.clone()).collect() } else { args.shops() };
        for name in names.into_iter().skip(1) {
            let prefix = format!("{name}-");
            settings.reference.prefix.entry(name).or_insert(prefix);
        }
        let prefixes = settings.reference.prefix.clone().into_iter().collect();
        let b1 = if args.role.applies() { Some(B1::open(args, settings).await?) } else { None };
        Ok(Self { shops, b1, prefixes })
    }

    /// SAP B1's agency, where orders are applied in this process.
    pub(crate) fn agency(&self) -> Option<Arc<B1Agency>> {
        self.b1.as_ref().map(|b1| b1.agency.clone())
    }

    /// Whether SAP B1 is a sandbox of this process.
    pub(crate) fn b1_is_sandbox(&self) -> bool {
        self.sandbox().is_some()
    }

    fn sandbox(&self) -> Option<&B1Sandbox> {
        self.b1.as_ref()?.sandbox.as_ref()
    }

    /// Gives back what SAP B1 holds for this process.
    pub(crate) async fn close(&self) {
        if let Some(b1) = &self.b1 {
            b1.agency.api().close().await;
        }
    }

    /// The document that the sandbox SAP B1 made of an order.
    pub(crate) fn document(&self, entity: &Entity) -> Option<Document> {
        let prefix = self.prefixes.get(&entity.key.frontend).map(String::as_str).unwrap_or_default();
        self.sandbox()?.document(&format!("{prefix}{}", entity.name))
    }

    /// The file that an order came from.
    pub(crate) fn file(&self, entity: &Entity) -> Option<String> {
        self.shops.iter().find(|shop| shop.name == entity.key.frontend)?.files.get(&entity.name).cloned()
    }

    /// Requests that all shops have seen.
    pub(crate) fn magento_requests(&self) -> u64 {
        let requests = |shop: &Shop| match &shop.sandbox {
            Some(sandbox) => sandbox.counters().requests,
            None => shop.agency.client().requests_sent(),
        };
        self.shops.iter().map(requests).sum()
    }

    /// Requests that SAP B1 has seen.
    pub(crate) fn b1_requests(&self) -> u64 {
        match &self.b1 {
            Some(B1 { sandbox: Some(sandbox), .. }) => sandbox.counters().requests,
            Some(b1) => b1.agency.api().requests_sent(),
            None => 0,
        }
    }

    /// Requests that write and documents, as the sandbox SAP B1 counts them.
    pub(crate) fn b1_writes_and_documents(&self) -> Option<(u64, u64)> {
        let counted = self.sandbox()?.counters();
        Some((counted.writes, counted.documents))
    }
}

fn real_shop(url: &str, args: &Args) -> Result<Shop> {
    let token = args.magento_token.as_deref().ok_or_else(|| {
        Error::config("read command line", "a Magento needs a token: --magento-token or the variable MAGENTO_TOKEN")
    })?;
    let agency = Arc::new(Mage2Agency::new(Mage2Settings::bearer(url, token))?);
    Ok(Shop { name: first(args), agency, sandbox: None, files: HashMap::new() })
}

/// The name of the first shop.
fn first(args: &Args) -> String {
    args.shops().into_iter().next().unwrap_or_default()
}

async fn sandbox_shop(args: &Args, number: usize, orders: OrderSet, files: Files) -> Result<Shop> {
    let options = MagentoOptions { orders, ..MagentoOptions::default() };
    let token = options.token.clone();
    let sandbox = MagentoSandbox::start(options).await.map_err(sandbox_error)?;
    let agency = Arc::new(Mage2Agency::new(Mage2Settings::bearer(sandbox.url(), token))?);
    let name = if number == 0 { first(args) } else { format!("{}-{}", first(args), number + 1) };
    let by_number = |(file, text): (String, String)| Some((shops::number(&text)?, file));
    Ok(Shop { name, agency, sandbox: Some(sandbox), files: files.into_iter().filter_map(by_number).collect() })
}

fn b1_settings(args: &Args) -> Result<B1Settings> {
    match &args.b1_settings {
        None => datawald_examples::b1_settings(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Error::config("read SAP B1 settings", format!("{} cannot be read", path.display())).caused_by(error)
            })?;
            B1Settings::from_toml(&text)
        }
    }
}

/// The error for a sandbox that cannot be started.
pub(crate) fn sandbox_error(error: std::io::Error) -> Error {
    Error::config("start sandbox", "no port of 127.0.0.1 can be opened").caused_by(error)
}
