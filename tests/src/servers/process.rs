//! A server as a process group with a folder: started, killed, told to stop, and never left behind.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process, kill_process_group, waitid};
use tokio::time::{Instant, sleep};

use super::{Guard, Result, ServerError};

/// Names the server's process group in the folder, then becomes the server. Should the guard have taken the folder away, the
/// name cannot be left there, and no server starts: there is no moment at which a server runs that the guard does not know.
const LAUNCH: &str = r#"echo $$ >"$0/pid.new" && mv "$0/pid.new" "$0/pid" && exec "$@""#;

/// Takes the folder away in one step, kills the process group that it names, and removes it. What the group was just writing
/// can make the first attempts fail; that it is gone cannot be asked, since its dead may lie about for seconds.
const CLEAN_UP: &str = r#"
mv "$1" "$1.gone" || exit
if read -r group <"$1.gone/pid"; then kill -s KILL -- "-$group"; fi
left=100
until rm -rf -- "$1" "$1.gone" || [ "$left" -eq 0 ]; do left=$((left - 1)); sleep 0.05; done
"#;

/// How much of a log an error shows.
const LOG_LINES: usize = 25;

/// A server, and the folder that is removed with it.
#[derive(Debug)]
pub(super) struct ServerProcess {
    name: &'static str,
    folder: PathBuf,
    /// The process that leads the server's process group; unreaped, so that its id stays its own.
    leader: Option<Child>,
    _guard: Guard,
}

impl ServerProcess {
    /// An empty folder for a server that is not started yet.
    pub(super) fn new(name: &'static str) -> Result<Self> {
        let prefix = format!("datawald-{}-", name.to_lowercase());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
        let folder = folder.map_err(ServerError::of("a temporary folder cannot be made"))?;
        let guard = Guard::new(CLEAN_UP, [folder.path()])?;
        Ok(Self { name, folder: folder.keep(), leader: None, _guard: guard })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file of the server's configuration.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(ServerError::of(path.display()))?;
        Ok(path)
    }

    /// Starts the program with `PATH` and `env` as its whole environment, and its output in the log.
    pub(super) fn launch<E, A>(&mut self, env: &[(&str, E)], program: &Path, args: &[A]) -> Result<()>
    where
        E: AsRef<OsStr>,
        A: AsRef<OsStr>,
    {
        self.kill();
        let log_path = self.log_path();
        let log =
            File::options().create(true).append(true).open(&log_path).map_err(ServerError::of(log_path.display()))?;
        let errors = log.try_clone().map_err(ServerError::of(log_path.display()))?;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(LAUNCH).arg(&self.folder).arg(program).args(args);
        command.env_clear().env("PATH", search_path()).envs(env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log).stderr(errors).current_dir("/").process_group(0);
        self.leader = Some(command.spawn().map_err(ServerError::of(format!("{} cannot be started", self.name)))?);
        Ok(())
    }

    /// Waits until the server is `ready`.
    ///
    /// # Errors
    /// If it ends before, or is not ready within `limit` (it is killed then); with the end of its log.
    pub(super) async fn wait_ready(&mut self, limit: Duration, ready: impl AsyncFn() -> bool) -> Result<()> {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                let error =
                    format!("{} ended as it started ({status}); its log ends with:\n{}", self.name, self.log_end());
                self.kill();
                return Err(ServerError::new(error));
            }
            if ready().await {
                return Ok(());
            }
            if Instant::now() >= until {
                let error =
                    format!("{} is not ready after {limit:?}; its log ends with:\n{}", self.name, self.log_end());
                self.kill();
                return Err(ServerError::new(error));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether the server runs, as far as its first process tells.
    pub(super) fn is_running(&self) -> bool {
        self.leader.is_some() && self.ended().is_none()
    }

    /// Kills every process of the server with SIGKILL, and returns when its first one is gone.
    pub(super) fn kill(&mut self) {
        let Some(mut leader) = self.leader.take() else { return };
        let _ = kill_process_group(Pid::from_child(&leader), Signal::KILL);
        // Before the process id is free for others.
        let _ = fs::remove_file(self.folder.join("pid"));
        let _ = leader.wait();
    }

    /// Tells the server to stop and waits for it; what is left of its process group is killed then.
    ///
    /// # Errors
    /// If it has not ended within `limit`; it is killed then.
    pub(super) async fn stop(&mut self, limit: Duration) -> Result<()> {
        let Some(leader) = &self.leader else { return Ok(()) };
        let leader = Pid::from_child(leader);
        let _ = kill_process(leader, Signal::TERM);
        // Not reaped here, so that the process id stays its own until its group is killed.
        let wait = move || waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let ended = tokio::time::timeout(limit, tokio::task::spawn_blocking(wait)).await;
        self.kill();
        ended.map(drop).map_err(|_| {
            let log = self.log_end();
            ServerError::new(format!(
                "{} did not stop within {limit:?} and was killed; its log ends with:\n{log}",
                self.name
            ))
        })
    }

    /// How the server ended, if it did, without taking notice of it.
    fn ended(&self) -> Option<String> {
        let leader = Pid::from_child(self.leader.as_ref()?);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(leader), options).ok().flatten()?;
        Some(describe(&status))
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The last lines of the log.
    pub(super) fn log_end(&self) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn describe(status: &WaitIdStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    }
}

/// The caller's `PATH`, and the folders that servers and their helpers are in on every system.
pub(super) fn search_path() -> std::ffi::OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    if !path.is_empty() {
        path.push(":");
    }
    path.push("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENV: [(&str, &str); 0] = [];
    const LIMIT: Duration = Duration::from_secs(20);

    fn launched(script: &str) -> ServerProcess {
        let mut process = ServerProcess::new("Test").unwrap();
        process.launch(&ENV, Path::new("/bin/sh"), &["-c", script]).unwrap();
        process
    }

    #[tokio::test]
    async fn a_server_that_ends_as_it_starts_shows_its_log() {
        let mut process = launched("echo no such option >&2; exit 3");
        let error = process.wait_ready(LIMIT, async || false).await.unwrap_err().to_string();
        assert!(error.contains("exit code 3") && error.contains("no such option"), "{error}");
        assert!(!process.is_running());
    }

    #[tokio::test]
    async fn a_server_that_is_never_ready_is_killed() {
        let mut process = launched("exec sleep 600");
        let error = process.wait_ready(Duration::ZERO, async || false).await.unwrap_err().to_string();
        assert!(error.contains("Test is not ready"), "{error}");
        assert!(!process.is_running());
    }

    #[tokio::test]
    async fn a_server_that_does_not_stop_is_killed() {
        let mut process = launched("trap '' TERM; echo deaf; exec sleep 600");
        let log = process.log_path();
        process.wait_ready(LIMIT, async || fs::read_to_string(&log).unwrap().contains("deaf")).await.unwrap();
        let error = process.stop(Duration::from_millis(50)).await.unwrap_err().to_string();
        assert!(error.contains("did not stop"), "{error}");
        assert!(!process.is_running());
    }

    #[tokio::test]
    async fn a_server_that_stops_takes_its_helpers_with_it() {
        let mut process = launched("sleep 600 & echo $!; exec sleep 600");
        let log = process.log_path();
        process.wait_ready(LIMIT, async || fs::read_to_string(&log).unwrap().ends_with('\n')).await.unwrap();
        let helper: u32 = fs::read_to_string(&log).unwrap().trim().parse().unwrap();
        process.stop(LIMIT).await.unwrap();
        // Killed at once; dead a moment later, and buried when the system comes to it.
        let stat = format!("/proc/{helper}/stat");
        let lives = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        let until = Instant::now() + LIMIT;
        while lives() {
            assert!(Instant::now() < until, "the helper lives on");
            sleep(Duration::from_millis(5)).await;
        }
    }

    #[test]
    fn nothing_starts_once_the_guard_has_taken_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let [taken, started] = ["taken", "started"].map(|name| folder.path().join(name));
        let launch = Command::new("/bin/sh").args(["-c", LAUNCH]).arg(&taken).arg("touch").arg(&started).status();
        assert!(!launch.unwrap().success() && !started.exists());
    }
}
