//! The example `orders_sync` as a process of its own, to run, to kill and to start again.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sapb1_connector::sandbox::LOGIN;
use serde_json::Value;

/// Where cargo put an example of this workspace.
///
/// # Panics
/// If it was not built: `cargo build --workspace --all-features --examples` does.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let profile = test.ancestors().find(|folder| folder.join("examples").is_dir());
    let path = profile.unwrap_or(Path::new(".")).join("examples").join(name);
    assert!(
        path.is_file(),
        "{} is not there; build it with `cargo build --workspace --all-features --examples`",
        path.display()
    );
    path
}

/// A run of `orders_sync`.
#[derive(Debug)]
pub struct Run {
    /// What the process printed, and how it ended.
    pub output: Output,
    /// The report, if it came to write one.
    pub report: Option<Value>,
}

/// `orders_sync` with the SAP B1 password of the sandbox in its environment, staging in `folder` unless `args` name another
/// store, and reporting there; the caller starts it.
pub fn orders_sync(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(example("orders_sync"));
    command.env("B1_PASSWORD", LOGIN.1);
    for name in ["MAGENTO_TOKEN", "DATAWALD_STORE", "DATAWALD_QUEUE"] {
        command.env_remove(name);
    }
    if !args.contains(&"--store") {
        command.arg("--store").arg(format!("sqlite:{}", folder.join("staging.db").display()));
    }
    command.arg("--report").arg(folder.join("report.json"));
    command.args(args);
    command
}

/// Runs `orders_sync` to its end, without blocking the sandboxes of this process.
///
/// # Panics
/// If the program cannot be started.
pub async fn run_orders_sync(folder: &Path, args: &[&str]) -> Run {
    let report = folder.join("report.json");
    let _ = std::fs::remove_file(&report);
    let mut command = orders_sync(folder, args);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = match output {
        Ok(Ok(output)) => output,
        other => panic!("orders_sync cannot be started: {other:?}"),
    };
    let report = std::fs::read(&report).ok().and_then(|text| serde_json::from_slice(&text).ok());
    Run { output, report }
}

impl Run {
    /// The report of a run that must have ended well.
    ///
    /// # Panics
    /// If it did not, with what it printed.
    pub fn report(&self) -> &Value {
        let errors = String::from_utf8_lossy(&self.output.stderr);
        assert!(self.output.status.success(), "{}: {errors}", self.output.status);
        match &self.report {
            Some(report) => report,
            None => panic!("no report was written: {errors}"),
        }
    }

    /// How many orders of the report have a status.
    pub fn count(&self, status: &str) -> usize {
        self.orders().iter().filter(|order| order["tx_status"] == status).count()
    }

    /// The orders of the report.
    ///
    /// # Panics
    /// As [`Run::report`].
    pub fn orders(&self) -> &[Value] {
        self.report()["orders"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}
