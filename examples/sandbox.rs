//! A sandbox as a process of its own, for clients that are not ours:
//! `sandbox magento|b1-restful|b1-service-layer --port N`.
//!
//! Counters and faults are under `/control`: `curl http://127.0.0.1:PORT/control/counters`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use datawald_examples::sample_company;
use mage2_connector::OAuth1Keys;
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use sapb1_connector::sandbox::{B1Sandbox, COMPANY_DB, Faults, LOGIN, Way};

/// A sandbox of one side.
#[derive(Debug, Parser)]
struct Args {
    /// Which side
    side: Side,

    /// The port on 127.0.0.1; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,

    /// Magento: fill it with the order files (JSON) of this folder
    #[arg(long, value_name = "DIR", conflicts_with = "synthetic")]
    orders: Option<PathBuf>,

    /// Magento: fill it with this many made-up orders [default: the sample orders]
    #[arg(long, value_name = "N")]
    synthetic: Option<u64>,

    /// Magento: the keys of an integration that signs its requests (OAuth), all four
    #[arg(long, value_name = "KEY,SECRET,TOKEN,SECRET", value_parser = keys)]
    oauth: Option<OAuth1Keys>,

    /// SAP B1: how long it takes over each request
    #[arg(long, value_name = "N", default_value_t = 0)]
    latency_ms: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Side {
    /// Magento 2's REST API
    Magento,
    /// SAP B1 RESTful
    B1Restful,
    /// SAP B1's Service Layer, over plain HTTP
    B1ServiceLayer,
}

/// The four keys, as one argument.
fn keys(text: &str) -> Result<OAuth1Keys, &'static str> {
    let [consumer_key, consumer_secret, access_token, access_token_secret] = text.split(',').collect::<Vec<_>>()[..]
    else {
        return Err("are to be four, with commas between them");
    };
    Ok(OAuth1Keys {
        consumer_key: consumer_key.to_owned(),
        consumer_secret: consumer_secret.to_owned().into(),
        access_token: access_token.to_owned().into(),
        access_token_secret: access_token_secret.to_owned().into(),
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Args) -> std::io::Result<()> {
    // The sandbox serves until it is dropped.
    match args.side {
        Side::Magento => {
            let orders = match (&args.orders, args.synthetic) {
                (Some(folder), _) => OrderSet::read_dir(folder)?,
                (None, Some(count)) => OrderSet::Synthetic(count),
                (None, None) => OrderSet::Fixtures,
            };
            let options = SandboxOptions { port: args.port, orders, oauth: args.oauth, ..SandboxOptions::default() };
            let token = options.token.clone();
            let sandbox = Sandbox::start(options).await?;
            println!("listening on {} (bearer token {token}; control under /control)", sandbox.url());
            tokio::signal::ctrl_c().await
        }
        Side::B1Restful => b1(Way::Restful, &args).await,
        Side::B1ServiceLayer => b1(Way::ServiceLayer, &args).await,
    }
}

async fn b1(way: Way, args: &Args) -> std::io::Result<()> {
    let sandbox = B1Sandbox::start_at(way, sample_company(), args.port).await?;
    sandbox.set_faults(Faults { latency_ms: args.latency_ms, ..Faults::default() });
    let (url, (user, password)) = (sandbox.url(), LOGIN);
    match way {
        Way::Restful => println!("listening on {url} (user {user}, password {password}; control under /control)"),
        Way::ServiceLayer => println!(
            "listening on {url}/b1s/v1 and /b1s/v2 (company {COMPANY_DB}, user {user}, password {password}; \
             control under /control)"
        ),
    }
    tokio::signal::ctrl_c().await
}
