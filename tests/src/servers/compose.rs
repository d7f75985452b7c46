//! The servers of `examples/compose.yaml`, for who has Docker: the real images.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use super::{Guard, Result, ServerError, find};

/// The containers of `examples/compose.yaml`, started by this process; removed with their data by [`stop`](Self::stop), and
/// without it when the process is gone.
#[derive(Debug)]
pub struct Compose {
    file: PathBuf,
    guard: Guard,
}

impl Compose {
    /// Starts the containers and waits until they are healthy.
    ///
    /// # Errors
    /// If there is no Docker with `compose`, or the containers do not become healthy.
    pub async fn start() -> Result<Self> {
        let file = find::workspace().join("examples/compose.yaml");
        let version = Command::new("docker").args(["compose", "version"]).stdin(Stdio::null()).output().await;
        let version = version.map_err(ServerError::of("Docker cannot be run; is it installed and on PATH?"))?;
        if !version.status.success() {
            let said = String::from_utf8_lossy(&version.stderr);
            return Err(ServerError::new(format!(
                "Docker has no `compose`; install its plugin. It says: {}",
                said.trim()
            )));
        }
        let guard = Guard::new("docker compose -f \"$1\" down --volumes", [&file])?;
        let compose = Self { file, guard };
        compose.run(&["up", "--detach", "--wait"]).await?;
        Ok(compose)
    }

    /// Where the MongoDB server is. The replica set of one names itself by its port, so it is spoken to directly.
    pub fn mongodb_uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", port("MONGODB_PORT", 27017))
    }

    /// Where the RabbitMQ node is.
    pub fn amqp_url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", port("RABBITMQ_PORT", 5672))
    }

    /// Stops the containers and removes them and their data.
    ///
    /// # Errors
    /// If Docker does not.
    pub async fn stop(self) -> Result<()> {
        let stopped = self.run(&["down", "--volumes"]).await;
        self.guard.disarm();
        stopped
    }

    async fn run(&self, args: &[&str]) -> Result<()> {
        let mut command = Command::new("docker");
        command.args(["compose", "-f"]).arg(&self.file).args(args).stdin(Stdio::null()).kill_on_drop(true);
        let what = format!("docker compose {}", args.first().copied().unwrap_or_default());
        let status = command.status().await.map_err(ServerError::of(&what))?;
        if status.success() { Ok(()) } else { Err(ServerError::new(format!("{what} failed ({status})"))) }
    }
}

/// The port on this machine, as `examples/compose.yaml` reads it.
fn port(variable: &str, default: u16) -> String {
    std::env::var(variable).ok().filter(|port| !port.is_empty()).unwrap_or_else(|| default.to_string())
}
