//! The sandbox itself: it behaves as Magento does.

use datawald_core::Effect;
use datawald_core::http::{Http, HttpRequest, HttpSettings};
use http::Method;
use http::header::AUTHORIZATION;
use mage2_connector::sandbox::{Counters, Faults, LateCommit, OrderSet, Sandbox, SandboxOptions};
use mage2_connector::{Condition, Direction, SearchCriteria};
use serde_json::{Map, Value, json};

use crate::common::*;

async fn search(sandbox: &Sandbox, criteria: &SearchCriteria) -> (Vec<u64>, u64) {
    let answer = client(sandbox).search("search", "orders", criteria).await.unwrap();
    let page: Value = answer.json().unwrap();
    let ids = page["items"].as_array().unwrap().iter().map(|order| order["entity_id"].as_u64().unwrap()).collect();
    (ids, page["total_count"].as_u64().unwrap())
}

fn by_id() -> SearchCriteria {
    SearchCriteria::new().sort("entity_id", Direction::Ascending)
}

async fn control(sandbox: &Sandbox, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let http = Http::new(HttpSettings::new(&sandbox.url()).unwrap()).unwrap();
    let request = HttpRequest::new("control", Effect::Read, method, http.url(path).unwrap());
    let request = match body {
        Some(body) => request.json(body.to_string()),
        None => request,
    };
    let answer = http.send(request).await.unwrap();
    (answer.status.as_u16(), answer.json().unwrap())
}

#[tokio::test]
async fn past_the_end_there_is_nothing_or_the_last_page_again() {
    for (orders, repeat_last_page) in
        [(OrderSet::Fixtures, true), (OrderSet::Synthetic(35), true), (OrderSet::Synthetic(35), false)]
    {
        let sandbox = sandbox(orders).await;
        sandbox.set_faults(Faults { repeat_last_page, ..Faults::default() });
        let page = |page| by_id().page_size(10).current_page(page);
        let (first, total) = search(&sandbox, &page(1)).await;
        let (last, _) = search(&sandbox, &page(4)).await;
        let (past, _) = search(&sandbox, &page(9)).await;
        assert_eq!((first.len(), last.len(), total), (10, 5, 35));
        assert_eq!(past, if repeat_last_page { last } else { Vec::new() });
    }
}

#[tokio::test]
async fn filters_and_groups() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    let count = async |criteria: SearchCriteria| search(&sandbox, &criteria.page_size(100)).await.1;
    assert_eq!(count(by_id().and("status", Condition::Eq, "holded")).await, 1);
    assert_eq!(count(by_id().and("status", Condition::In, "holded,closed,complete")).await, 4);
    assert_eq!(count(by_id().and("increment_id", Condition::Like, "%-1")).await, 1);
    assert_eq!(count(by_id().and("order_currency_code", Condition::Neq, "USD")).await, 1);
    assert_eq!(count(by_id().and("coupon_code", Condition::Neq, "X")).await, 3, "null is not unequal");
    assert_eq!(count(by_id().and("entity_id", Condition::Gt, "130").and("entity_id", Condition::Lteq, "132")).await, 2);
    let any = [("status", "holded"), ("status", "closed")];
    let any = any.map(|(field, value)| (field.to_owned(), Condition::Eq, value.to_owned()));
    assert_eq!(count(by_id().and_any(any).and("entity_id", Condition::Lt, "121")).await, 1);
}

#[tokio::test]
async fn criteria_are_repeated_in_the_answer() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    let criteria = by_id().and("status", Condition::Eq, "holded").page_size(3);
    let answer: Value = client(&sandbox).search("search", "orders", &criteria).await.unwrap().json().unwrap();
    let filter = json!({"field": "status", "value": "holded", "condition_type": "eq"});
    assert_eq!(answer["search_criteria"]["filter_groups"], json!([{"filters": [filter]}]));
    assert_eq!(answer["search_criteria"]["page_size"], json!(3));
}

/// The quick way through synthetic orders gives what going through all of them gives.
#[tokio::test]
async fn synthetic_orders_are_found_by_bisection() {
    let sandbox = sandbox(OrderSet::Synthetic(120)).await;
    let mut changes = Map::new();
    changes.insert("status".to_owned(), json!("holded"));
    changes.insert("updated_at".to_owned(), json!("2025-01-01 00:03:30"));
    sandbox.edit_order(17, changes).unwrap();
    sandbox.put_order(json!({"entity_id": 500, "updated_at": "2025-01-01 00:03:30"}).to_string()).unwrap();
    let late = LateCommit { entity_id: 40, after_requests: Some(10_000), at: None };
    sandbox.set_faults(Faults { late: vec![late], ..Faults::default() });
    for (field, value) in [
        ("updated_at", "2025-01-01 00:03:30"),
        ("updated_at", "2025-01-01 00:03:31"),
        ("updated_at", "2024-01-01 00:00:00"),
        ("updated_at", "2030-01-01 00:00:00"),
        ("entity_id", "40"),
        ("entity_id", "500"),
    ] {
        for condition in [Condition::Eq, Condition::Gt, Condition::Gteq, Condition::Lt, Condition::Lteq] {
            for page in [1, 2, 99] {
                let criteria = SearchCriteria::new()
                    .and(field, condition, value)
                    .sort("updated_at", Direction::Ascending)
                    .sort("entity_id", Direction::Ascending)
                    .page_size(25)
                    .current_page(page);
                let slow = criteria.clone().and("entity_id", Condition::Neq, "0");
                let (one, other) = (search(&sandbox, &criteria).await, search(&sandbox, &slow).await);
                assert_eq!(one, other, "{field} {} {value}, page {page}", condition.name());
                assert!(!one.0.contains(&40));
            }
        }
    }
}

#[tokio::test]
async fn synthetic_orders_are_always_the_same_and_some_share_a_second() {
    let (one, other) = (sandbox(OrderSet::Synthetic(50)).await, sandbox(OrderSet::Synthetic(90)).await);
    let mut times = Vec::new();
    for id in 1..=50 {
        let text = one.order(id).unwrap();
        assert_eq!(Some(&text), other.order(id).as_ref());
        let tree: Value = serde_json::from_str(&text).unwrap();
        times.push(tree["updated_at"].as_str().unwrap().to_owned());
    }
    assert!(times.is_sorted());
    let ties = times.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(ties, 12);
    assert_eq!(one.order(51), None);
}

#[tokio::test]
async fn an_edited_order_keeps_the_rest_and_gets_the_time() {
    let sandbox = sandbox(OrderSet::Synthetic(10)).await;
    sandbox.set_now(Some("2026-01-31T10:00:00Z".parse().unwrap()));
    let mut changes = Map::new();
    changes.insert("status".to_owned(), json!("canceled"));
    sandbox.edit_order(3, changes.clone()).unwrap();
    let (before, after) = (
        serde_json::from_str::<Value>(&mage2_before(3).await).unwrap(),
        serde_json::from_str::<Value>(&sandbox.order(3).unwrap()).unwrap(),
    );
    assert_eq!(after["updated_at"], "2026-01-31 10:00:00");
    assert_eq!(after["status"], "canceled");
    assert_eq!(after["items"], before["items"]);
    let error = sandbox.edit_order(11, changes).unwrap_err();
    assert!(error.to_string().contains("no such order"), "{error}");
}

async fn mage2_before(id: u64) -> String {
    sandbox(OrderSet::Synthetic(10)).await.order(id).unwrap()
}

#[tokio::test]
async fn recordings_from_several_shops_live_side_by_side() {
    let order = |status: &str| json!({"entity_id": 1, "increment_id": "000000001", "status": status}).to_string();
    let files = vec![("a".to_owned(), order("pending")), ("b".to_owned(), order("complete"))];
    let sandbox = sandbox(OrderSet::Files(files)).await;
    assert_eq!(search(&sandbox, &by_id()).await, (vec![1, 1], 2));
}

#[tokio::test]
async fn a_file_that_is_no_order_is_named() {
    let files = OrderSet::Files(vec![("broken".to_owned(), "{".to_owned())]);
    let error = Sandbox::start(SandboxOptions { orders: files, ..Default::default() }).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("broken"), "{error}");
}

#[tokio::test]
async fn a_port_that_is_taken() {
    let first = sandbox(OrderSet::Empty).await;
    let port = first.url().rsplit(':').next().unwrap().parse().unwrap();
    let error = Sandbox::start(SandboxOptions { port, ..Default::default() }).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_scheme_is_taken_in_any_case() {
    let sandbox = sandbox(OrderSet::Synthetic(1)).await;
    let http = Http::new(HttpSettings::new(&sandbox.url()).unwrap()).unwrap();
    for (scheme, status) in [("Bearer", 200), ("bearer", 200), ("BEARER", 200), ("Basic", 401)] {
        let url = http.url("rest/V1/orders?searchCriteria=").unwrap();
        let request = HttpRequest::new("search", Effect::Read, Method::GET, url);
        let request = request.secret_header(AUTHORIZATION, &format!("{scheme} {}", sandbox.token())).unwrap();
        assert_eq!(http.send(request).await.unwrap().status.as_u16(), status, "{scheme}");
    }
}

#[tokio::test]
async fn control_routes() {
    let sandbox = sandbox(OrderSet::Empty).await;
    let order = |id: u64| json!({"entity_id": id, "increment_id": id.to_string(), "updated_at": "2026-01-01 00:00:00"});
    let (status, _) = control(&sandbox, Method::PUT, "control/orders", Some(order(1))).await;
    assert_eq!(status, 200);
    let (_, body) = control(&sandbox, Method::PUT, "control/orders", Some(json!([order(1), order(2)]))).await;
    assert_eq!(body, json!({"orders": 2}));
    assert_eq!(search(&sandbox, &by_id()).await, (vec![1, 2], 2));

    let (_, counters) = control(&sandbox, Method::GET, "control/counters", None).await;
    let counters: Counters = serde_json::from_value(counters).unwrap();
    assert_eq!((counters.requests, counters.orders_served), (1, 2));

    let (status, _) = control(&sandbox, Method::PUT, "control/faults", Some(json!({"html": true}))).await;
    assert_eq!((status, sandbox.faults().html), (200, true));
    let (status, body) = control(&sandbox, Method::PUT, "control/faults", Some(json!({"htlm": true}))).await;
    assert!(status == 400 && body["message"].as_str().unwrap().contains("htlm"), "{body}");
    let (_, faults) = control(&sandbox, Method::GET, "control/faults", None).await;
    assert_eq!(faults["html"], json!(true));

    let (status, _) = control(&sandbox, Method::PUT, "control/orders", Some(json!({"increment_id": "x"}))).await;
    assert_eq!(status, 400);
    let now = json!({"now": "2026-01-31T10:00:00Z"});
    let (status, _) = control(&sandbox, Method::PUT, "control/clock", Some(now)).await;
    assert_eq!(status, 200);
    sandbox.set_faults(Faults::default());
    let page = client(&sandbox).orders_page(&all(5)).await.unwrap();
    assert_eq!(page.source_now.unwrap().to_string(), "2026-01-31T10:00:00Z");
    let (status, _) = control(&sandbox, Method::GET, "control/nothing", None).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn who_hangs_up_stops_nothing() {
    let sandbox = sandbox(OrderSet::Synthetic(3)).await;
    sandbox.set_faults(Faults { latency_ms: 100, ..Faults::default() });
    let criteria = by_id();
    let (client, waiting) = (client(&sandbox), std::time::Duration::from_millis(5));
    tokio::select! {
        answer = client.search("search", "orders", &criteria) => panic!("it was answered: {}", answer.is_ok()),
        () = async { while sandbox.counters().requests == 0 { tokio::time::sleep(waiting).await } } => {}
    }
    assert_eq!(sandbox.counters().pages_served, 0);
    let served = async {
        while sandbox.counters().pages_served == 0 {
            tokio::time::sleep(waiting).await
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), served).await.unwrap();
}
