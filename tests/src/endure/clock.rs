//! The wall clock of a process, set by libfaketime, which is preloaded: a file says how far it is off, and is written anew while
//! the process runs. Monotonic clocks are left alone, as they are where somebody sets the time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::TICK;

/// The library's file name, for messages; Debian's package is `libfaketime`.
pub const FAKETIME: &str = "libfaketimeMT.so.1";

/// The argument by which the program prints the seconds of its clock, again and again, with those of its monotonic one.
const TELL: &str = "--tell-time";

pub(super) fn library() -> Result<PathBuf, String> {
    let folders = std::fs::read_dir("/usr/lib").map_err(|error| format!("/usr/lib cannot be read: {error}"))?;
    let places = folders.flatten().map(|folder| folder.path().join("faketime").join(FAKETIME));
    places.chain([Path::new("/usr/lib/faketime").join(FAKETIME)]).find(|path| path.is_file()).ok_or_else(|| {
        format!("there is no {FAKETIME}, with which clocks are set; ./scripts/setup-servers installs it (libfaketime)")
    })
}

/// The clock of one process.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    file: PathBuf,
    library: PathBuf,
}

impl Clock {
    /// A clock that is right.
    pub(super) fn new(file: PathBuf, library: &Path) -> Result<Self, String> {
        let clock = Self { file, library: library.to_owned() };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it so many seconds off; whoever reads the file meanwhile reads the old one or the new one.
    pub(super) fn set(&self, seconds: i64) -> Result<(), String> {
        let new = self.file.with_extension("new");
        let written = std::fs::write(&new, format!("{seconds:+}\n")).and_then(|()| std::fs::rename(&new, &self.file));
        written.map_err(|error| format!("{}: {error}", self.file.display()))
    }

    /// Has a process go by it.
    pub(super) fn give(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        for name in ["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC"] {
            command.env(name, "1");
        }
    }
}

/// Whether the program was started to tell the time; it has done so then.
pub fn tell_time() -> bool {
    if std::env::args().nth(1).as_deref() != Some(TELL) {
        return false;
    }
    let began = Instant::now();
    let mut told = String::new();
    for pause in [0, 900] {
        std::thread::sleep(Duration::from_millis(pause));
        told += &format!("{} {}\n", seconds(), began.elapsed().as_millis());
    }
    let _ = std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes());
    true
}

fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Checks on this very program that a clock can be set while it runs, and that the monotonic one stays as it is.
pub(super) async fn check(library: &Path) -> Result<(), String> {
    let failed = |what: String| format!("{} does not set clocks here: {what}", library.display());
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let folder = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let clock = Clock::new(folder.path().join("clock"), library)?;
    clock.set(3_600)?;
    let mut command = tokio::process::Command::new(program);
    command.arg(TELL).stdout(std::process::Stdio::piped()).kill_on_drop(true);
    clock.give(command.as_std_mut());
    let child = command.spawn().map_err(|error| failed(error.to_string()))?;
    tokio::time::sleep(TICK * 8).await;
    clock.set(-200)?;
    let output = child.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<i64> = told.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [first, _, second, passed] = numbers[..] else { return Err(failed(format!("it tells `{told}`"))) };
    let now = seconds();
    let right = (first - now - 3_600).abs() < 60 && (second - now + 200).abs() < 60 && (900..30_000).contains(&passed);
    if right { Ok(()) } else { Err(failed(format!("at {now} it tells `{told}`"))) }
}
