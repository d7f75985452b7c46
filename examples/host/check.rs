//! `--check`: is the file complete, and does what it names answer?

use datawald_core::{Error, Result};
use datawald_examples::Backends;

use crate::args::Args;
use crate::config::Config;
use crate::work::Prepared;

/// Tells that the file is complete; its mistakes were told already. With `--connect`, tries what it names.
pub(crate) async fn check(args: &Args, config: Config) -> Result<()> {
    println!("{} is complete", args.config.display());
    if !args.connect {
        return Ok(());
    }
    let backends = Backends::open(config.store.clone(), config.queue.clone()).await?;
    let tried = match Prepared::new(&config, args.roles(), &backends) {
        Ok(prepared) => Ok(prepared.try_all(&backends).await),
        Err(error) => Err(error),
    };
    backends.close().await;
    let mut failed = Vec::new();
    for (part, answer) in tried? {
        match answer {
            Ok(()) => println!("{part}: answers"),
            Err(reason) => {
                println!("{part}: {}", config.redaction.apply(&reason));
                failed.push(part);
            }
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Error::config("try connections", format!("does not work: {}", failed.join(", ")))),
    }
}
