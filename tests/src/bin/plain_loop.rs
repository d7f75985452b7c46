//! A plain loop, as one writes it in an afternoon: what has changed since the last cut is pulled page by page, looked up,
//! inserted if it is not there, and tried again, ever later, for as long as that fails; then the cut is moved.
//!
//! It stands on our connectors, so that pages, mapping, look-ups and time-outs are those of datawald, and on nothing of the
//! engine: no store, no lease, no settle delay. What that costs is what `endure --mover loop` counts.

#![allow(clippy::print_stderr, reason = "a program for people")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use datawald_backoffice::OrdersTarget;
use datawald_core::engine::{FetchQuery, Source, Target};
use datawald_core::model::{EntityKey, FlowId, Table, TxStatus};
use datawald_core::store::{Claimed, StageEntity};
use datawald_core::{Cx, Disposition, Error, Result};
use datawald_frontend::OrdersSource;
use jiff::Timestamp;
use mage2_connector::{Mage2Agency, Mage2Settings};
use sapb1_connector::sandbox::Way;
use sapb1_connector::{
    B1Agency, B1Api, B1Settings, RestfulClient, RestfulSettings, ServiceLayerClient, ServiceLayerSettings,
};

const PAGE: usize = 50;
const BATCH: usize = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// How long it waits for an answer.
const TIMEOUT_S: u64 = 4;

/// How long it is until what failed is tried again: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Moves orders from Magento to SAP B1, for ever.
#[derive(Debug, Parser)]
struct Args {
    #[arg(long)]
    magento: String,
    #[arg(long)]
    magento_token: String,
    #[arg(long, value_parser = |text: &str| Way::from_name(text).ok_or("no way into SAP B1"))]
    b1_api: Way,
    #[arg(long)]
    b1: String,
    #[arg(long)]
    b1_user: String,
    #[arg(long, default_value = "")]
    b1_company: String,
    /// The file that the cut is kept in
    #[arg(long)]
    cut: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let sides = match Sides::new(&args) {
        Ok(sides) => sides,
        Err(error) => {
            eprintln!("{}", error.report());
            return ExitCode::FAILURE;
        }
    };
    loop {
        if let Err(error) = sides.pull(&args.cut).await {
            eprintln!("{}", error.report());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

struct Sides {
    shop: OrdersSource,
    b1: OrdersTarget,
    cx: Cx,
}

impl Sides {
    fn new(args: &Args) -> Result<Self> {
        let shop = Mage2Agency::new(Mage2Settings::bearer(&args.magento, &args.magento_token))?;
        let mut rules = datawald_examples::b1_settings()?;
        rules.requests.write_timeout_s = TIMEOUT_S;
        rules.requests.read_timeout_s = TIMEOUT_S;
        let b1 = B1Agency::new(api(args, &rules)?, rules);
        let cx = Cx::new(FlowId::new(Table::Orders, "loop"));
        Ok(Self { shop: OrdersSource::new(Arc::new(shop)), b1: OrdersTarget::new(Arc::new(b1)), cx })
    }

    /// Takes all that has changed since the cut.
    async fn pull(&self, file: &Path) -> Result<()> {
        let from = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
        let mut query = FetchQuery { from, after: None, page_size: PAGE };
        loop {
            let page = self.shop.fetch(&self.cx, &query).await?;
            for batch in page.entities.chunks(BATCH) {
                self.apply(batch).await;
            }
            if let Some(reached) = page.reached {
                move_cut(file, reached.cut_dt)?;
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Looks a batch up, inserts what is not there, and tries again what failed.
    async fn apply(&self, batch: &[StageEntity]) {
        let mut left: Vec<Claimed> = batch.iter().map(|order| self.first_try(order)).collect();
        let mut wait = RETRY.0;
        loop {
            let mut applied = self.b1.apply(&self.cx, &left).await.into_iter();
            left.retain(|order| match applied.next().map(|applied| applied.result) {
                Some(Err(error)) => {
                    eprintln!("{}: {}", order.name, error.report());
                    error.disposition() != Disposition::Rejected
                }
                Some(Ok(_)) | None => false,
            });
            if left.is_empty() {
                return;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// A loop remembers nothing of an order: each time is the first.
    fn first_try(&self, order: &StageEntity) -> Claimed {
        Claimed {
            key: EntityKey::new(self.cx.flow(), order.id.clone()),
            name: order.name.clone(),
            token: 0,
            rev: 1,
            intent: order.intent.clone(),
            doc: order.doc.clone(),
            target_id: None,
            reference: None,
            written: None,
            missed: false,
            written_docs: Vec::new(),
            attempts: 1,
            lost_leases: 0,
            was: TxStatus::New,
            lease_until: Timestamp::MAX,
        }
    }
}

fn api(args: &Args, rules: &B1Settings) -> Result<Arc<dyn B1Api>> {
    let password = std::env::var("B1_PASSWORD").unwrap_or_default().into();
    Ok(match args.b1_api {
        Way::Restful => Arc::new(RestfulClient::new(RestfulSettings::new(&args.b1, &args.b1_user, password, rules)?)?),
        Way::ServiceLayer => {
            let made = ServiceLayerSettings::new(&args.b1, &args.b1_company, &args.b1_user, password, rules)?;
            Arc::new(ServiceLayerClient::new(made)?)
        }
    })
}

/// Writes the cut such that there is the old one or the new one, whenever the process is killed.
fn move_cut(file: &Path, cut: Timestamp) -> Result<()> {
    let new = file.with_extension("new");
    let written = std::fs::write(&new, cut.to_string()).and_then(|()| std::fs::rename(&new, file));
    written.map_err(|error| Error::config("move cut", format!("{} cannot be written", file.display())).caused_by(error))
}
