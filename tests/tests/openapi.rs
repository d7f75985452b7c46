//! The API against its own OpenAPI document: schemathesis makes up requests of every shape, and each answer must be one that
//! is documented.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests' own")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use datawald_core::SystemClock;
use datawald_core::api::{Api, ApiSettings, Scope, Tokens};
use datawald_core::engine::Engine;
use datawald_core::store::SqliteStore;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::process::Command;

/// How often each route answered with which status.
type Seen = Arc<Mutex<BTreeMap<(String, String), BTreeMap<u16, u32>>>>;

async fn count(State(seen): State<Seen>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().as_str().to_lowercase();
    let response = next.run(request).await;
    if let Some(path) = path {
        *seen.lock().unwrap().entry((method, path)).or_default().entry(response.status().as_u16()).or_default() += 1;
    }
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing_undocumented() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path().join("core.db")).unwrap());
    let scopes = [Scope::Read, Scope::Stage, Scope::Operate];
    let token = Tokens::new(store.clone(), Arc::new(SystemClock)).create("schemathesis", &scopes, None).await.unwrap();
    let settings = ApiSettings { requests_per_second: 100_000, burst: 100_000, ..ApiSettings::default() };
    let seen = Seen::default();
    let router = Api::new(Engine::builder(store).build().unwrap(), settings.clone()).unwrap().router();
    let router = router.layer(middleware::from_fn_with_state(seen.clone(), count));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { datawald_core::api::serve(listener, router, &settings, std::future::pending()).await });

    let document = folder.path().join("openapi.json");
    std::fs::write(&document, datawald_core::api::openapi()).unwrap();
    let program =
        datawald_tests::servers::schemathesis().expect("run ./scripts/test, which puts schemathesis into .cache");
    let run = Command::new(program)
        .args(["run", document.to_str().unwrap(), "--url", &url, "--no-color", "--warnings", "off"])
        .args(["-H", &format!("Authorization: Bearer {}", token.expose_secret())])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--workers", "2", "--seed", "1"])
        .args(["--generation-database", "none", "--suppress-health-check", "all", "--continue-on-failure"])
        .current_dir(folder.path())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));

    let seen = seen.lock().unwrap();
    let mut statuses: BTreeMap<u16, u32> = BTreeMap::new();
    for (status, times) in seen.values().flatten() {
        *statuses.entry(*status).or_default() += times;
    }
    eprintln!("{} routes, answers by status: {statuses:?}", seen.len());
    assert!(run.status.success(), "{said}");
    assert!(statuses.keys().all(|status| *status < 500), "{statuses:?}");
    let document: serde_json::Value = serde_json::from_str(&datawald_core::api::openapi()).unwrap();
    let mut missed = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if !seen.contains_key(&(method.clone(), path.clone())) {
                missed.insert(format!("{method} {path}"));
            }
        }
    }
    assert!(missed.is_empty(), "not reached: {missed:?}");
}
