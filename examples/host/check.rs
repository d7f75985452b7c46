//! `--check`: is the file complete, and does what it names answer?

use datawald_core::{Error, Result};
use datawald_examples::Backends;

use crate::args::Args;
use crate::company::{Remark, examine};
use crate::config::Config;
use crate::health::{self, PATIENCE};
use crate::sides::Sides;

/// How much the first pull of each flow would bring, where there was none yet.
async fn first_pulls(config: &Config, sides: &Sides, backends: &Backends) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for setup in &config.flows {
        let (Some(shop), Ok(None)) = (sides.shop(&setup.id.frontend), backends.store().cut(&setup.id).await) else {
            continue;
        };
        // A shop that cannot be asked says so where it is tried.
        let Ok(Ok(orders)) = tokio::time::timeout(PATIENCE, shop.client().count_orders(setup.since)).await else {
            continue;
        };
        let text = match setup.since {
            Some(since) => format!("the first pull brings {orders} orders, those that changed since {since}"),
            None => {
                format!("the first pull brings {orders} orders, all that the shop has; with `since` it begins later")
            }
        };
        remarks.push(Remark { part: format!("flow {}", setup.id), text, wrong: false });
    }
    remarks
}

/// Tells that the file is complete; its mistakes were told already. With `--connect`, tries what it names.
pub(crate) async fn check(args: &Args, config: Config) -> Result<()> {
    println!("{} is complete", args.config.display());
    if !args.connect {
        return Ok(());
    }
    let sides = Sides::open(&config, args.roles())?;
    let flows: Vec<_> = config.flows.iter().map(|flow| flow.id.clone()).collect();
    let mut firsts = Vec::new();
    let backends = async {
        // Where the one cannot be opened, the other is not tried either: the error says which it is.
        match Backends::open(config.store.clone(), config.queue.clone()).await {
            Err(error) => vec![("store and queue".to_owned(), Err(error.report()))],
            Ok(backends) => {
                let tried = health::try_backends(&backends, &flows).await;
                let first = first_pulls(&config, &sides, &backends).await;
                backends.close().await;
                firsts.extend(first);
                tried
            }
        }
    };
    let (mut tried, answers) = tokio::join!(backends, sides.try_all());
    let mut remarks = examine(&sides, &config, &answers).await;
    remarks.extend(firsts);
    sides.close().await;
    tried.extend(answers);
    let mut failed = Vec::new();
    for (part, answer) in tried {
        match answer {
            Ok(()) => println!("{part}: answers"),
            Err(reason) => {
                println!("{part}: {}", config.redaction.apply(&reason));
                failed.push(part);
            }
        }
    }
    for Remark { part, text, wrong } in remarks {
        println!("{part}: {}", config.redaction.apply(&text));
        if wrong && !failed.contains(&part) {
            failed.push(part);
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Error::config("try connections", format!("does not work: {}", failed.join(", ")))),
    }
}
