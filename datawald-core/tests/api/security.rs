//! Who is refused, and what hostile requests come to; told in one table, which the docs show.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use datawald_core::api::{ApiSettings, Scope};
use datawald_core::client::{ClientSettings, RemoteCore};
use datawald_core::engine::{Engine, FetchQuery, Flow, Source, SourcePage};
use datawald_core::model::{Cut, EntityKey, FlowId, Table};
use datawald_core::store::EntityFilter;
use datawald_core::{Cx, Result};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::world::{Answer, Core, handed};

#[cfg(feature = "mongodb")]
#[path = "../servers/mod.rs"]
mod servers;

const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/api-security.md");

/// What may be written where a key, a name or a cursor is read, and is no more than text.
const HARMLESS: &[&str] = &[
    "$where",
    "{\"$ne\": null}",
    "[$ne]",
    "' or 1 eq 1 or '",
    "') or substringof('a",
    "'; DROP TABLE entities; --",
    "\" OR \"\"=\"",
    "%27%20OR%201=1",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "../../etc/passwd",
    "orders/mage2/1",
    "a.b.$[]",
    "<script>alert(1)</script>",
    "\u{202e}drawkcab",
];

/// What has no business in a key: it would forge lines of logs, or cut texts short.
const REFUSED: &[&str] = &["1\n2026-01-31T10:00:00Z ERROR forged", "1\r\nSet-Cookie: a=b", "1\u{0}", "\u{1b}[2J", ""];

struct Tally {
    rows: Vec<(String, u32, String)>,
}

impl Tally {
    fn add(&mut self, what: &str, tries: u32, came_to: &str) {
        self.rows.push((what.to_owned(), tries, came_to.to_owned()));
    }

    fn table(&self) -> String {
        let mut text = String::from("| what was tried | times | each came to |\n|---|---|---|\n");
        for (what, tries, came_to) in &self.rows {
            let _ = writeln!(text, "| {what} | {tries} | {came_to} |");
        }
        text
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Every operation of the document, with places filled in.
async fn operations(core: &Core, token: &str) -> Vec<(String, String)> {
    let document = core.json(token, "GET", "/openapi.json", None).await.body();
    let paths = document["paths"].as_object().unwrap().clone();
    let fill = |path: &str| path.replace("{app}", "mage2").replace("{task}", "sync_orders").replace("{id}", "1");
    paths
        .iter()
        .filter(|(path, _)| !path.starts_with("/health/"))
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), fill(path))).collect::<Vec<_>>()
        })
        .collect()
}

async fn refused_tokens(core: &Core, tally: &mut Tally) {
    let all = core.any_scope("all").await;
    let operations = operations(core, &all).await;
    let name_and_secret =
        |token: &str| token.rsplit_once('_').map(|(name, secret)| (name.to_owned(), secret.to_owned())).unwrap();
    let (name, secret) = name_and_secret(&all);
    let soon = core_now() + Duration::from_millis(1);
    let expiring =
        core.tokens.create("expiring", &[Scope::Read, Scope::Stage, Scope::Operate], Some(soon)).await.unwrap();
    let revoked = core.any_scope("revoked").await;
    assert!(core.tokens.revoke("revoked").await.unwrap());
    core.clock.advance(jiff::SignedDuration::from_secs(1));
    let wrong = [
        ("no token", vec![None]),
        (
            "a wrong token",
            vec![
                Some(format!("Bearer {name}_{}", "0".repeat(secret.len()))),
                Some(format!("Bearer {name}_")),
                Some(format!("Bearer {all}0")),
                Some(format!("Bearer dw_other_{secret}")),
                Some(format!("Bearer dw_../all_{secret}")),
                Some("Bearer".to_owned()),
                Some(format!("Basic {all}")),
                Some(all.clone()),
            ],
        ),
        ("an expired token", vec![Some(format!("Bearer {}", expiring.expose_secret()))]),
        ("a revoked token", vec![Some(format!("Bearer {revoked}"))]),
    ];
    for (what, headers) in wrong {
        let mut tries = 0;
        for (method, path) in &operations {
            for header in &headers {
                let headers: Vec<_> = header.iter().map(|value| ("Authorization", value.clone())).collect();
                let answer = core.raw(method, path, &headers, b"").await;
                assert_eq!(answer.status, 401, "{what}: {method} {path}");
                assert!(answer.header("www-authenticate").is_some() && !answer.text.contains(&secret));
                tries += 1;
            }
        }
        tally.add(what, tries, "401");
    }
    let mut tries = 0;
    let scopes = [Scope::Read, Scope::Stage, Scope::Operate];
    let mut tokens = Vec::new();
    for scope in scopes {
        tokens.push(core.token(&format!("only-{scope}"), &[scope]).await);
    }
    for (method, path) in operations.iter().filter(|(_, path)| path != "/openapi.json") {
        let mut allowed = 0;
        for token in &tokens {
            let answer = core.json(token, method, path, None).await;
            match answer.status {
                403 => tries += 1,
                _ => allowed += 1,
            }
        }
        assert_eq!(allowed, 1, "{method} {path} is for one scope");
    }
    tally.add("a token without the scope", tries, "403");
}

fn core_now() -> jiff::Timestamp {
    crate::world::NOW.parse().unwrap()
}

/// Every place where a text is read: paths, queries, bodies.
async fn injections(core: &Core, tally: &mut Tally) {
    let token = core.any_scope("hostile").await;
    let (mut harmless, mut refused) = (0, 0);
    for text in HARMLESS {
        let id = encoded(text);
        let mut body = handed(text);
        body["frontend"] = json!(text);
        body["data"]["frontend"] = json!(text);
        let put = core.json(&token, "PUT", &format!("/backoffice/order/{id}"), Some(&body)).await;
        assert_eq!(put.status, 201, "{text}: {put:?}");
        let get = core.json(&token, "GET", &format!("/backoffice/order/{id}?frontend={id}"), None).await;
        assert_eq!((get.status, &get.body()["id"]), (200, &json!(text)));
        let stored = core
            .store
            .get(&EntityKey { table: Table::Orders, frontend: (*text).to_owned(), id: (*text).to_owned() })
            .await;
        assert_eq!(stored.unwrap().unwrap().key.id, *text);
        for (path, expected) in [
            (format!("/backoffice/order/{id}?frontend=mage2"), 404),
            (format!("/control/cutdt/{id}/sync_orders"), 200),
            (format!("/control/cutdt/mage2/{id}"), 404),
            (format!("/control/synctask?id={id}"), 404),
            (format!("/control/task?table=orders&frontend=mage2&id={id}"), 404),
            (format!("/control/schedule?name={id}"), 404),
            (format!("/control/task?table={id}&frontend=mage2&id=1"), 400),
            (format!("/entities/history?table=orders&frontend={id}&id=1"), 404),
            (format!("/entities?sync_task={id}"), 200),
            (format!("/entities?after={id}"), 422),
            (format!("/entities?status={id}"), 422),
            (format!("/entities?{id}=1"), 400),
            (format!("/control/synctasks?status={id}"), 400),
            (format!("/control/synctasks?after={id}"), 422),
        ] {
            let answer = core.json(&token, "GET", &path, None).await;
            assert_eq!(answer.status, expected, "{path}: {answer:?}");
            if path.contains("sync_task=") {
                assert_eq!(answer.body()["items"], json!([]));
            }
            harmless += 1;
        }
        // An operator where a text is to be.
        for body in [
            json!({"frontend": {"$ne": text}, "data": {}}),
            json!({"frontend": "mage2", "data": {}, "status": {"$gt": text}}),
            json!({"frontend": "mage2", "data": {}, "intent": {"$in": [text]}}),
        ] {
            let answer = core.json(&token, "PUT", "/backoffice/customer/1", Some(&body)).await;
            assert_eq!(answer.status, 422, "{body}: {answer:?}");
            refused += 1;
        }
        for (operation, body) in [
            ("get", json!({"key": {"table": "orders", "frontend": {"$ne": null}, "id": text}})),
            ("due", json!({"flow": {"table": text, "frontend": "mage2"}, "now": crate::world::NOW, "limit": 1})),
            ("record", json!({"name": {"$regex": text}})),
            ("record", json!({"name": format!("token/{text}")})),
            ("write_record", json!({"name": "token/all", "rev": 1, "value": text})),
            ("delete_record", json!({"name": "token/all", "rev": 1})),
        ] {
            let answer = core.json(&token, "POST", &format!("/engine/{operation}"), Some(&body)).await;
            assert_eq!(answer.status, 422, "{operation} {body}: {answer:?}");
            refused += 1;
        }
        let outcome =
            json!({"frontend": text, "fe_order_id": text, "bo_order_id": text, "tx_status": "S", "tx_note": text});
        let written = core.json(&token, "PUT", "/backoffice/orderstatus", Some(&outcome)).await;
        assert_eq!((written.status, &written.body()["tx_note"]), (200, &json!(text)), "{written:?}");
        harmless += 3;
    }
    // As many entities as were handed over, and nothing else was touched.
    let all = core.store.list(&EntityFilter { limit: 1_000, ..EntityFilter::default() }).await.unwrap();
    assert_eq!(all.items.len(), HARMLESS.len());
    let records = core.json(&token, "POST", "/engine/records", Some(&json!({"prefix": ""}))).await.body();
    let records: Vec<_> = records["answer"].as_array().unwrap().iter().map(|record| record["name"].clone()).collect();
    assert_eq!(records, [json!("clock")], "tokens are not told");
    tally.add(
        "operators of MongoDB, quotes of OData and SQL, templates, as keys, names, cursors, notes",
        harmless,
        "taken as text",
    );
    tally.add("operators of MongoDB in the place of texts; records of tokens", refused, "422");

    let mut forged = 0;
    for text in REFUSED.iter().copied().chain([&*"x".repeat(201)]) {
        let mut bodies = vec![
            (
                "PUT",
                "/backoffice/order/1".to_owned(),
                Some({
                    let mut body = handed("1");
                    body["frontend"] = json!(text);
                    body
                }),
            ),
            ("PUT", "/control/synccontrol/mage2/sync_orders".to_owned(), Some(json!({"entities": [{"id": text}]}))),
            ("PUT", "/control/synccontrol/mage2/sync_orders".to_owned(), Some(json!({"id": text}))),
            (
                "PUT",
                "/backoffice/orderstatus".to_owned(),
                Some(json!({"frontend": text, "fe_order_id": "1", "tx_status": "I"})),
            ),
            (
                "PUT",
                "/backoffice/orderstatus".to_owned(),
                Some(json!({"frontend": "mage2", "fe_order_id": text, "tx_status": "I"})),
            ),
        ];
        if !text.is_empty() {
            bodies.push(("PUT", format!("/backoffice/order/{}", encoded(text)), Some(handed(text))));
            bodies.push(("GET", format!("/control/cutdt/{}/sync_orders", encoded(text)), None));
            bodies.push(("GET", format!("/control/task?table=orders&frontend=mage2&id={}", encoded(text)), None));
        }
        for (method, path, body) in bodies {
            let answer = core.json(&token, method, &path, body.as_ref()).await;
            assert_eq!(answer.status, 422, "{method} {path}: {answer:?}");
            assert!(!answer.text.contains("forged") && !answer.head.contains("Set-Cookie"), "{answer:?}");
            forged += 1;
        }
    }
    tally.add("keys and names that are empty, longer than 200 characters, or hold control characters", forged, "422");
}

async fn paths(core: &Core, tally: &mut Tally) {
    let token = core.any_scope("paths").await;
    let tricks = [
        "/../openapi.json",
        "/health/../metrics",
        "/health/live/../../metrics",
        "/health/%2e%2e/metrics",
        "/health%2flive",
        "//metrics",
        "/metrics/",
        "/METRICS",
        "/metrics%00",
        "/metrics;x=1",
        "/./metrics",
        "/control/cutdt/mage2",
        "/backoffice/order/..%2f..%2fmetrics/x",
        "/%",
        "/backoffice/order/%ff%fe?frontend=mage2",
        "/backoffice/order/%zz?frontend=mage2",
    ];
    for path in tricks {
        let with = core.json(&token, "GET", path, None).await;
        assert!(matches!(with.status, 400 | 404 | 405), "{path}: {with:?}");
        let without = core.raw("GET", path, &[], b"").await;
        assert!(matches!(without.status, 400 | 401), "{path}: {without:?}");
    }
    tally.add(
        "paths with dots, doubled or encoded slashes, other letters, broken encoding",
        tricks.len() as u32 * 2,
        "400, 401, 404",
    );
    let mut odd = 0;
    for request in [
        "GET /health/live HTTP/9.9\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
        "PUT /backoffice/order/1 HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "PUT /backoffice/order/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /health/live\u{1} HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "TRACE /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(&core.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = Answer::read(&mut stream).await;
        assert!(matches!(answer.status, 0 | 400 | 401 | 404 | 405 | 505), "{request:?}: {answer:?}");
        odd += 1;
    }
    tally.add("requests that are no HTTP, or HTTP that contradicts itself", odd, "400, 401, or closed");
}

async fn bounds(tally: &mut Tally) {
    let settings =
        ApiSettings { max_body: 10_000, head_timeout_ms: 300, body_timeout_ms: 300, ..ApiSettings::default() };
    let core = Core::with(settings).await;
    let token = core.any_scope("bounds").await;
    let headers = vec![("Authorization", format!("Bearer {token}")), ("Content-Type", "application/json".to_owned())];
    let document = core.json(&token, "GET", "/openapi.json", None).await.body();
    let (mut large, mut deep, mut slow) = (0, 0, 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in
            item.as_object().unwrap().iter().filter(|(_, operation)| operation.get("requestBody").is_some())
        {
            assert!(operation["requestBody"].is_object());
            let path = path.replace("{app}", "mage2").replace("{task}", "sync_orders").replace("{id}", "1");
            let path = if path == "/control/schedule" { format!("{path}?name=orders") } else { path };
            let method = method.to_uppercase();
            assert_eq!(core.raw(&method, &path, &headers, &[b' '; 20_000]).await.status, 413, "{method} {path}");
            large += 1;
            let nested = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
            assert_eq!(core.raw(&method, &path, &headers, nested.as_bytes()).await.status, 400, "{method} {path}");
            deep += 1;
            if slow < 5 {
                let mut stream = TcpStream::connect(&core.address).await.unwrap();
                let head = format!(
                    "{method} {path} HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer {token}\r\n\
                     Content-Type: application/json\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{{"
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                assert_eq!(Answer::read(&mut stream).await.status, 408, "{method} {path}");
                slow += 1;
            }
        }
    }
    tally.add("bodies too large", large, "413");
    tally.add("bodies nested too deep", deep, "400");
    tally.add("bodies that come too slowly", slow, "408");
}

/// What is harmless on one store must be on the other, which has operators of its own.
#[cfg(feature = "mongodb")]
#[tokio::test]
async fn mongodb_takes_operators_as_text() {
    let database = servers::Database::new();
    let store = datawald_core::store::MongoStore::connect(database.settings()).await.unwrap();
    let core = Core::over(std::sync::Arc::new(store)).await;
    injections(&core, &mut Tally { rows: Vec::new() }).await;
    core.json("", "GET", "/health/live", None).await;
    drop(database);
}

/// With the environment variable UPDATE set, the table is written anew.
#[tokio::test]
async fn who_is_refused_and_how_often() {
    let mut tally = Tally { rows: Vec::new() };
    refused_tokens(&Core::start().await, &mut tally).await;
    injections(&Core::start().await, &mut tally).await;
    bounds(&mut tally).await;
    paths(&Core::start().await, &mut tally).await;
    let table = tally.table();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(CHECKED_IN, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(CHECKED_IN).unwrap_or_default(), table, "run this test with UPDATE=1");
}

#[tokio::test]
async fn a_source_does_not_change_what_hosts_agree_by() {
    let core = Core::start().await;
    let token = core.token("source", &[Scope::Read, Scope::Stage]).await;
    assert!(core.store.write_record("schedule/orders", 0, "{}").await.unwrap());
    let write = json!({"name": "schedule/orders", "rev": 1, "value": "paused"});
    let delete = json!({"name": "schedule/orders", "rev": 1});
    for (operation, body) in [("write_record", write), ("delete_record", delete)] {
        assert_eq!(core.json(&token, "POST", &format!("/engine/{operation}"), Some(&body)).await.status, 403);
    }
    // What the clocks showed when it pulled is its own to note.
    let note = |name: &str| json!({"name": name, "rev": 0, "value": "{}"});
    let noted = core.json(&token, "POST", "/engine/note_clock", Some(&note("source-clock/orders/mage2"))).await;
    assert_eq!((noted.status, noted.body()["answer"].as_bool()), (200, Some(true)));
    for name in ["schedule/new", "clock", "pause/source/orders/mage2"] {
        let refused = core.json(&token, "POST", "/engine/note_clock", Some(&note(name))).await;
        assert_eq!((refused.status, refused.fields()), (422, vec!["name".to_owned()]));
        assert_eq!(core.store.record(name).await.unwrap(), None);
    }
    assert_eq!(core.store.record("schedule/orders").await.unwrap().unwrap().value, "{}");
}

/// All that a pull does, with what a source may do.
#[tokio::test]
async fn a_source_may_pull() {
    struct Page;
    #[async_trait::async_trait]
    impl Source for Page {
        async fn fetch(&self, _: &Cx, query: &FetchQuery) -> Result<SourcePage> {
            // By a clock of another year than the core's.
            let second = query.from.map_or(100, |_| 200);
            let cut = Cut { cut_dt: Timestamp::from_second(1_700_000_000 + second).unwrap(), offset: 0 };
            Ok(SourcePage { reached: Some(cut), ..SourcePage::default() })
        }
    }
    let core = Core::start().await;
    let token = core.token("source", &[Scope::Read, Scope::Stage]).await;
    let settings = ClientSettings::new(format!("http://{}", core.address), SecretString::from(token));
    let flow = FlowId::new(Table::Orders, "mage2");
    let pulls = Flow::new(flow.clone()).source(Page);
    let engine = Engine::builder(Arc::new(RemoteCore::new(settings).unwrap())).flow(pulls).build().unwrap();
    for second in [100, 200] {
        engine.pull(&flow).await.unwrap();
        assert_eq!(core.store.cut(&flow).await.unwrap().unwrap().cut_dt.as_second(), 1_700_000_000 + second);
    }
    // Somebody has set it, and the pull moves it back by itself.
    let ahead = Cut { cut_dt: Timestamp::now() + SignedDuration::from_hours(24), offset: 0 };
    core.store.set_cut(&flow, Some(ahead)).await.unwrap();
    engine.pull(&flow).await.unwrap();
    assert_eq!(core.store.cut(&flow).await.unwrap().unwrap().cut_dt.as_second(), 1_700_000_200);
    assert!(core.store.record("source-clock/orders/mage2").await.unwrap().is_some());
}

#[tokio::test]
async fn a_revoked_token_is_of_no_use_after_a_moment() {
    let core = Core::with(ApiSettings { token_cache_ms: 100, ..ApiSettings::default() }).await;
    let token = core.any_scope("short").await;
    let ask = || core.json(&token, "GET", "/control/cutdt/mage2/sync_orders", None);
    assert_eq!(ask().await.status, 200);
    assert!(core.tokens.revoke("short").await.unwrap());
    let refused = async {
        while ask().await.status != 401 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), refused).await.is_ok(), "it is of use for ever");
    assert!(!core.tokens.revoke("short").await.unwrap());
}

#[tokio::test]
async fn tokens_are_told_by_name_and_kept_as_hashes() {
    let core = Core::start().await;
    let token = core.token("shop", &[Scope::Stage, Scope::Read, Scope::Stage]).await;
    let stored = core.store.record("token/shop").await.unwrap().unwrap();
    let secret = token.rsplit_once('_').unwrap().1;
    assert!(!stored.value.contains(secret) && !format!("{stored:?}").contains("hash"));
    let listed = core.tokens.list().await.unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "shop"));
    assert_eq!(listed[0].scopes, [Scope::Read, Scope::Stage]);
    for (name, scopes, field) in [
        ("shop", &[Scope::Read][..], "name"),
        ("Shop", &[Scope::Read], "name"),
        ("", &[Scope::Read], "name"),
        ("new", &[], "scopes"),
    ] {
        let error = core.tokens.create(name, scopes, None).await.unwrap_err();
        assert_eq!(error.field_path(), Some(field), "{error}");
    }
    let past = core_now() - Duration::from_secs(1);
    assert_eq!(
        core.tokens.create("new", &[Scope::Read], Some(past)).await.unwrap_err().field_path(),
        Some("expires_at")
    );
}
