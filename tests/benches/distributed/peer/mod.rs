//! The peer: the same sync as it was built before, on Celery, one task per order.
//!
//! It is not part of this project: it is looked for in the folder that `DATAWALD_BENCH` names, else `../shared/bench` beside
//! the workspace, and is run as it is there, but for some fields of its documents without which SAP B1 RESTful would refuse
//! every order (`sitecustomize.py`). Its Python packages go into the folder for caches.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use datawald_tests::servers::Guard;
use sapb1_connector::sandbox::LOGIN;
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

/// The peer, ready to run.
pub(crate) struct Peer {
    program: PathBuf,
    python: PathBuf,
}

impl Peer {
    /// Finds it and sets up what it needs; `None` where it is not there.
    pub(crate) async fn find() -> Result<Option<Self>, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let beside = || root.join("../shared/bench");
        let folder = std::env::var_os("DATAWALD_BENCH").map_or_else(beside, PathBuf::from).join("celery");
        let (program, packages) = (folder.join("run.py"), folder.join("requirements.txt"));
        if !program.is_file() {
            println!("{} is not there (set DATAWALD_BENCH): only our side is measured", program.display());
            return Ok(None);
        }
        let environment = root.join(".cache/celery");
        let python = environment.join("bin/python");
        if !environment.join("bin/celery").is_file() {
            println!("installing Celery into {}", environment.display());
            let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).status().await;
            succeeded("python3 -m venv", made)?;
            let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
            succeeded("pip install", Command::new(&python).args(install).arg(&packages).status().await)?;
        }
        Ok(Some(Self { program: program.canonicalize()?, python }))
    }

    /// Runs it once and checks every outcome.
    pub(crate) async fn run(&self, servers: &Servers, sandboxes: &Sandboxes) -> Result<Turn, Failure> {
        let (operations, requests) = (servers.operations().await?, sandboxes.b1_requests().await?);
        let cpu_seconds = proc::cpu_seconds_of_ended();
        let watch = servers.watch(Some(sandboxes));
        let child = self.command(servers, sandboxes).spawn()?;
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

    fn command(&self, servers: &Servers, sandboxes: &Sandboxes) -> Command {
        let (user, password) = LOGIN;
        let mut command = Command::new(&self.python);
        command.arg(&self.program).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("MAGENTO_URL", sandboxes.magento()).env("MAGENTO_TOKEN", MAGENTO_TOKEN);
        command.env("B1_URL", sandboxes.b1()).env("B1_USER", user).env("B1_PASSWORD", password);
        command.env("MONGODB_URI", servers.mongodb_uri()).env("AMQP_URL", servers.amqp_url());
        command.env("CONCURRENCY", PROCESSES).env("LIMIT_S", LIMIT_S);
        // Its `sitecustomize.py` makes the peer's documents such that SAP B1 takes them.
        command.env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/distributed/peer"));
        // Nothing is left in its folder.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.process_group(0).kill_on_drop(true);
        command
    }
}

fn succeeded(what: &str, status: std::io::Result<ExitStatus>) -> Result<(), Failure> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what} failed ({status})").into()),
        Err(error) => Err(format!("{what} cannot be run: {error}").into()),
    }
}
