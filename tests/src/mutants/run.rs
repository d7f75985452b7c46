//! Building the simulation once, and running it with a rule removed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{List, copy};

/// The test of the simulation that runs schedules of all faults.
const TEST: &str = "nothing_is_lost_doubled_or_taken_for_another";

/// The simulation, built with all mutations behind their switches.
#[derive(Debug)]
pub struct Built(PathBuf);

/// What the simulation has told of a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// The kind of wrong: `Doubled`.
    pub kind: String,
    /// All that was told of it.
    pub what: String,
    /// The schedule in which it showed, counted from the first one.
    pub schedule: u64,
}

/// How a run has ended.
#[derive(Debug)]
pub struct End {
    /// What was wrong, if anything was.
    pub caught: Option<Caught>,
    /// Whether the mutated code was come by at all.
    pub reached: bool,
    /// How long it took.
    pub took: Duration,
    /// What the run printed, if it failed otherwise.
    pub failure: Option<String>,
}

impl Built {
    /// Copies the workspace to `target/mutants`, puts all mutations in and builds the simulation.
    ///
    /// # Errors
    /// If the list does not fit the code, or the copy does not build.
    pub fn new(list: &List, workspace: &Path) -> Result<Self, String> {
        let folder = workspace.join("target/mutants");
        let there = folder.join("workspace");
        copy(workspace, &there, &list.switched(workspace)?)
            .map_err(|error| format!("the workspace is not copied: {error}"))?;
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let built = Command::new(cargo)
            .current_dir(&there)
            .args(["test", "--no-run", "--release", "--package", "datawald-tests", "--test", "simulation"])
            .arg("--message-format=json-render-diagnostics")
            .env("CARGO_TARGET_DIR", folder.join("build"))
            .env("CARGO_INCREMENTAL", "1")
            // A switch is in parentheses, and leaves code unused.
            .env("RUSTFLAGS", "-Awarnings")
            .stderr(std::process::Stdio::inherit())
            .output()
            .map_err(|error| format!("cargo cannot be started: {error}"))?;
        let told = String::from_utf8_lossy(&built.stdout).into_owned();
        let binary = told
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some("simulation"))
            .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
        match binary.filter(|_| built.status.success()) {
            Some(binary) => Ok(Self(binary)),
            None => Err(format!("the mutated copy in {} does not build", there.display())),
        }
    }

    /// Runs so many schedules with the rule of `mutation` removed, or with all rules, until one shows something wrong.
    ///
    /// # Errors
    /// If the simulation cannot be started.
    pub fn run(&self, mutation: Option<&str>, schedules: u64) -> Result<End, String> {
        let began = Instant::now();
        let mut command = Command::new(&self.0);
        command
            .args([TEST, "--exact", "--nocapture"])
            .env("DATAWALD_SIM_SCHEDULES", schedules.to_string())
            .env("DATAWALD_SIM_SEED", "1")
            .env("DATAWALD_SIM_LANES", "1")
            .env("DATAWALD_SIM_SHRINK", "0")
            .env_remove("DATAWALD_MUTANT");
        if let Some(mutation) = mutation {
            command.env("DATAWALD_MUTANT", mutation);
        }
        let output = command.output().map_err(|error| format!("the simulation cannot be started: {error}"))?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let caught = caught(&told);
        let failure = (!output.status.success() && caught.is_none()).then(|| told.clone());
        Ok(End { caught, reached: told.contains("a mutation was reached"), took: began.elapsed(), failure })
    }
}

/// What a failed run has told: a line `Kind: what`, and one `of seed 7 over …`.
fn caught(told: &str) -> Option<Caught> {
    let lines: Vec<_> = told.lines().collect();
    lines.windows(2).find_map(|pair| {
        let [what, of] = pair else { return None };
        let schedule = of.strip_prefix("of seed ")?.split(' ').next()?.parse().ok()?;
        let (kind, what) = what.split_once(": ")?;
        Some(Caught { kind: kind.to_owned(), what: what.to_owned(), schedule })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_caught_is_read() {
        let told = "a mutation was reached\n\nthread 'x' panicked at y:\nDoubled: order 7 has two: 1, 2\nof seed 12 over restful: 5\n";
        let read = caught(told).unwrap();
        assert_eq!((read.kind.as_str(), read.schedule), ("Doubled", 12));
        assert_eq!(read.what, "order 7 has two: 1, 2");
        assert_eq!(caught("test failed\nof course"), None);
    }
}
