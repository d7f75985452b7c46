//! datawald is a guest in somebody else's program: added to it, it changes nothing there. The programs are in
//! `tests/downstream/`, each with its own lock file, outside this workspace.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The crates that others add to theirs, and all their features but those that choose a TLS provider and the sandboxes'.
const CRATES: [(&str, &str); 5] = [
    ("datawald-core", "api client http mongodb rabbitmq scheduler sqlite"),
    ("datawald-frontend", ""),
    ("datawald-backoffice", ""),
    ("mage2-connector", "sandbox"),
    ("sapb1-connector", "sandbox"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What cargo prints.
fn cargo(arguments: &[&str], program: Option<&str>) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).arg("--locked").current_dir(root());
    if let Some(program) = program {
        command.arg("--manifest-path").arg(root().join("tests/downstream").join(program).join("Cargo.toml"));
    }
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program:?} (a stale lock file? `cargo metadata` without `--locked` mends it): {told}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Only one crate of a program may link SQLite. That of sqlx 0.8 is the oldest that we can work with.
#[test]
fn one_sqlite_serves_the_program_and_the_store() {
    for (program, own, version) in
        [("sqlx_0_8", "sqlx", "0.8."), ("sqlx_0_9", "sqlx", "0.9."), ("diesel_2_3", "diesel", "2.3.")]
    {
        let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version=1"], Some(program))).unwrap();
        let versions = |name: &str| -> Vec<&str> {
            let packages = metadata["packages"].as_array().unwrap().iter();
            packages.filter(|package| package["name"] == name).map(|it| it["version"].as_str().unwrap()).collect()
        };
        assert!(versions(own).iter().all(|it| it.starts_with(version)) && versions(own).len() == 1, "{program}");
        assert_eq!((versions("rusqlite").len(), versions("libsqlite3-sys").len()), (1, 1), "{program}");
    }
}

/// No provider of cryptography and no HTTP client whose features the program shares: with another provider, or without one,
/// the program's own would panic.
#[test]
fn no_library_brings_a_tls_provider() {
    for (name, features) in CRATES {
        let tree = cargo(
            &["tree", "--package", name, "--features", features, "--edges", "normal,features", "--prefix", "none"],
            None,
        );
        assert!(tree.lines().any(|line| line.starts_with("serde_json v")), "{name}: {tree}");
        for foreign in ["ring", "aws-lc-rs", "openssl", "native-tls", "reqwest"] {
            let found = tree.lines().find(|line| line.starts_with(&format!("{foreign} ")));
            assert_eq!(found, None, "of {name}");
        }
        let chosen = ["rustls feature \"ring\"", "rustls feature \"aws", "mongodb feature \"rustls-tls"];
        let found = tree.lines().find(|line| chosen.iter().any(|chosen| line.starts_with(chosen)));
        assert_eq!(found, None, "of {name}");
    }
}

/// Built and run: it looks at its own TLS and its own database.
#[test]
fn a_program_keeps_its_tls_and_its_database() {
    let target = root().join("target/downstream");
    let told = cargo(&["run", "--quiet", "--target-dir", target.to_str().unwrap()], Some("sqlx_0_8"));
    assert!(told.contains("the service's own"), "{told}");
}
