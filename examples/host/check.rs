//! `--check`: is the file complete, and does what it names answer?

use datawald_core::{Error, Result};
use datawald_examples::Backends;

use crate::args::Args;
use crate::company::{Remark, examine};
use crate::config::Config;
use crate::health;
use crate::sides::Sides;

/// Tells that the file is complete; its mistakes were told already. With `--connect`, tries what it names.
pub(crate) async fn check(args: &Args, config: Config) -> Result<()> {
    println!("{} is complete", args.config.display());
    if !args.connect {
        return Ok(());
    }
    let sides = Sides::open(&config, args.roles())?;
    let flows: Vec<_> = config.flows.iter().map(|flow| flow.id.clone()).collect();
    let backends = async {
        // Where the one cannot be opened, the other is not tried either: the error says which it is.
        match Backends::open(config.store.clone(), config.queue.clone()).await {
            Err(error) => vec![("store and queue".to_owned(), Err(error.report()))],
            Ok(backends) => {
                let tried = health::try_backends(&backends, &flows).await;
                backends.close().await;
                tried
            }
        }
    };
    let (mut tried, answers) = tokio::join!(backends, sides.try_all());
    let remarks = examine(&sides, &config, &answers).await;
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
