//! The endurance run, short: processes are killed and frozen, their clocks set, SAP B1 stands still and loses answers, servers
//! are killed, the store's file is deleted; and every order has one document, or is F with a reason. For longer, run the
//! program: `cargo run -p datawald-tests --bin endure -- --minutes 20`.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::process::Command;

use serde_json::Value;

#[test]
fn over_a_file_and_restful() {
    let befell =
        ["killed", "frozen", "clock set", "SAP B1 stalled", "answers lost for a while", "store's file deleted"];
    endures("--store sqlite --way restful --seed 1 --seconds 60", &befell);
}

#[test]
fn over_servers_and_the_service_layer() {
    let befell = [
        "killed",
        "frozen",
        "clock set",
        "SAP B1 stalled",
        "answers lost for a while",
        "broker killed",
        "database killed",
    ];
    endures("--store servers --way service-layer --seed 2 --seconds 40", &befell);
}

/// Whoever writes again what may still be carried out doubles it, and the judge sees that.
#[test]
fn a_plain_loop_doubles_what_is_carried_out_late() {
    let args = "--mover loop --only lose-answers --seconds 15 --orders 400 --gap-ms 500 --seed 3";
    let (succeeded, report, told) = endure(args);
    assert!(!succeeded, "{told}");
    let verdict = &report["verdict"];
    assert!(report["befell"]["answers lost for a while"].as_u64() > Some(0), "{told}");
    assert!(verdict["doubled"].as_array().is_some_and(|orders| !orders.is_empty()), "{told}");
    assert!(verdict["documents"].as_u64() > Some(400), "{told}");
    // And nothing else is wrong.
    for what in ["unstaged", "lost", "mistaken", "wrong_total", "silent", "waiting"] {
        assert_eq!(verdict[what].as_array().map(Vec::len), Some(0), "{what}: {told}");
    }
}

#[test]
fn celery_that_is_not_there_is_told() {
    let output = Command::new(env!("CARGO_BIN_EXE_endure"))
        .args(["--mover", "celery"])
        .env("DATAWALD_BENCH", "/nowhere")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("Celery is not at /nowhere/celery"), "{told}");
}

fn endures(args: &str, befell: &[&str]) {
    let sizes = "--orders 1500 --gap-ms 1000 --calm-seconds 90";
    let (succeeded, report, told) = endure(&format!("{sizes} {args}"));
    assert!(succeeded, "{told}");
    for what in befell {
        assert!(report["befell"][what].as_u64() > Some(0), "it never happened: {what}: {told}");
    }
    assert!(report["calls_stalled"].as_u64() > Some(0), "no call was held: {told}");
}

/// Whether a run ended well, its report, and what it told.
fn endure(args: &str) -> (bool, Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_endure"));
    command.args(["--tell", "--report"]).arg(&report).args(args.split(' '));
    let output = command.output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    let text = std::fs::read(&report).unwrap_or_else(|error| panic!("{error}: {told}"));
    (output.status.success(), serde_json::from_slice(&text).unwrap(), told)
}
