//! A client that nobody in this project wrote speaks to the sandbox Service Layer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;

use sapb1_connector::sandbox::service_layer::{Faults, NextLink, Sandbox, SandboxOptions};
use serde_json::{Value, json};
use tokio::process::Command;

#[tokio::test]
async fn an_npm_client_logs_in_adds_pages_changes_and_cancels() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = folder.join("../.cache/b1-service-layer/node_modules");
    assert!(modules.is_dir(), "run ./scripts/test, which puts b1-service-layer into .cache");
    // It knows nothing of `ROUTEID`.
    let sandbox = Sandbox::start(SandboxOptions { nodes: 1, ..SandboxOptions::default() }).await.unwrap();
    for (round, next_link) in [NextLink::Relative, NextLink::EmptyFirst, NextLink::Whole].into_iter().enumerate() {
        sandbox.set_faults(Faults { next_link, ..Faults::default() });
        let before = sandbox.counters();
        let run = Command::new("node")
            .arg(folder.join("tests/service_layer/foreign.js"))
            .arg(sandbox.url())
            .env("NODE_PATH", &modules)
            .kill_on_drop(true)
            .output()
            .await
            .expect("node runs");
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{said}");
        let told: Value = serde_json::from_str(&said).unwrap();
        let made = told["made"].as_array().unwrap();
        assert_eq!(made.len(), 45);
        let found = told["found"].as_array().unwrap();
        assert_eq!((found.len(), &found[found.len() - 45..]), ((round + 1) * 45, &made[..]), "{next_link:?}");
        assert_eq!(told["totals"], json!([20]));
        assert_eq!((&told["cancelled"], &told["comments"]), (&json!("tYES"), &json!("changed")));
        assert_eq!(told["refused"], "-1000");
        let after = sandbox.counters();
        assert_eq!((after.documents - before.documents, after.cancelled - before.cancelled), (45, 1));
        assert_eq!(after.unauthorized, 0);
    }
}
