//! The transcript in the docs, replayed: each command is run by a shell, and what it prints is compared.

use std::fmt::Write as _;

use tokio::process::Command;

use crate::world::Core;

const TRANSCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/api.md");

/// With the environment variable UPDATE set, what the commands print is written anew.
#[tokio::test]
async fn what_the_docs_show_is_what_happens() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    let before = std::fs::read_to_string(TRANSCRIPT).unwrap();
    let mut after = String::new();
    let mut lines = before.lines().peekable();
    let mut in_console = false;
    let mut commands = 0;
    while let Some(line) = lines.next() {
        let _ = writeln!(after, "{line}");
        match line {
            "```console" => in_console = true,
            "```" => in_console = false,
            _ => {}
        }
        let Some(mut command) = line.strip_prefix("$ ").filter(|_| in_console).map(str::to_owned) else { continue };
        while command.ends_with('\\') {
            let more = lines.next().unwrap();
            let _ = writeln!(after, "{more}");
            command.truncate(command.len() - 1);
            command.push_str(more);
        }
        // What it printed then.
        while lines.peek().is_some_and(|line| !line.starts_with("$ ") && *line != "```") {
            lines.next();
        }
        let run = Command::new("bash")
            .args(["-c", &format!("set -o pipefail; {command}")])
            .env("CORE", format!("http://{}", core.address))
            .env("TOKEN", &token)
            .kill_on_drop(true)
            .output();
        let run = run.await.expect("bash and curl are needed");
        assert!(run.status.success(), "{command}: {}", String::from_utf8_lossy(&run.stderr));
        let printed = String::from_utf8(run.stdout).unwrap();
        if !printed.trim().is_empty() {
            let _ = writeln!(after, "{}", printed.trim_end());
        }
        commands += 1;
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(TRANSCRIPT, &after).unwrap();
        return;
    }
    assert!(commands > 50, "{commands}");
    assert_eq!(before, after, "run this test with UPDATE=1 if that is as it should be");
}
