//! A RabbitMQ node of a test's own.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use super::ports::{address, free_ports, wait_closed};
use super::process::{ServerProcess, search_path};
use super::{Result, ServerError, find};

/// A node takes 3 to 8 s of both cores of a small machine, which other tests want as well.
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const CTL_LIMIT: Duration = Duration::from_secs(120);

/// How often other ports are tried where somebody was quicker.
const ATTEMPTS: usize = 3;

/// The user of every new node, which is let in from the same machine only.
const LOGIN: (&str, &str) = ("guest", "guest");

/// Debian's scripts in `/usr/sbin` change to a user `rabbitmq`; those here run as whoever calls them.
const SCRIPTS: &str = "/usr/lib/rabbitmq/bin";

/// Erlang's port mapper, then the node. A mapper that the node starts by itself would leave the process group and stay.
const WITH_MAPPER: &str = r#"
epmd &
until epmd -names >/dev/null 2>&1; do
    kill -s 0 "$!" || exit
    sleep 0.05
done
exec "$0""#;

/// A RabbitMQ node on private ports, with its data in a temporary folder.
///
/// What it confirmed is there again after [`kill`](Self::kill) and [`restart`](Self::restart). Dropping it kills it and
/// removes its data.
#[derive(Debug)]
pub struct RabbitNode {
    process: ServerProcess,
    server: PathBuf,
    ports: Ports,
    uri: String,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    amqp: u16,
    /// Between nodes, and from `rabbitmqctl`.
    dist: u16,
    /// Erlang's port mapper.
    epmd: u16,
}

impl RabbitNode {
    /// Starts a node.
    ///
    /// # Errors
    /// If RabbitMQ is not installed, or does not start.
    pub async fn start() -> Result<Self> {
        let server = script("rabbitmq-server")?;
        let mut attempt = 1;
        loop {
            let [amqp, dist, epmd] = free_ports()?;
            let mut node = Self {
                process: ServerProcess::new("RabbitMQ")?,
                server: server.clone(),
                ports: Ports { amqp, dist, epmd },
                uri: uri(LOGIN.0, LOGIN.1, amqp),
            };
            node.configure()?;
            match node.run().await {
                Ok(()) => return Ok(node),
                // Somebody took a port between the look and the start.
                Err(error) if attempt < ATTEMPTS && error.to_string().contains("in use") => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Where to connect to; the same after a restart.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The URI with other credentials; both parts must be letters, digits and hyphens only.
    pub fn uri_as(&self, user: &str, password: &str) -> String {
        uri(user, password, self.ports.amqp)
    }

    /// The folder of its data and its log.
    pub fn folder(&self) -> &Path {
        self.process.folder()
    }

    /// Kills all processes of the node with SIGKILL. Connections are refused from then on, until [`restart`](Self::restart).
    pub fn kill(&mut self) {
        self.process.kill();
        // The node itself is a grandchild, of whose end only its ports tell.
        for port in [self.ports.amqp, self.ports.dist, self.ports.epmd] {
            wait_closed(port, Duration::from_secs(10));
        }
    }

    /// Starts the node again on the same ports and data; one that still runs is stopped first.
    ///
    /// # Errors
    /// If it does not stop or start.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.run().await
    }

    /// Tells the node to stop (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// If it does not; it is killed then.
    pub async fn stop(&mut self) -> Result<()> {
        let stopped = self.process.stop(STOP_LIMIT).await;
        self.kill();
        stopped
    }

    /// Runs `rabbitmqctl --quiet` on this node, for example `["delete_queue", "orders"]`, and returns what it prints. It takes
    /// about 1 s.
    ///
    /// # Errors
    /// If the node does not run, or the command fails; with what it printed.
    pub async fn rabbitmqctl(&self, args: &[&str]) -> Result<String> {
        let what = format!("rabbitmqctl {}", args.first().copied().unwrap_or_default());
        if !self.process.is_running() {
            return Err(ServerError::new(format!("{what}: the RabbitMQ node does not run; restart it first")));
        }
        let mut command = Command::new(script("rabbitmqctl")?);
        command.arg("--quiet").args(args).env_clear().env("PATH", search_path()).envs(self.env());
        // No port mapper of its own, should the node end now: it would stay.
        command.env("RABBITMQ_CTL_ERL_ARGS", "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}");
        command.stdin(Stdio::null()).current_dir("/").kill_on_drop(true);
        let output = match timeout(CTL_LIMIT, command.output()).await {
            Ok(output) => output.map_err(ServerError::of(&what))?,
            Err(_) => return Err(ServerError::new(format!("{what} has not ended after {CTL_LIMIT:?}"))),
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(ServerError::new(format!("{what} failed ({}): {text}{errors}", output.status)))
    }

    /// Has the node write the names of new quorum queues to its disk now. By itself it does so half a second to a second
    /// later, whatever it has confirmed; killed before that, it comes back with a queue of that name that is empty and never
    /// gets a leader (Ra 2.2 in RabbitMQ 3.10: the table opened with `auto_save`, 500). So call this once after the queues are
    /// declared, before a [`kill`](Self::kill) that shall lose nothing.
    ///
    /// # Errors
    /// As [`rabbitmqctl`](Self::rabbitmqctl).
    pub async fn save_new_queues(&self) -> Result<()> {
        self.rabbitmqctl(&["eval", "dets:sync(ra_directory_reverse)."]).await.map(drop)
    }

    /// Writes the files of a new node.
    fn configure(&self) -> Result<()> {
        let cookie = self.process.write(".erlang.cookie", &format!("{:032x}", rand::random::<u128>()))?;
        // Erlang takes no cookie that others can read.
        let owner_only = std::fs::Permissions::from_mode(0o400);
        std::fs::set_permissions(&cookie, owner_only).map_err(ServerError::of(cookie.display()))?;
        let config = [
            &format!("listeners.tcp.1 = 127.0.0.1:{}", self.ports.amqp),
            "log.console = true",
            "log.file = false",
            // Enough for tests, on machines that have little.
            "vm_memory_high_watermark.absolute = 512MB",
            "disk_free_limit.absolute = 50MB",
            "raft.wal_max_size_bytes = 67108864",
        ];
        self.process.write("rabbitmq.conf", &(config.join("\n") + "\n"))?;
        self.process.write("enabled_plugins", "[].\n")?;
        self.process.write("env.conf", "")?;
        Ok(())
    }

    async fn run(&mut self) -> Result<()> {
        let env = self.env();
        let args = [OsString::from("-c"), WITH_MAPPER.into(), self.server.clone().into()];
        self.process.launch(&env, Path::new("/bin/sh"), &args)?;
        let port = self.ports.amqp;
        self.process.wait_ready(START_LIMIT, async || speaks_amqp(port).await).await
    }

    /// The whole environment of the node and of `rabbitmqctl`, beside `PATH`: nothing of the system's own RabbitMQ is read.
    fn env(&self) -> Vec<(&'static str, OsString)> {
        let Ports { amqp, dist, epmd } = self.ports;
        let folder = self.process.folder();
        let inside = |name: &str| folder.join(name).into_os_string();
        vec![
            ("HOME", folder.into()),
            ("LANG", "C.UTF-8".into()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
            ("ERL_EPMD_PORT", epmd.to_string().into()),
            ("RABBITMQ_NODENAME", "rabbit@localhost".into()),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".into()),
            ("RABBITMQ_NODE_PORT", amqp.to_string().into()),
            ("RABBITMQ_DIST_PORT", dist.to_string().into()),
            ("RABBITMQ_CONF_ENV_FILE", inside("env.conf")),
            ("RABBITMQ_CONFIG_FILE", inside("rabbitmq.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", inside("advanced.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", inside("enabled_plugins")),
            ("RABBITMQ_GENERATED_CONFIG_DIR", inside("generated")),
            ("RABBITMQ_MNESIA_BASE", inside("data")),
            ("RABBITMQ_LOG_BASE", inside("logs")),
            ("RABBITMQ_PID_FILE", inside("node.pid")),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none".into()),
        ]
    }
}

impl Drop for RabbitNode {
    fn drop(&mut self) {
        // Its files are removed next: none of its processes may still write.
        self.kill();
    }
}

fn uri(user: &str, password: &str, port: u16) -> String {
    format!("amqp://{user}:{password}@127.0.0.1:{port}/%2f")
}

/// A script of RabbitMQ.
fn script(name: &str) -> Result<PathBuf> {
    find::program(name, &[Path::new(SCRIPTS)], &[Path::new("/usr/sbin")]).ok_or_else(|| {
        ServerError::new(format!(
            "there is no RabbitMQ: {name} is neither in {SCRIPTS} nor on PATH; ./scripts/setup-servers installs it"
        ))
    })
}

/// Whether the node answers the first eight bytes of AMQP 0-9-1 with its first method; it listens before that is so.
async fn speaks_amqp(port: u16) -> bool {
    let greet = async {
        let mut stream = TcpStream::connect(address(port)).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        stream.read_u8().await
    };
    const METHOD_FRAME: u8 = 1;
    matches!(timeout(Duration::from_secs(2), greet).await, Ok(Ok(METHOD_FRAME)))
}
