//! The limits: bodies too large, too deep and too slow, requests too many, clocks too far off.

use std::time::{Duration, Instant};

use datawald_core::api::ApiSettings;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{Answer, Core, NOW, handed};

fn json_headers(token: &str) -> Vec<(&'static str, String)> {
    vec![("Authorization", format!("Bearer {token}")), ("Content-Type", "application/json".to_owned())]
}

#[tokio::test]
async fn a_body_has_bounds() {
    let core = Core::with(ApiSettings { max_body: 10_000, max_batch: 3, ..ApiSettings::default() }).await;
    let token = core.any_scope("agent").await;
    let headers = json_headers(&token);
    let mut large = handed("1");
    large["raw"]["note"] = json!("x".repeat(20_000));
    let answer = core.raw("PUT", "/backoffice/order/1", &headers, large.to_string().as_bytes()).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    // Also if it does not say how large it is.
    let mut stream = TcpStream::connect(&core.address).await.unwrap();
    let head = format!(
        "PUT /backoffice/order/1 HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..30 {
        let _ = stream.write_all(format!("400\r\n{}\r\n", " ".repeat(1_024)).as_bytes()).await;
    }
    let _ = stream.write_all(b"0\r\n\r\n").await;
    assert_eq!(Answer::read(&mut stream).await.status, 413);

    let deep = format!("{{\"frontend\":\"mage2\",\"data\":{}1{}}}", "[".repeat(4_000), "]".repeat(4_000));
    let answer = core.raw("PUT", "/backoffice/customer/1", &headers, deep.as_bytes()).await;
    assert_eq!((answer.status, answer.text.contains("deeper than 64")), (400, true), "{answer:?}");
    let entities = ["1", "2", "3", "4"].map(|id| json!({"id": id, "entity": handed(id)}));
    let many = json!({"entities": entities});
    let answer = core.json(&token, "PUT", "/backoffice/order", Some(&many)).await;
    assert_eq!((answer.status, answer.fields()), (422, vec!["entities".to_owned()]));
    for (body, kind) in [
        ("{", "application/json"),
        ("{} {}", "application/json"),
        ("", "application/json"),
        ("\u{0}", "application/json"),
    ] {
        let headers = [("Authorization", format!("Bearer {token}")), ("Content-Type", kind.to_owned())];
        let answer = core.raw("PUT", "/backoffice/order", &headers, body.as_bytes()).await;
        assert!(matches!(answer.status, 400 | 422), "{body}: {answer:?}");
    }
    let headers = [("Authorization", format!("Bearer {token}")), ("Content-Type", "text/xml".to_owned())];
    assert_eq!(core.raw("PUT", "/backoffice/order", &headers, b"<a/>").await.status, 415);
    assert_eq!(core.store.list(&Default::default()).await.unwrap().items, []);
}

#[tokio::test]
async fn what_comes_too_slowly_is_not_waited_for() {
    let core = Core::with(ApiSettings { head_timeout_ms: 300, body_timeout_ms: 300, ..ApiSettings::default() }).await;
    let token = core.any_scope("agent").await;
    let started = Instant::now();
    let mut stream = TcpStream::connect(&core.address).await.unwrap();
    let head = format!(
        "PUT /backoffice/order/1 HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\nConnection: close\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(Answer::read(&mut stream).await.status, 408);
    // Half a head is not answered at all.
    let mut stream = TcpStream::connect(&core.address).await.unwrap();
    stream.write_all(b"GET /health/live HTT").await.unwrap();
    assert!(matches!(Answer::read(&mut stream).await.status, 0 | 408));
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_token_has_so_many_requests() {
    let core = Core::with(ApiSettings { requests_per_second: 1, burst: 3, ..ApiSettings::default() }).await;
    let (busy, calm) = (core.any_scope("busy").await, core.any_scope("calm").await);
    let mut refused = None;
    for _ in 0..10 {
        let answer = core.json(&busy, "GET", "/control/cutdt/mage2/sync_orders", None).await;
        if answer.status == 429 {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("nothing was refused");
    assert!(refused.header("retry-after").is_some_and(|wait| wait.parse::<u64>().unwrap() >= 1), "{refused:?}");
    assert_eq!(core.json(&calm, "GET", "/control/cutdt/mage2/sync_orders", None).await.status, 200);
    assert_eq!(core.raw("GET", "/health/live", &[], b"").await.status, 200);
}

#[tokio::test]
async fn a_clock_that_is_far_off_leases_nothing() {
    let core = Core::start().await;
    let token = core.any_scope("worker").await;
    let claim = |wall: &str, store: &str| {
        json!({"flow": {"table": "orders", "frontend": "mage2"}, "keys": null, "limit": 10, "owner": "w",
            "lease_ms": 60_000, "settle_delay_ms": 0, "now": {"wall": wall, "store": store}})
    };
    // A wall clock may show anything: where it is far off, this host writes down its own time.
    for wall in ["2026-01-31T10:01:01Z", "2006-01-31T10:00:00Z"] {
        let answer = core.json(&token, "POST", "/engine/claim", Some(&claim(wall, NOW))).await;
        assert_eq!(answer.status, 200, "{wall}: {answer:?}");
    }
    let times = [("2026-01-31T10:00:59Z", 200), ("2026-01-31T10:01:01Z", 422), ("2006-01-31T10:00:00Z", 422)];
    for (now, status) in times {
        let answer = core.json(&token, "POST", "/engine/claim", Some(&claim(NOW, now))).await;
        assert_eq!(answer.status, status, "{now}: {answer:?}");
        if status == 422 {
            assert_eq!(answer.fields(), ["now.store"]);
        }
    }
}

#[tokio::test]
async fn leases_end_within_bounds() {
    let core = Core::start().await;
    let token = core.any_scope("worker").await;
    let flow = json!({"table": "orders", "frontend": "mage2"});
    let operations = |until: &str| {
        let pull = json!({"flow": flow, "owner": "w", "token": 1});
        [
            ("acquire_pull", json!({"flow": flow, "owner": "w", "now": NOW, "until": until}), "until"),
            (
                "stage",
                json!({"lease": pull, "lease_until": until, "entities": [], "cut": null,
                    "sync_task": {"id": "1", "flow": flow, "cut_before": null, "now": NOW},
                    "now": {"wall": NOW, "store": NOW}}),
                "lease_until",
            ),
            ("renew_pull", json!({"lease": pull, "until": until}), "until"),
            ("renew", json!({"leases": [], "until": until, "due_at": until}), "until"),
        ]
    };
    for (until, good) in [
        ("2026-01-31T09:00:00Z", false),
        ("2026-01-31T09:59:30Z", true),
        ("2026-02-01T10:00:00Z", true),
        ("2027-01-31T10:00:00Z", false),
    ] {
        for (name, body, field) in operations(until) {
            let answer = core.json(&token, "POST", &format!("/engine/{name}"), Some(&body)).await;
            match good {
                // It may be refused for what it is about.
                true => assert!([200, 404, 409].contains(&answer.status), "{name} {until}: {answer:?}"),
                false => assert_eq!((answer.status, answer.fields()), (422, vec![field.to_owned()]), "{name} {until}"),
            }
        }
    }
    for (lease_ms, settle_delay_ms, field) in [(u64::MAX, 0, "lease_ms"), (1, u64::MAX, "settle_delay_ms")] {
        let body = json!({"flow": flow, "keys": null, "limit": 1, "owner": "w", "lease_ms": lease_ms,
            "settle_delay_ms": settle_delay_ms, "now": {"wall": NOW, "store": NOW}});
        let answer = core.json(&token, "POST", "/engine/claim", Some(&body)).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![field.to_owned()]), "{answer:?}");
    }
}

#[tokio::test]
async fn a_cut_does_not_lie_ahead() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    let flow = json!({"table": "orders", "frontend": "mage2"});
    // Local time that was given as UTC.
    let ahead = "2026-01-31T18:00:00Z";
    let told = json!({"cut_dt": ahead});
    let answer = core.json(&token, "PUT", "/control/synccontrol/mage2/sync_orders", Some(&told)).await;
    assert_eq!((answer.status, answer.fields()), (422, vec!["cut_dt".to_owned()]));
    let task = json!({"id": "1", "flow": flow, "cut_before": null, "now": NOW});
    let pushed = json!({"task": task, "members": [], "cut": {"cut_dt": ahead, "offset": 0}});
    let answer = core.json(&token, "POST", "/engine/record_pushed", Some(&pushed)).await;
    assert_eq!((answer.status, answer.fields()), (422, vec!["cut".to_owned()]));
    let listed = core.json(&token, "GET", "/control/synctasks", None).await.body();
    assert_eq!(listed["items"], json!([]));
    let soon = json!({"cut_dt": "2026-01-31T10:00:30Z"});
    assert_eq!(core.json(&token, "PUT", "/control/synccontrol/mage2/sync_orders", Some(&soon)).await.status, 200);
}

#[tokio::test]
async fn a_stopping_core_finishes_what_it_has_begun() {
    let mut core = Core::start().await;
    let token = core.any_scope("agent").await;
    let mut stream = TcpStream::connect(&core.address).await.unwrap();
    let body = handed("1").to_string();
    let head = format!(
        "PUT /backoffice/order/1 HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // It has begun once it asks for the body.
    let asks = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut asked = vec![0; asks.len()];
    tokio::time::timeout(Duration::from_secs(60), stream.read_exact(&mut asked)).await.expect("no answer").unwrap();
    assert_eq!(asked, asks, "{}", String::from_utf8_lossy(&asked));
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    let address = core.address.clone();
    let rest = async {
        // It is stopping once it takes no more connections.
        while TcpStream::connect(&address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stream.write_all(&body.as_bytes()[10..]).await.unwrap();
        Answer::read(&mut stream).await
    };
    let (answer, ()) = tokio::join!(rest, core.stop());
    assert_eq!(answer.status, 201);
    assert!(TcpStream::connect(&core.address).await.is_err());
}

/// What is taken can be given back: by whoever reads JSON, and as it was.
#[tokio::test]
async fn json_that_readers_take_differently_is_refused_where_it_stands() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    let headers = json_headers(&token);
    let body = |more: &str| {
        format!(r#"{{"frontend": "mage2", "data": {{"sku": "a", "x": [1, {more}]}}, "raw": {{"y": [{more}]}}}}"#)
    };
    for more in [r#"{"d": 1, "d": 2}"#, r#""a \ud83d b""#, r#""\udc00""#, "1e400", "-1e999"] {
        let answer = core.raw("PUT", "/frontend/product/a", &headers, body(more).as_bytes()).await;
        let place = if more.starts_with('{') { "data.x[1].d" } else { "data.x[1]" };
        assert_eq!((answer.status, answer.fields()), (422, vec![place.to_owned()]), "{more}: {answer:?}");
        assert!(!answer.text.contains("a b"), "a value is told: {answer:?}");
        // In an outcome, in one of many, and for an engine as well.
        let entity = format!(r#"{{"entities": [{{"id": "a", "entity": {}}}]}}"#, body(more));
        let answer = core.raw("PUT", "/frontend/product", &headers, entity.as_bytes()).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![format!("entities[0].entity.{place}")]), "{answer:?}");
    }
    assert_eq!(core.store.list(&Default::default()).await.unwrap().items, []);
    // A document that is no object, of either kind.
    for (field, body) in [
        ("data", r#"{"frontend": "mage2", "data": [1]}"#),
        ("raw", r#"{"frontend": "mage2", "data": {}, "raw": [1]}"#),
        ("raw", r#"{"frontend": "mage2", "data": {}, "raw": "text"}"#),
        ("raw", r#"{"frontend": "mage2", "data": {}, "raw": 3}"#),
    ] {
        let answer = core.raw("PUT", "/frontend/product/a", &headers, body.as_bytes()).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![field.to_owned()]), "{body}: {answer:?}");
    }

    let good = r#"[{"d": 1, "e": {"d": 2}}, "\ud83d\ude00 \\ud800", 1e308, 12345678901234567890.12345, 0.10, "1e400"]"#;
    let answer = core.raw("PUT", "/frontend/product/a", &headers, body(good).as_bytes()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = core.raw("GET", "/frontend/product/a?frontend=mage2", &headers, b"").await;
    let told: std::collections::HashMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(&answer.text).unwrap();
    assert_eq!(told["data"].get(), format!(r#"{{"sku": "a", "x": [1, {good}]}}"#));
    assert_eq!(told["raw"].get(), format!(r#"{{"y": [{good}]}}"#));
}

/// A shop may have what no reader takes; that comes as a text, for people.
#[tokio::test]
async fn a_document_of_a_pull_that_is_no_json_comes_as_a_text() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    let flow = datawald_core::model::FlowId::new(datawald_core::model::Table::Products, "mage2");
    for (id, raw) in [("1", r#"{"name": "a \ud83d"}"#), ("2", "<html>"), ("3", r#"{"a": 1, "a": 1e999}"#)] {
        let entity = datawald_core::store::StageEntity {
            id: id.into(),
            name: id.into(),
            intent: datawald_core::model::Intent::Apply,
            source_status: String::new(),
            source_updated_at: None,
            fingerprint: datawald_core::model::Fingerprint::of(raw.as_bytes()),
            doc: "{}".into(),
            raw: raw.into(),
        };
        let now: jiff::Timestamp = NOW.parse().unwrap();
        core.store.push(&flow, vec![datawald_core::store::Push { entity, if_rev: None }], now.into()).await.unwrap();
        let answer = core.json(&token, "GET", &format!("/frontend/product/{id}?frontend=mage2"), None).await;
        assert_eq!(answer.body()["raw"], raw, "{answer:?}");
    }
}

#[tokio::test]
async fn another_method_is_told_which_there_are() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    for (method, path, allowed) in [
        ("POST", "/backoffice/order/1", &["GET", "PUT"][..]),
        ("DELETE", "/entities", &["GET"]),
        ("PATCH", "/control/synctask", &["GET", "PUT", "DELETE"]),
        ("GET", "/engine/claim", &["POST"]),
    ] {
        let answer = core.json(&token, method, path, None).await;
        let told = answer.header("allow").unwrap_or_default().to_owned();
        assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
        assert!(allowed.iter().all(|method| told.contains(method)), "{method} {path}: {told}");
    }
}
