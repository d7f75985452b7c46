//! The routes of the resources.

use datawald_core::Clock;
use datawald_core::model::{
    Direction, EntityKey, Fingerprint, FlowId, Intent, SyncStatus, SyncTaskId, Table, TxStatus,
};
use datawald_core::queue::TaskQueue;
use datawald_core::store::{NewSyncTask, Push, StageEntity};
use serde_json::{Value, json};

use crate::world::{Core, handed, order};

fn path_of(table: Table) -> String {
    let side = if table.direction() == Direction::ToBackoffice { "backoffice" } else { "frontend" };
    let one = match table {
        Table::ProductsPriceLevels => "product-pricelevel",
        Table::ProductsCategories => "product-category",
        Table::ProductsLinks => "product-link",
        Table::ProductsVariants => "product-variant",
        Table::ProductsInventory => "product-inventory",
        Table::ProductsImageGallery => "product-imagegallery",
        Table::ProductsCustomOption => "product-customoption",
        Table::CustomersBo | Table::CustomersFe => "customer",
        _ => table.name().trim_end_matches('s'),
    };
    format!("/{side}/{one}")
}

#[tokio::test]
async fn a_run_that_is_still_pulled_is_not_closed() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    let id = SyncTaskId::from_stored("run");
    let flow = FlowId::new(Table::Orders, "mage2");
    let now = core.clock.now();
    core.store.create_sync_task(NewSyncTask { id: id.clone(), flow, cut_before: None, now }).await.unwrap();
    let refused = core.json(&token, "PUT", "/control/synctask?id=run", None).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(core.store.sync_task(&id).await.unwrap().unwrap().status, SyncStatus::Processing);
    core.store.finish_pull(&id, core.clock.now()).await.unwrap();
    let closed = core.json(&token, "PUT", "/control/synctask?id=run", None).await;
    assert_eq!(closed.body()["sync_status"], "Completed");
}

/// Two stores of a shop may use one number: the order that a pull has brought stays the one of its store.
#[tokio::test]
async fn a_number_of_another_store_is_not_handed_over() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    let flow = FlowId::new(Table::Orders, "mage2");
    let of_store = |store: &str| {
        let mut body = handed("000000013");
        body["data"]["fe_store_id"] = json!(store);
        body
    };
    let pulled = StageEntity {
        id: "7".into(),
        name: "000000013".into(),
        intent: Intent::Apply,
        source_status: "pending".into(),
        source_updated_at: None,
        fingerprint: Fingerprint::of(b"7"),
        doc: of_store("1")["data"].to_string(),
        raw: "{}".into(),
    };
    core.store.push(&flow, vec![Push { entity: pulled, if_rev: None }], core.clock.now().into()).await.unwrap();

    let path = "/backoffice/order/000000013";
    let refused = core.json(&token, "PUT", path, Some(&of_store("2"))).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.text.contains("order 7 of store 1"), "{refused:?}");
    let both = json!({"entities": [{"id": "000000013", "entity": of_store("2")}]});
    let batch = core.json(&token, "PUT", "/backoffice/order", Some(&both)).await.body();
    assert_eq!(batch["results"][0]["staging"], "refused", "{batch}");
    let known = core.store.get(&EntityKey::new(&flow, "7")).await.unwrap().unwrap();
    assert_eq!(known.rev, 1);
    // The same store's is the same order.
    assert_eq!(core.json(&token, "PUT", path, Some(&of_store("1"))).await.status, 200);
}

#[tokio::test]
async fn an_order_goes_all_the_way() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    let put = |id: &'static str, body: Value| {
        let (core, token) = (&core, &token);
        async move { core.json(token, "PUT", &format!("/backoffice/order/{id}"), Some(&body)).await }
    };
    let cut = core.json(&token, "GET", "/control/cutdt/mage2/sync_orders", None).await;
    assert_eq!((cut.status, cut.body()), (200, json!({"cut_dt": null, "offset": 0})));

    let staged = put("000000013", handed("000000013")).await;
    assert_eq!(staged.status, 201);
    assert_eq!(staged.body(), json!({"id": "000000013", "staging": "inserted", "tx_status": "N"}));
    let again = put("000000013", handed("000000013")).await;
    assert_eq!(
        (again.status, again.body()["staging"].clone(), again.body()["tx_status"].clone()),
        (200, json!("unchanged"), json!("I"))
    );
    let flow = FlowId::new(Table::Orders, "mage2");
    let task = core.queue.receive(&flow, std::time::Duration::ZERO).await.unwrap().unwrap();
    assert_eq!(task.message.keys, ["000000013"]);

    let body = json!({"id": "run-1", "cut_dt": "2026-01-31T09:00:00Z", "offset": 1, "entities": [{"id": "000000013", "tx_status": "N"}]});
    for _ in 0..2 {
        let recorded = core.json(&token, "PUT", "/control/synccontrol/mage2/sync_orders", Some(&body)).await;
        assert_eq!((recorded.status, recorded.body()), (200, json!({"id": "run-1"})));
    }
    let cut = core.json(&token, "GET", "/control/cutdt/mage2/sync_orders", None).await;
    assert_eq!(cut.body(), json!({"cut_dt": "2026-01-31T09:00:00Z", "offset": 1}));

    let of = "table=orders&frontend=mage2&id=000000013";
    let status = core.json(&token, "GET", &format!("/control/taskstatus?{of}"), None).await;
    assert_eq!(status.body(), json!({"ready": false, "tx_status": "N"}));

    let outcome = json!({"frontend": "mage2", "fe_order_id": "000000013", "bo_order_id": "536", "tx_status": "S", "tx_note": "inserted"});
    for _ in 0..2 {
        let written = core.json(&token, "PUT", "/backoffice/orderstatus", Some(&outcome)).await;
        assert_eq!((written.status, written.body()["bo_order_id"].clone()), (200, json!("536")), "{written:?}");
    }
    let result = core.json(&token, "GET", &format!("/control/task?{of}"), None).await.body();
    assert_eq!(
        (&result["ready"], &result["bo_order_id"], &result["tx_note"]),
        (&json!(true), &json!("536"), &json!("inserted"))
    );

    let read = core.json(&token, "GET", "/backoffice/order/000000013?frontend=mage2", None).await;
    assert_eq!(read.header("etag"), Some("\"1\""));
    let read = read.body();
    assert_eq!((&read["fe_order_id"], &read["tx_status"], &read["rev"]), (&json!("000000013"), &json!("S"), &json!(1)));
    assert_eq!((&read["data"]["grand_total"], &read["raw"]["increment_id"]), (&json!("35.00"), &json!("000000013")));

    let closed = core.json(&token, "PUT", "/control/synctask?id=run-1", None).await.body();
    assert_eq!((&closed["sync_status"], &closed["counts"]["success"]), (&json!("Completed"), &json!(1)));
    assert_eq!(core.json(&token, "GET", "/control/synctask?id=run-1", None).await.body(), closed);
    assert_eq!(core.json(&token, "DELETE", "/control/synctask?id=run-1", None).await.status, 204);
    assert_eq!(core.json(&token, "DELETE", "/control/synctask?id=run-1", None).await.status, 404);
}

#[tokio::test]
async fn every_table_has_its_three_routes() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    for table in Table::ALL.iter().copied() {
        let path = path_of(table);
        let id = "AB-1/2";
        let one = format!("{path}/AB-1%2F2");
        let mut body = json!({"frontend": "mage2", "status": "new", "data": {"sku": "AB-1/2"}});
        if table == Table::Orders {
            body["data"] = order(id);
        }
        let staged = core.json(&token, "PUT", &one, Some(&body)).await;
        assert_eq!(staged.status, 201, "{table}: {staged:?}");
        let read = core.json(&token, "GET", &format!("{one}?frontend=mage2"), None).await.body();
        assert_eq!((&read["table"], &read[table.source_key()]), (&json!(table.name()), &json!(id)));
        let outcome = json!({"frontend": "mage2", table.source_key(): id, table.target_key(): "77", "tx_status": "S"});
        let written = core.json(&token, "PUT", &format!("{path}status"), Some(&outcome)).await;
        assert_eq!((written.status, &written.body()[table.target_key()]), (200, &json!("77")), "{table}: {written:?}");
        let cut = format!("/control/cutdt/mage2/{}?table={table}", table.task());
        assert_eq!(core.json(&token, "GET", &cut, None).await.status, 200);
    }
    let several = core.json(&token, "GET", "/control/cutdt/mage2/sync_products_ext_data", None).await;
    assert_eq!((several.status, several.fields()), (422, vec!["table".to_owned()]));
    let other = core.json(&token, "GET", "/control/cutdt/mage2/sync_orders?table=products", None).await;
    assert_eq!((other.status, other.fields()), (422, vec!["table".to_owned()]));
    assert_eq!(core.json(&token, "GET", "/control/cutdt/mage2/sync_moons", None).await.status, 404);
}

#[tokio::test]
async fn versions_guard_against_each_other() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    let put = |condition: Option<(&'static str, &'static str)>, total: &'static str| {
        let (core, token) = (&core, &token);
        async move {
            let mut body = handed("1");
            body["data"]["grand_total"] = json!(total);
            let mut headers =
                vec![("Authorization", format!("Bearer {token}")), ("Content-Type", "application/json".to_owned())];
            headers.extend(condition.map(|(name, value)| (name, value.to_owned())));
            let answer = core.raw("PUT", "/backoffice/order/1", &headers, body.to_string().as_bytes()).await;
            if answer.status == 412 {
                assert_eq!(answer.body()["disposition"], json!("rejected"), "the same again is of no use");
            }
            answer.status
        }
    };
    assert_eq!(put(Some(("If-Match", "\"1\"")), "1.00").await, 412);
    assert_eq!(put(Some(("If-None-Match", "*")), "1.00").await, 201);
    assert_eq!(put(Some(("If-None-Match", "*")), "1.00").await, 412);
    assert_eq!(put(Some(("If-Match", "\"1\"")), "2.00").await, 200);
    assert_eq!(put(Some(("If-Match", "\"1\"")), "3.00").await, 412);
    assert_eq!(put(Some(("If-Match", "\"x\"")), "3.00").await, 400);
    assert_eq!(put(None, "3.00").await, 200);
    let history = core.json(&token, "GET", "/entities/history?table=orders&frontend=mage2&id=1", None).await.body();
    let totals: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|item| item["data"]["grand_total"].clone()).collect();
    assert_eq!(totals, ["2.00", "1.00"]);
}

#[tokio::test]
async fn of_many_at_once_each_has_its_own_answer() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    let mut wrong = handed("2");
    wrong["data"]["items"][0]["qty"] = json!("two");
    let mut elsewhere = handed("3");
    elsewhere["frontend"] = json!("other");
    elsewhere["data"]["frontend"] = json!("other");
    let entities = [("1", handed("1")), ("2", wrong), ("3", elsewhere), ("4", handed("5"))];
    let entities = entities.map(|(id, entity)| json!({"id": id, "entity": entity}));
    let body = json!({"entities": entities});
    let answer = core.json(&token, "PUT", "/backoffice/order", Some(&body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let results = answer.body()["results"].clone();
    let told: Vec<_> =
        results.as_array().unwrap().iter().map(|one| one["staging"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["inserted", "refused", "inserted", "refused"]);
    assert!(results[1]["problem"].as_str().unwrap().contains("entities[1].entity.data.items[0].qty"), "{results}");
    assert!(results[3]["problem"].as_str().unwrap().contains("data.fe_order_id"), "{results}");
    let there = core.store.get(&EntityKey { table: Table::Orders, frontend: "other".into(), id: "3".into() }).await;
    assert_eq!(there.unwrap().unwrap().status, TxStatus::New);
}

#[tokio::test]
async fn a_store_that_fails_refuses_no_entity() {
    let (core, path) = Core::lockable().await;
    let token = core.any_scope("agent").await;
    let body = json!({"entities": [{"id": "1", "entity": handed("1")}]});
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failed = core.json(&token, "PUT", "/backoffice/order", Some(&body)).await;
    assert_eq!((failed.status, &failed.body()["disposition"]), (503, &json!("retryable")), "{failed:?}");
    other.execute_batch("ROLLBACK").unwrap();
    let again = core.json(&token, "PUT", "/backoffice/order", Some(&body)).await;
    assert_eq!((again.status, &again.body()["results"][0]["staging"]), (200, &json!("inserted")), "{again:?}");
}

#[tokio::test]
async fn what_is_wrong_is_named_by_its_path() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    let with = |path: &[&str], value: Value| {
        let mut body = handed("1");
        let mut place = &mut body;
        for step in path {
            place = match step.parse::<usize>() {
                Ok(at) => &mut place[at],
                Err(_) => &mut place[*step],
            };
        }
        *place = value;
        body
    };
    let cases = [
        (with(&["data", "items", "0", "price"], json!("12,50")), "data.items[0].price"),
        (with(&["data", "items", "0", "pirce"], json!("1")), "data.items.0.pirce"),
        (with(&["data", "gift"], json!(true)), "data.gift"),
        (with(&["data", "fe_order_id"], json!("2")), "data.fe_order_id"),
        (with(&["data", "frontend"], json!("other")), "data.frontend"),
        (with(&["data", "fe_order_date"], json!("yesterday")), "data.fe_order_date"),
        (with(&["data"], json!([1])), "data"),
        (with(&["frontend"], json!("")), "frontend"),
        (with(&["frontend"], json!(7)), "frontend"),
        (with(&["intent"], json!("ignore")), "reason"),
        (with(&["intent"], json!("explode")), "intent"),
        (with(&["surprise"], json!(1)), "surprise"),
        (with(&["updated_at"], json!("31.1.2026")), "updated_at"),
    ];
    for (body, path) in cases {
        let answer = core.json(&token, "PUT", "/backoffice/order/1", Some(&body)).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![path.to_owned()]), "{}", answer.text);
        assert!(
            !answer.text.contains("12,50") && !answer.text.contains("yesterday"),
            "it repeats a value: {}",
            answer.text
        );
    }
    let twice = br#"{"frontend": "mage2", "frontend": "other", "data": {}}"#;
    let headers = [("Authorization", format!("Bearer {token}")), ("Content-Type", "application/json".to_owned())];
    let answer = core.raw("PUT", "/frontend/product/1", &headers, twice).await;
    assert_eq!((answer.status, answer.fields()), (422, vec!["frontend".to_owned()]));
    assert!(answer.text.contains("stands there twice"), "{answer:?}");
    assert_eq!(core.store.list(&Default::default()).await.unwrap().items, []);
    // Money may come as a number.
    let number = with(&["data", "grand_total"], serde_json::from_str("35.10").unwrap());
    assert_eq!(core.json(&token, "PUT", "/backoffice/order/1", Some(&number)).await.status, 201);
    let read = core.json(&token, "GET", "/backoffice/order/1?frontend=mage2", None).await.body();
    assert_eq!(read["data"]["grand_total"], json!("35.1"));
}

#[tokio::test]
async fn outcomes_are_fenced() {
    let core = Core::start().await;
    let token = core.any_scope("worker").await;
    core.json(&token, "PUT", "/backoffice/order/1", Some(&handed("1"))).await;
    let claim = json!({"flow": {"table": "orders", "frontend": "mage2"}, "keys": null, "limit": 10, "owner": "w",
        "lease_ms": 60_000, "settle_delay_ms": 0, "now": {"wall": crate::world::NOW, "store": crate::world::NOW}});
    let claimed = core.json(&token, "POST", "/engine/claim", Some(&claim)).await.body()["answer"][0].clone();
    let outcome = |extra: Value| {
        let mut body = json!({"frontend": "mage2", "fe_order_id": "1", "bo_order_id": "536", "tx_status": "S"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let write = |extra: Value| {
        let (core, token, body) = (&core, &token, outcome(extra));
        async move { core.json(token, "PUT", "/backoffice/orderstatus", Some(&body)).await }
    };
    assert_eq!(write(json!({})).await.status, 409, "a worker holds it");
    assert_eq!(write(json!({"token": 99, "rev": 1})).await.status, 409);
    assert_eq!(write(json!({"token": claimed["token"]})).await.fields(), ["rev"]);
    assert_eq!(write(json!({"token": claimed["token"], "rev": claimed["rev"]})).await.status, 200);
    assert_eq!(write(json!({"token": claimed["token"], "rev": claimed["rev"]})).await.status, 200, "it stands there");
    let other = json!({"token": claimed["token"], "rev": claimed["rev"], "bo_order_id": "538"});
    assert_eq!(write(other).await.status, 409, "the lease is over");
    // Whoever mends it by hand says what is so.
    let mended = write(json!({"bo_order_id": "537", "tx_note": "entered by hand"})).await;
    assert_eq!((mended.status, &mended.body()["bo_order_id"]), (200, &json!("537")));
    for (extra, field) in [
        (json!({"tx_status": "N"}), "tx_status"),
        (json!({"bo_order_id": null}), "bo_order_id"),
        (json!({"bo_order_id": "####"}), "bo_order_id"),
        (json!({"tx_status": "F"}), "tx_note"),
        (json!({"bo_invoice_id": "1"}), "bo_invoice_id"),
        (json!({"fe_order_id": ["1"]}), "fe_order_id"),
    ] {
        let answer = write(extra.clone()).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![field.to_owned()]), "{extra}");
    }
    let failed = write(json!({"tx_status": "F", "tx_note": "no such item", "bo_order_id": "####"})).await;
    assert_eq!((failed.status, &failed.body()["tx_status"]), (200, &json!("F")), "{failed:?}");
    let unknown = json!({"frontend": "mage2", "fe_order_id": "9", "tx_status": "I"});
    assert_eq!(core.json(&token, "PUT", "/backoffice/orderstatus", Some(&unknown)).await.status, 404);
}

#[tokio::test]
async fn lists_are_paged_and_filtered_and_failures_done_again() {
    let core = Core::start().await;
    let token = core.any_scope("operator").await;
    for n in 0..5 {
        let body = handed(&n.to_string());
        assert_eq!(core.json(&token, "PUT", &format!("/backoffice/order/{n}"), Some(&body)).await.status, 201);
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = core
            .json(&token, "GET", &format!("/entities?table=orders&frontend=mage2&limit=2{after}"), None)
            .await
            .body();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        assert!(page["items"][0].get("data").is_none());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", next.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>());
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);
    let record = json!({"id": "run", "entities": [{"id": "1"}, {"id": "2"}]});
    assert_eq!(core.json(&token, "PUT", "/control/synccontrol/mage2/sync_orders", Some(&record)).await.status, 200);
    for id in ["1", "2"] {
        let failed = json!({"frontend": "mage2", "fe_order_id": id, "tx_status": "F", "tx_note": "no such item"});
        let written = core.json(&token, "PUT", "/backoffice/orderstatus", Some(&failed)).await.body();
        assert_eq!(written["bo_order_id"], "####");
    }
    let failed = core.json(&token, "GET", "/entities?status=F&sync_task=run&documents=true", None).await.body();
    assert_eq!(failed["items"].as_array().unwrap().len(), 2);
    assert_eq!(failed["items"][0]["data"]["currency"], "USD");
    assert_eq!(core.json(&token, "PUT", "/control/synctask?id=run", None).await.body()["sync_status"], "Fail");
    let listed = core.json(&token, "GET", "/control/synctasks?status=Fail", None).await.body();
    assert_eq!(listed["items"][0]["id"], "run");
    let again = core.json(&token, "POST", "/control/synctask/resync?id=run", None).await.body();
    assert_eq!(again, json!({"entities": 2}));
    let one = core.json(&token, "POST", "/entities/resync?table=orders&frontend=mage2&id=1", None).await.body();
    assert_eq!(one, json!({"entities": 0}), "it is due already");
    // All that failed in one way, in one step.
    for id in ["3", "4"] {
        let failed = json!({"frontend": "mage2", "fe_order_id": id, "tx_status": "F", "tx_note": "no such item"});
        assert_eq!(core.json(&token, "PUT", "/backoffice/orderstatus", Some(&failed)).await.status, 200);
    }
    for (class, entities) in [("invalid", 0), ("refused", 2), ("refused", 0)] {
        let path = format!("/entities/resync?table=orders&frontend=mage2&failure={class}");
        assert_eq!(core.json(&token, "POST", &path, None).await.body(), json!({ "entities": entities }), "{class}");
    }
    let answer = core.json(&token, "POST", "/entities/resync?table=orders&frontend=mage2&failure=bad-luck", None).await;
    assert_eq!((answer.status, answer.fields()), (422, vec!["failure".to_owned()]));
    for (path, field) in [
        ("/entities?limit=0", "limit"),
        ("/entities?limit=1001", "limit"),
        ("/entities?status=NQ", "status"),
        ("/entities?table=orders", "frontend"),
        ("/entities?after=nowhere", "after"),
        ("/control/synctasks?after=%7B%7D", "after"),
    ] {
        let answer = core.json(&token, "GET", path, None).await;
        assert_eq!((answer.status, answer.fields()), (422, vec![field.to_owned()]), "{path}");
    }
    for path in ["/entities?moon=1", "/entities?limit=many", "/control/synctask", "/entities?table=moons&frontend=m"] {
        assert_eq!(core.json(&token, "GET", path, None).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn schedules_are_shown_and_paused_and_run() {
    use datawald_core::schedule::{Job, Run, Schedule, Scheduler, SchedulerSettings};

    struct Nothing;

    #[async_trait::async_trait]
    impl Job for Nothing {
        async fn run(&self, run: &Run) -> datawald_core::Result<String> {
            Ok(format!("asked for: {}", run.asked_for))
        }
    }

    let core = Core::start().await;
    let token = core.any_scope("operator").await;
    let scheduler = Scheduler::builder(core.store.clone())
        .settings(SchedulerSettings { poll_ms: 20, ..SchedulerSettings::default() })
        .job(Schedule::cron("orders", "0 3 * * *").unwrap(), Nothing)
        .build()
        .unwrap();
    let watch = async {
        let mut of = core.json(&token, "GET", "/control/schedule?name=orders", None).await;
        while of.status == 404 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            of = core.json(&token, "GET", "/control/schedule?name=orders", None).await;
        }
        assert_eq!((&of.body()["when"], &of.body()["paused"]), (&json!("cron 0 3 * * * UTC"), &json!(false)));
        let paused = core.json(&token, "PUT", "/control/schedule?name=orders", Some(&json!({"paused": true}))).await;
        assert_eq!((paused.status, &paused.body()["paused"]), (200, &json!(true)));
        let run = core.json(&token, "POST", "/control/schedule/run?name=orders", None).await.body();
        loop {
            let list = core.json(&token, "GET", "/control/schedules", None).await.body();
            if let Some(last) = list["items"][0]["last_runs"].get(0) {
                assert_eq!((&last["id"], &last["note"]), (&run["id"], &json!("asked for: true")));
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let resumed = core.json(&token, "PUT", "/control/schedule?name=orders", Some(&json!({"paused": false}))).await;
        assert_eq!(resumed.body()["paused"], json!(false));
        for (method, path) in [("GET", ""), ("POST", "/run")] {
            assert_eq!(
                core.json(&token, method, &format!("/control/schedule{path}?name=moon"), None).await.status,
                404
            );
        }
        scheduler.stop();
    };
    tokio::join!(scheduler.run(), watch);
}

#[tokio::test]
async fn what_no_flow_applies_is_not_staged() {
    let flows = ["mage2", "mage3"].map(|name| FlowId::new(Table::Orders, name));
    let core = Core::with_flows(&flows).await;
    let token = core.any_scope("agent").await;
    assert_eq!(core.json(&token, "PUT", "/backoffice/order/1", Some(&handed("1"))).await.status, 201);
    let mut wrong = handed("2");
    wrong["frontend"] = json!("magento");
    let refused = core.json(&token, "PUT", "/backoffice/order/2", Some(&wrong)).await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["frontend".to_owned()]));
    let told = "there is no flow of orders of magento, so that what is staged of it would wait for ever; there are flows of: \
                orders of mage2, orders of mage3";
    assert!(refused.text.contains(told), "{refused:?}");
    // Nor is another table of a shop that has flows.
    let customer = json!({"frontend": "mage2", "data": {}});
    let refused = core.json(&token, "PUT", "/backoffice/customer/1", Some(&customer)).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("there are flows of: orders of mage2"), "{refused:?}");
    let both = json!({"entities": [{"id": "2", "entity": wrong}, {"id": "3", "entity": handed("3")}]});
    let results = core.json(&token, "PUT", "/backoffice/order", Some(&both)).await.body();
    assert_eq!(
        (&results["results"][0]["staging"], &results["results"][1]["staging"]),
        (&json!("refused"), &json!("inserted"))
    );
    let record = core.json(&token, "PUT", "/control/synccontrol/magento/sync_orders", Some(&json!({}))).await;
    assert_eq!((record.status, record.fields()), (422, vec!["app".to_owned()]));
    let now = crate::world::NOW;
    let until = "2026-01-31T10:01:00Z";
    let pull = json!({"flow": {"table": "orders", "frontend": "magento"}, "owner": "o", "now": now, "until": until});
    let pull = core.json(&token, "POST", "/engine/acquire_pull", Some(&pull)).await;
    assert_eq!((pull.status, pull.fields()), (422, vec!["flow".to_owned()]));
    assert_eq!(core.store.list(&Default::default()).await.unwrap().items.len(), 2);
}
