//! The peer: the same sync as it was built before, on Celery, one task per order.
//!
//! It is not part of this project: it is looked for in the folder that `DATAWALD_BENCH` names, else `../shared/bench` beside
//! the workspace, and is run as it is there, but for what `tests/peer/sitecustomize.py` completes: without it SAP B1 RESTful
//! would refuse every order. Its Python packages go into the folder for caches.

use std::path::{Path, PathBuf};
use std::process::Command;

use sapb1_connector::sandbox::LOGIN;

/// The peer, ready to run.
#[derive(Debug)]
pub struct Peer {
    folder: PathBuf,
    python: PathBuf,
}

/// What the peer works on.
#[derive(Debug)]
pub struct PeerOn<'a> {
    /// Where Magento is.
    pub magento: &'a str,
    /// The token that it takes.
    pub magento_token: &'a str,
    /// Where SAP B1 RESTful is.
    pub b1: &'a str,
    /// The MongoDB server.
    pub mongodb: &'a str,
    /// The broker.
    pub amqp: &'a str,
}

impl Peer {
    /// Where it is looked for.
    pub fn place() -> PathBuf {
        let beside = || root().join("../shared/bench");
        std::env::var_os("DATAWALD_BENCH").map_or_else(beside, PathBuf::from).join("celery")
    }

    /// Finds it, and sets up what it needs; `None` where it is not there.
    ///
    /// # Errors
    /// If its packages cannot be installed.
    pub fn find() -> Result<Option<Self>, String> {
        let Ok(folder) = Self::place().canonicalize() else { return Ok(None) };
        let environment = root().join(".cache/celery");
        let python = environment.join("bin/python");
        if !environment.join("bin/celery").is_file() {
            tracing::warn!("installing Celery into {}", environment.display());
            succeed(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
            let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
            succeed(Command::new(&python).args(install).arg(folder.join("requirements.txt")))?;
        }
        Ok(Some(Self { folder, python }))
    }

    /// Python in the peer's folder, with the peer's settings; what it is to run are the arguments.
    pub fn python(&self, on: &PeerOn<'_>) -> Command {
        let (user, password) = LOGIN;
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer");
        let mut command = Command::new(&self.python);
        command.current_dir(&self.folder);
        command.env("MAGENTO_URL", on.magento).env("MAGENTO_TOKEN", on.magento_token);
        command.env("B1_URL", on.b1).env("B1_USER", user).env("B1_PASSWORD", password);
        command.env("MONGODB_URI", on.mongodb).env("AMQP_URL", on.amqp);
        command.env("PYTHONPATH", format!("{}:{}", own.display(), self.folder.display()));
        // Nothing is left in its folder.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// The script that starts the peer's sync again and again.
    pub fn scheduler() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/scheduler.py")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?} cannot be run: {error}")),
    }
}
