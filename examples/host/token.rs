//! `host token`: who may use the API, and for what.

use std::sync::Arc;

use clap::Subcommand;
use datawald_core::api::{Scope, Tokens};
use datawald_core::{Error, Result, SystemClock};
use datawald_examples::{Backends, QueueAt, StoreAt};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::config::Config;

/// What is done about tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, and print it: it is not told again
    Create {
        /// Its name
        name: String,
        /// What it allows: read, stage, operate
        #[arg(long, value_name = "SCOPE", value_delimiter = ',', required = true)]
        scope: Vec<Scope>,
        /// When it ends, as 2030-01-01T00:00:00Z [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<Timestamp>,
    },
    /// List the tokens, without what proves them
    List,
    /// Revoke a token
    Revoke {
        /// Its name
        name: String,
    },
}

/// Does it, in the store that the file names.
pub(crate) async fn run(command: &TokenCommand, config: Config) -> Result<()> {
    if matches!(config.store, StoreAt::Core(_)) {
        let message = "tokens are kept where the core's own store is: name that as [store]";
        return Err(Error::config("open store of tokens", message).field("core"));
    }
    let backends = Backends::open(config.store, QueueAt::InProcess).await?;
    let done = change(command, &Tokens::new(backends.store().clone(), Arc::new(SystemClock))).await;
    backends.close().await;
    done
}

async fn change(command: &TokenCommand, tokens: &Tokens) -> Result<()> {
    match command {
        TokenCommand::Create { name, scope, expires } => {
            let token = tokens.create(name, scope, *expires).await?;
            println!("{}", token.expose_secret());
        }
        TokenCommand::List => {
            for token in tokens.list().await? {
                let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.name()).collect();
                let expires = token.expires_at.map_or("never".to_owned(), |at| at.to_string());
                println!("{}  {}  made {}  expires {expires}", token.name, scopes.join(","), token.created_at);
            }
        }
        TokenCommand::Revoke { name } => {
            if !tokens.revoke(name).await? {
                return Err(Error::config("revoke token", format!("there is no token `{name}`")).field("name"));
            }
            println!("{name} is revoked");
        }
    }
    Ok(())
}
