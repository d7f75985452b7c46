//! Clean-up that outlives the process that needs it.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::{Result, ServerError};

/// A shell that cleans up once this process is gone, killed with `kill -9` included, or drops the guard.
///
/// It reads from a pipe that only this process holds open, and to which nobody writes: the system closes it in every case.
/// It is a process group of its own, so that Ctrl-C does not reach it.
#[derive(Debug)]
pub struct Guard {
    shell: Child,
}

impl Guard {
    /// Runs the lines of `clean_up` (POSIX shell, with `args` as `$1`…) when this process is gone, or in `drop`.
    ///
    /// # Errors
    /// If there is no `/bin/sh`.
    pub fn new<I, A>(clean_up: &str, args: I) -> Result<Self>
    where
        I: IntoIterator<Item = A>,
        A: AsRef<OsStr>,
    {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(format!("trap '' HUP INT TERM\nread -r _\n{clean_up}")).arg("guard").args(args);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/").process_group(0);
        Ok(Self { shell: shell.spawn().map_err(ServerError::of("/bin/sh cannot be started"))? })
    }

    /// Ends the guard without its clean-up.
    pub fn disarm(mut self) {
        // Dead before its input is closed, so it sees no end of it.
        let _ = self.shell.kill();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_up_when_dropped_and_not_when_disarmed() {
        let folder = tempfile::tempdir().unwrap();
        let [kept, removed] = ["kept", "removed"].map(|name| folder.path().join(name));
        for file in [&kept, &removed] {
            std::fs::write(file, "").unwrap();
        }
        Guard::new("rm \"$1\"", [&kept]).unwrap().disarm();
        drop(Guard::new("rm \"$1\"", [&removed]).unwrap());
        assert!(kept.exists() && !removed.exists());
    }
}
