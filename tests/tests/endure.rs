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
    endures(&["--store", "sqlite", "--way", "restful", "--seed", "1"], &befell);
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
    endures(&["--store", "servers", "--way", "service-layer", "--seed", "2"], &befell);
}

fn endures(args: &[&str], befell: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_endure"));
    command
        .args(["--seconds", "40", "--orders", "1500", "--gap-ms", "1000", "--calm-seconds", "90", "--tell", "--report"])
        .arg(&report)
        .args(args);
    let output = command.output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{told}");
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    for what in befell {
        assert!(report["befell"][what].as_u64() > Some(0), "it never happened: {what}: {told}");
    }
    assert!(report["calls_stalled"].as_u64() > Some(0), "no call was held: {told}");
}
