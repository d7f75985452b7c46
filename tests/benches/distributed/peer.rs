//! The peer, measured.

use std::process::Stdio;

use datawald_tests::servers::Guard;
use datawald_tests::{Peer, PeerOn};
use serde_json::Value;
use tokio::process::Command;

use crate::Failure;
use crate::figures::Turn;
use crate::proc;
use crate::sandboxes::{MAGENTO_TOKEN, Sandboxes};
use crate::servers::Servers;

/// Its worker processes.
pub(crate) const PROCESSES: &str = "4";

/// After so many seconds a run has failed.
const LIMIT_S: &str = "180";

/// Runs it once and checks every outcome.
pub(crate) async fn run(peer: &Peer, servers: &Servers, sandboxes: &Sandboxes) -> Result<Turn, Failure> {
    let (operations, requests) = (servers.operations().await?, sandboxes.b1_requests().await?);
    let cpu_seconds = proc::cpu_seconds_of_ended();
    let watch = servers.watch(Some(sandboxes));
    let child = command(peer, servers, sandboxes).spawn()?;
    let pid = child.id().ok_or("the peer ended at once")?;
    // Its workers are in its process group; should this process be killed, they would go on.
    let guard = Guard::new("kill -s KILL -- \"-$1\"", [pid.to_string()])?;
    let memory = proc::watch_memory(vec![pid]);
    let output = child.wait_with_output().await?;
    let cpu_seconds = proc::cpu_seconds_of_ended() - cpu_seconds;
    let ((load, _), memory) = (watch.end()?, memory.end()?);
    guard.disarm();
    let text = String::from_utf8_lossy(&output.stdout);
    let report = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).next_back();
    let report = report
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("Celery failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr)))?;
    if report["failed"] != 0 || report["orders"] != sandboxes.orders() {
        return Err(format!("Celery has not applied every order: {report}").into());
    }
    sandboxes.check_documents().await?;
    Ok(Turn {
        orders: sandboxes.orders(),
        seconds: report["seconds"].as_f64().unwrap_or(f64::NAN),
        applied_seconds: None,
        cpu_seconds,
        memory_kib: memory,
        operations: servers.operations().await? - operations,
        commands: None,
        document_writes: None,
        b1_requests: sandboxes.b1_requests().await? - requests,
        load,
        applying: None,
    })
}

fn command(peer: &Peer, servers: &Servers, sandboxes: &Sandboxes) -> Command {
    let mut command = Command::from(peer.python(&PeerOn {
        magento: sandboxes.magento(),
        magento_token: MAGENTO_TOKEN,
        b1: sandboxes.b1(),
        mongodb: servers.mongodb_uri(),
        amqp: servers.amqp_url(),
    }));
    command.arg("run.py").env("CONCURRENCY", PROCESSES).env("LIMIT_S", LIMIT_S);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    command
}
