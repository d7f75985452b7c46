//! A process to watch, to signal and to kill.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A process, killed when dropped. What it prints goes to a file in a folder of its own.
#[derive(Debug)]
pub struct Process {
    /// What tests call it.
    pub name: String,
    child: Child,
    folder: PathBuf,
}

impl Process {
    /// Starts `command`, with `folder` for what it prints.
    ///
    /// # Panics
    /// If it cannot be started; so do all methods, if what they expect is not so.
    pub fn start(folder: &Path, name: &str, mut command: Command) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self { name: name.to_owned(), child: command.spawn().unwrap(), folder: folder.to_owned() }
    }

    /// What it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Waits until it has printed something, and gives all that it printed.
    pub async fn printed(&mut self, text: &str, limit: Duration) -> String {
        let started = Instant::now();
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert_eq!(self.ended(), None, "{} has ended: {log}", self.name);
            assert!(started.elapsed() < limit, "{} has not printed `{text}` within {limit:?}: {log}", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// As `kill -9` does. It must not have ended by itself.
    pub fn kill(mut self) {
        assert_eq!(self.ended(), None, "{} had died: {}", self.name, self.log());
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(started.elapsed() < limit, "{} has not ended within {limit:?}: {}", self.name, self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it ends well.
    pub async fn succeed(&mut self, limit: Duration) {
        let status = self.wait(limit).await;
        assert!(status.success(), "{}: {status}: {}", self.name, self.log());
    }

    /// Waits until it ends well and has written its report.
    pub async fn report(&mut self, limit: Duration) -> Value {
        self.succeed(limit).await;
        let text = std::fs::read(self.folder.join("report.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
