//! A MongoDB server of a test's own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::doc;
use tokio::net::TcpStream;

use super::ports::{address, free_ports, wait_closed};
use super::process::ServerProcess;
use super::{Result, ServerError, find};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How often another port is tried where somebody was quicker.
const ATTEMPTS: usize = 3;

/// The user of a server with access control. It is made for each server and goes with it: no secret.
const LOGIN: (&str, &str) = ("datawald", "only-for-tests");

/// A MongoDB server on a private port, with its data in a temporary folder: `mongod` if the machine has one, else
/// `secantusd-rs`.
///
/// What it acknowledged with `w: majority, j: true` is there again after [`kill`](Self::kill) and
/// [`restart`](Self::restart). Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct MongoServer {
    process: ServerProcess,
    program: Program,
    port: u16,
    access: bool,
    uri: String,
}

#[derive(Debug, Clone)]
enum Program {
    Mongod(PathBuf),
    /// The stand-in, which nothing but its own options tells apart from a mongod.
    Secantusd(PathBuf),
}

impl MongoServer {
    /// Starts a server that lets everyone in.
    ///
    /// # Errors
    /// If neither program is there, or it does not start.
    pub async fn start() -> Result<Self> {
        Self::start_one(false).await
    }

    /// Starts a server with access control; [`uri`](Self::uri) has the credentials that it takes, with the role `root`, and
    /// [`uri_as`](Self::uri_as) is for those that it does not.
    ///
    /// # Errors
    /// As [`start`](Self::start); or if the user cannot be made.
    pub async fn start_with_access_control() -> Result<Self> {
        let server = Self::start_one(true).await?;
        // As on a new mongod: without any user yet, the first may be made from the same machine.
        let first = format!("mongodb://127.0.0.1:{}/?directConnection=true", server.port);
        let (user, password) = LOGIN;
        let command = doc! { "createUser": user, "pwd": password, "roles": ["root"] };
        let made = match Client::with_uri_str(&first).await {
            Ok(client) => client.database("admin").run_command(command).await.map(drop),
            Err(error) => Err(error),
        };
        made.map_err(|error| ServerError::new(format!("MongoDB does not take its first user: {error}")))?;
        Ok(server)
    }

    async fn start_one(access: bool) -> Result<Self> {
        let program = Program::find()?;
        let mut attempt = 1;
        loop {
            let [port] = free_ports()?;
            let mut server = Self {
                process: ServerProcess::new("MongoDB")?,
                program: program.clone(),
                port,
                access,
                uri: format!("mongodb://127.0.0.1:{port}"),
            };
            if access {
                server.uri = server.uri_as(LOGIN.0, LOGIN.1);
            }
            match server.run().await {
                Ok(()) => return Ok(server),
                // Somebody took the port between the look and the start.
                Err(error) if attempt < ATTEMPTS && error.to_string().to_lowercase().contains("in use") => attempt += 1,
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
        format!("mongodb://{user}:{password}@127.0.0.1:{}/?authSource=admin", self.port)
    }

    /// The program that serves, for messages: `mongod` or `secantusd-rs`.
    pub fn program(&self) -> &'static str {
        self.program.name()
    }

    /// The folder of its data and its log.
    pub fn folder(&self) -> &Path {
        self.process.folder()
    }

    /// Kills the server with SIGKILL. Connections are refused from then on, until [`restart`](Self::restart).
    pub fn kill(&mut self) {
        self.process.kill();
        wait_closed(self.port, Duration::from_secs(10));
    }

    /// Starts the server again on the same port and data; one that still runs is stopped first.
    ///
    /// # Errors
    /// If it does not stop or start.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.run().await
    }

    /// Tells the server to stop (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// If it does not; it is killed then.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop(STOP_LIMIT).await
    }

    async fn run(&mut self) -> Result<()> {
        let data = self.process.folder().join("data");
        std::fs::create_dir_all(&data).map_err(ServerError::of(data.display()))?;
        let (path, mut args) = self.program.command(self.port, &data);
        if self.access {
            args.push("--auth".to_owned());
        }
        // The home folder, so that no configuration of the user's is found.
        let env = [("HOME", self.process.folder().to_owned()), ("LANG", "C.UTF-8".into())];
        self.process.launch(&env, &path, &args)?;
        let port = self.port;
        // Both listen when they are ready, not before.
        self.process.wait_ready(START_LIMIT, async || TcpStream::connect(address(port)).await.is_ok()).await
    }
}

impl Program {
    fn find() -> Result<Self> {
        let built = find::built_folder();
        let mongod = find::program("mongod", &[], &[]).map(Self::Mongod);
        let stand_in = || find::program("secantusd-rs", &[], &[&built]).map(Self::Secantusd);
        mongod.or_else(stand_in).ok_or_else(|| {
            ServerError::new(format!(
                "there is no MongoDB server: neither mongod nor secantusd-rs is on PATH, nor secantusd-rs in {}; \
                 ./scripts/setup-servers builds the latter",
                built.display()
            ))
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Mongod(_) => "mongod",
            Self::Secantusd(_) => "secantusd-rs",
        }
    }

    /// The program and its arguments: small caches, and test commands such as `failCommand` allowed.
    fn command(&self, port: u16, data: &Path) -> (PathBuf, Vec<String>) {
        let port = port.to_string();
        let data = data.display().to_string();
        match self {
            Self::Mongod(path) => {
                let mut args = vec!["--dbpath".into(), data, "--port".into(), port];
                args.extend(["--bind_ip", "127.0.0.1", "--nounixsocket"].map(String::from));
                args.extend(["--wiredTigerCacheSizeGB", "0.25"].map(String::from));
                args.extend(["--setParameter", "enableTestCommands=1"].map(String::from));
                (path.clone(), args)
            }
            Self::Secantusd(path) => {
                let mut args = vec!["--storage-path".into(), data, "--port".into(), port];
                // Without the first, acknowledged writes are lost when it is killed, journalled ones included.
                args.extend(["--sync-on-commit", "--enable-test-commands"].map(String::from));
                args.extend(["--log-file-max", "8MB", "--cache-size", "256M"].map(String::from));
                (path.clone(), args)
            }
        }
    }
}
