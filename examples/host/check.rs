//! `--check`: is the file complete, and does what it names answer? Nothing is made for that: no file, no table, no queue.

use datawald_core::client::RemoteCore;
use datawald_core::model::FlowId;
use datawald_core::queue::RabbitQueue;
use datawald_core::store::{MongoStore, SqliteStore, StagingStore};
use datawald_core::{Error, Result};
use datawald_examples::{QueueAt, StoreAt};

use crate::args::Args;
use crate::company::{Remark, examine};
use crate::config::Config;
use crate::health::{PATIENCE, within};
use crate::remarks;
use crate::sides::Sides;

/// How much the first pull of each flow would bring.
async fn first_pulls(config: &Config, sides: &Sides) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for setup in &config.flows {
        let Some(shop) = sides.shop(&setup.id.frontend) else { continue };
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

/// Tells that the file is complete, and what may not be what was meant; its mistakes were told already. With `--connect`, tries what it names.
pub(crate) async fn check(args: &Args, config: Config) -> Result<()> {
    println!("{} is complete", args.config.display());
    for Remark { part, text, .. } in remarks::of(&config) {
        println!("{part}: {}", config.redaction.apply(&text));
    }
    if !args.connect {
        return Ok(());
    }
    let sides = Sides::open(&config, args.roles())?;
    let flows: Vec<_> = config.flows.iter().map(|flow| flow.id.clone()).collect();
    let backends = try_without_making(&config, &flows);
    let ((tried, is_new), answers) = tokio::join!(backends, sides.try_all());
    let mut remarks = examine(&sides, &config, &answers).await;
    if is_new {
        remarks.extend(first_pulls(&config, &sides).await);
    }
    sides.close().await;
    let answers = answers.into_iter().map(|(part, answer)| (part, answer.map(|()| "answers".to_owned())));
    let mut failed = Vec::new();
    for (part, answer) in tried.into_iter().chain(answers) {
        match answer {
            Ok(how) => println!("{part}: {how}"),
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

/// How something is, by its name.
type Tried = (String, std::result::Result<String, String>);

/// How store and queue are; and whether the store is still to be made.
async fn try_without_making(config: &Config, flows: &[FlowId]) -> (Vec<Tried>, bool) {
    let store = async {
        let place = match &config.store {
            StoreAt::Sqlite(path) if !SqliteStore::look(path)? => format!("the file {}", path.display()),
            StoreAt::Mongodb(settings) if !MongoStore::look(settings.clone()).await? => {
                "the store's collections".into()
            }
            StoreAt::Core(settings) => {
                let core = RemoteCore::new(settings.clone())?;
                for flow in flows {
                    core.next_due(flow).await?;
                }
                return Ok(("answers".to_owned(), false));
            }
            _ => return Ok(("answers".to_owned(), false)),
        };
        Ok((format!("answers; the host makes {place} when it starts"), true))
    };
    let queue = async {
        if let QueueAt::Rabbitmq(settings) = &config.queue {
            let queue = RabbitQueue::new(settings.clone())?;
            let reached = queue.reach().await;
            queue.close().await;
            reached?;
        }
        Ok("answers".to_owned())
    };
    let (store, queue) = tokio::join!(within(store), within(queue));
    let is_new = matches!(store, Ok((_, true)));
    let store = store.map(|(how, _)| how);
    (vec![("store".to_owned(), store), ("queue".to_owned(), queue)], is_new)
}
