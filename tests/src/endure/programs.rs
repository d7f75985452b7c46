//! Which processes there are, and what each of them runs: that is told by what moves the orders.

use std::path::{Path, PathBuf};
use std::process::Command;

use datawald_examples::b1_arguments;
use sapb1_connector::sandbox::{LOGIN, Way};

use super::plan::{Mover, Plan};
use super::world::{SHOP, World};
use crate::{Peer, PeerOn, orders_sync};

pub(super) enum Programs {
    /// With the sizes that every process is told.
    Datawald(Vec<String>),
    Celery(Peer),
    /// The program.
    Loop(PathBuf),
}

impl Programs {
    pub(super) fn new(plan: &Plan) -> Result<Self, String> {
        Ok(match plan.mover {
            Mover::Datawald => {
                let sizes = format!(
                    "--shop {SHOP} --page-size 50 --batch 10 --concurrency 2 --lease-ms {} --settle-delay-ms {} \
                     --close-wait-ms 5000",
                    plan.lease_ms, plan.settle_delay_ms
                );
                Self::Datawald(sizes.split_whitespace().map(str::to_owned).collect())
            }
            Mover::Celery if plan.way != Way::Restful => return Err("Celery speaks SAP B1 RESTful only".to_owned()),
            Mover::Celery => {
                let absent = || format!("Celery is not at {} (set DATAWALD_BENCH)", Peer::place().display());
                Self::Celery(Peer::find()?.ok_or_else(absent)?)
            }
            Mover::Loop => {
                let program = std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("plain_loop");
                if !program.is_file() {
                    return Err(format!(
                        "{} is not there; build it with `cargo build -p datawald-tests`",
                        program.display()
                    ));
                }
                Self::Loop(program)
            }
        })
    }

    /// The processes by name, and whether each pulls.
    pub(super) fn members(&self, plan: &Plan) -> Vec<(String, bool)> {
        let many = |what: &'static str, number, pulls| (1..=number).map(move |nth| (format!("{what}-{nth}"), pulls));
        match self {
            Self::Datawald(_) => {
                many("worker", plan.workers, false).chain(many("frontend", plan.frontends, true)).collect()
            }
            // There is one Celery Beat, however many workers there are.
            Self::Celery(_) => many("worker", plan.workers, false).chain(many("scheduler", 1, true)).collect(),
            Self::Loop(_) => many("loop", 1, true).collect(),
        }
    }

    /// What a process runs, with `folder` for its files.
    pub(super) fn command(&self, world: &World, folder: &Path, name: &str, pulls: bool) -> Command {
        let (magento, token) = (world.magento.url(), world.magento.token());
        let shop = ["--magento", &magento, "--magento-token", &token];
        match self {
            Self::Datawald(sizes) => {
                let mut args = world.backends();
                args.extend_from_slice(sizes);
                if pulls {
                    args.extend("--role frontend --rounds 1000000000 --pause-ms 500".split(' ').map(str::to_owned));
                    args.extend(shop.map(str::to_owned));
                } else {
                    args.extend(["--role", "worker"].map(str::to_owned));
                    args.extend(b1_arguments(&world.b1));
                }
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                orders_sync(folder, &args)
            }
            Self::Celery(peer) => {
                let (mongodb, amqp) = world.server_uris();
                let b1 = world.b1.url();
                let on = PeerOn { magento: &magento, magento_token: &token, b1: &b1, mongodb, amqp };
                let mut command = peer.python(&on);
                if pulls {
                    command.arg(Peer::scheduler());
                } else {
                    // Tasks are done in the worker itself, so that who kills or freezes it does so to all of it.
                    let args =
                        "-m celery -A dw_celery worker --pool solo -l ERROR --without-gossip --without-mingle -n";
                    command.args(args.split(' ')).arg(format!("{name}@endure"));
                }
                command
            }
            Self::Loop(program) => {
                let mut command = Command::new(program);
                command.env("B1_PASSWORD", LOGIN.1).args(shop).args(b1_arguments(&world.b1));
                command.arg("--cut").arg(world.cut_file());
                command
            }
        }
    }
}
