//! Runs a command with a MongoDB server and a RabbitMQ node: `with_servers -- cargo nextest run`.
//!
//! The command finds them in `MONGODB_URI` and `AMQP_URL`. What is set already is used as it is; the rest is started on
//! private ports and data folders, and gone when the command has ended, or this program, in whatever way.

#![allow(clippy::print_stderr, reason = "it tells whoever runs it where the servers are")]

use std::ffi::{OsStr, OsString};
use std::future::pending;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use clap::Parser;
use datawald_tests::servers::{
    AMQP_URL, Compose, Guard, MONGODB_URI, MongoServer, RabbitNode, Result, ServerError, shared_amqp_url,
    shared_mongodb_uri,
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{self, SignalKind};
use tokio::time::sleep;

/// How long the command may take to end by itself: after Ctrl-C, of which the terminal has told it, and after SIGTERM.
const GRACE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

/// Runs COMMAND with MONGODB_URI and AMQP_URL set to servers that are there for it; those that are set are used.
#[derive(Debug, Parser)]
struct Args {
    /// Start the servers of examples/compose.yaml with Docker, whatever is set.
    #[arg(long)]
    compose: bool,
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("with_servers: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<ExitCode> {
    let mut signals = Signals::listen().map_err(failed("signals cannot be listened to"))?;
    let servers = tokio::select! {
        servers = Servers::start(args.compose) => servers?,
        signal = signals.next() => return Ok(code_of(signal)),
    };
    eprintln!(
        "with_servers: {MONGODB_URI}={} {AMQP_URL}={}",
        without_login(&servers.mongodb),
        without_login(&servers.amqp)
    );
    let code = command(args, &servers, &mut signals).await;
    servers.stop().await?;
    code
}

/// Names the command's process in the folder, then becomes the command. Should the guard have taken the folder away, the name
/// cannot be left there, and no command starts: there is no moment at which one runs that the guard does not know.
const LAUNCH: &str = r#"echo $$ >"$0/pid.new" && mv "$0/pid.new" "$0/pid" && exec "$@""#;

/// Takes the folder away in one step, and tells the process that it names to end.
const TAKE_ALONG: &str = r#"
mv "$1" "$1.gone" || exit
if read -r pid <"$1.gone/pid"; then kill -s TERM "$pid"; fi
rm -rf -- "$1.gone"
"#;

/// Runs the command to its end, and ends it when this program is told to end.
async fn command(args: &Args, servers: &Servers, signals: &mut Signals) -> Result<ExitCode> {
    let Some((program, rest)) = args.command.split_first() else { return Ok(ExitCode::SUCCESS) };
    let what = program.to_string_lossy();
    if !is_there(program) {
        return Err(failed(&format!("{what} cannot be started"))(io::ErrorKind::NotFound.into()));
    }
    let folder = tempfile::Builder::new().prefix("datawald-command-").tempdir();
    let folder = folder.map_err(failed("a temporary folder cannot be made"))?;
    // Without its servers the command is of no use: it goes with this program, should that be killed.
    let guard = Guard::new(TAKE_ALONG, [folder.path()])?;
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(LAUNCH).arg(folder.path()).arg(program).args(rest);
    command.env(MONGODB_URI, &servers.mongodb).env(AMQP_URL, &servers.amqp);
    let mut child = command.spawn().map_err(failed(&format!("{what} cannot be started")))?;
    let Some(pid) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) else {
        return Err(failed(&what)(io::Error::other("it has no process id")));
    };
    let status = tokio::select! {
        status = child.wait() => status.map(exit_code),
        signal = signals.next() => end(&mut child, pid, signal, signals).await.map(|()| code_of(signal)),
    };
    guard.disarm();
    status.map_err(failed(&what))
}

/// Whether there is such a program: a path, or a name on `PATH`.
fn is_there(program: &OsStr) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    Path::new(program).is_file() || folders.any(|folder| folder.join(program).is_file())
}

/// Tells the command to end, more plainly each time.
async fn end(child: &mut Child, pid: Pid, signal: SignalKind, signals: &mut Signals) -> io::Result<()> {
    if signal == SignalKind::interrupt() {
        // From a terminal, Ctrl-C reaches every process; a second one from here would mean "at once" to many.
        tokio::select! {
            status = child.wait() => return status.map(drop),
            () = sleep(GRACE[0]) => {}
            _ = signals.next() => {}
        }
    }
    let _ = kill_process(pid, Signal::TERM);
    tokio::select! {
        status = child.wait() => return status.map(drop),
        () = sleep(GRACE[1]) => {}
        _ = signals.next() => {}
    }
    child.kill().await
}

/// What the command finds, and what was started for it.
struct Servers {
    mongodb: String,
    amqp: String,
    _mongo: Option<MongoServer>,
    _rabbit: Option<RabbitNode>,
    compose: Option<Compose>,
}

impl Servers {
    async fn start(compose: bool) -> Result<Self> {
        if compose {
            let compose = Compose::start().await?;
            let (mongodb, amqp) = (compose.mongodb_uri(), compose.amqp_url());
            return Ok(Self { mongodb, amqp, _mongo: None, _rabbit: None, compose: Some(compose) });
        }
        let mongo = async {
            Ok(match shared_mongodb_uri() {
                Ok(uri) => (uri, None),
                Err(_) => MongoServer::start().await.map(|server| (server.uri().to_owned(), Some(server)))?,
            })
        };
        let rabbit = async {
            Ok::<_, ServerError>(match shared_amqp_url() {
                Ok(url) => (url, None),
                Err(_) => RabbitNode::start().await.map(|node| (node.uri().to_owned(), Some(node)))?,
            })
        };
        let ((mongodb, _mongo), (amqp, _rabbit)) = tokio::try_join!(mongo, rabbit)?;
        Ok(Self { mongodb, amqp, _mongo, _rabbit, compose: None })
    }

    /// Private servers need no orderly end: their data goes with them.
    async fn stop(self) -> Result<()> {
        match self.compose {
            Some(compose) => compose.stop().await,
            None => Ok(()),
        }
    }
}

/// The signals that ask a program to end.
struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            Some(()) = self.interrupt.recv() => SignalKind::interrupt(),
            Some(()) = self.terminate.recv() => SignalKind::terminate(),
            Some(()) = self.hangup.recv() => SignalKind::hangup(),
            else => pending().await,
        }
    }
}

/// As shells tell it: the code of the command, or 128 and the signal that ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn code_of(signal: SignalKind) -> ExitCode {
    u8::try_from(128 + signal.as_raw_value()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// An address without user and password, to be shown.
fn without_login(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => address.to_owned(),
    }
}

fn failed(what: &str) -> impl FnOnce(io::Error) -> ServerError {
    ServerError::of(what.to_owned())
}
