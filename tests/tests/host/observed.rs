//! Readiness and metrics.

use datawald_core::model::{Cut, FlowId, SyncStatus, Table};
use datawald_core::store::{SqliteStore, StagingStore, SyncTaskFilter};
use datawald_examples::sample_company;
use datawald_tests::servers::free_port;
use mage2_connector::sandbox::OrderSet;
use rustix::process::Signal;
use sapb1_connector::sandbox::{B1Sandbox, Way};
use serde_json::Value;

use crate::world::{LIMIT, World, get, get_until};

sapb1_connector::over_both_ways! {
    metrics_tell_what_was_done
    readiness_tells_what_is_missing_and_why
    a_flow_that_was_stopped_goes_on_when_it_is_mended
    a_cut_that_lies_ahead_is_told
    gauges_are_there_from_the_start_and_idle_ticks_are_silent
    what_waits_and_what_has_failed_is_told
}

const ORDERS: u64 = 25;

async fn metrics_tell_what_was_done(way: Way) {
    let world = World::new(way, OrderSet::Synthetic(ORDERS)).await;
    world.write();
    let mut host = world.start("host", &[]);
    world.documents(ORDERS, &mut host).await;
    let done = format!("datawald_outcomes_total{{table=\"orders\",frontend=\"mage2\",status=\"success\"}} {ORDERS}");
    let text = get_until(&mut host, "/metrics", |_, text| text.contains(&done)).await;
    let labels = "table=\"orders\",frontend=\"mage2\"";
    for line in [
        format!("datawald_staged_total{{{labels},kind=\"inserted\"}} {ORDERS}"),
        format!("datawald_claimed_total{{{labels}}} {ORDERS}"),
        format!("datawald_open_entities{{{labels},state=\"waiting\"}} 0"),
        format!("datawald_open_entities{{{labels},state=\"backing_off\"}} 0"),
        format!("datawald_open_entities{{{labels},state=\"in_doubt\"}} 0"),
        format!("datawald_oldest_open_seconds{{{labels},state=\"in_doubt\"}} 0"),
        "datawald_up{part=\"connection mage2\"} 1".to_owned(),
        "datawald_up{part=\"connection b1\"} 1".to_owned(),
        "datawald_up{part=\"store\"} 1".to_owned(),
        format!("datawald_oldest_due_seconds{{{labels}}} 0"),
        "# TYPE datawald_apply_seconds histogram".to_owned(),
        "# HELP datawald_staged_total ".to_owned(),
    ] {
        assert!(text.contains(&line), "no `{line}` in: {text}");
    }
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name) && line[name.len()..].starts_with([' ', '{']));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    for name in ["store_bytes", "store_disk_free_bytes"].map(|name| format!("datawald_{name}")) {
        assert!(value(&name) > 4_096.0, "{name}: {text}");
    }
    for name in ["cpu_seconds_total", "open_fds", "max_fds", "virtual_memory_bytes", "resident_memory_bytes", "threads"]
    {
        assert!(text.contains(&format!("# TYPE process_{name} ")), "{name}: {text}");
        assert!(name == "cpu_seconds_total" || value(&format!("process_{name}")) > 0.0, "{name}: {text}");
    }
    let started = value("process_start_time_seconds") as i64;
    assert!((jiff::Timestamp::now().as_second() - started).abs() < 120, "{text}");
    // Neither orders nor texts are labels: as many lines after more orders as before. What is measured may look like anything.
    let names = text.lines().filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name);
    assert!(names.filter(|name| !name.starts_with('#')).all(|name| !name.contains("00000")), "{text}");
    let pages: u64 = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("datawald_pages_total{{{labels}}} ")))
        .unwrap()
        .parse()
        .unwrap();
    assert!(pages >= ORDERS.div_ceil(10), "{pages}");
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
}

/// A part of what readiness tells.
fn part<'a>(report: &'a Value, name: &str) -> &'a Value {
    let parts = report["parts"].as_array().unwrap();
    parts.iter().find(|part| part["name"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

async fn readiness_tells_what_is_missing_and_why(way: Way) {
    let mut world = World::new(way, OrderSet::Empty).await;
    let port = free_port().unwrap();
    world.b1 = B1Sandbox::start_at(way, sample_company(), port).await.unwrap();
    world.write();
    let mut host = world.start("host", &[]);
    let text = get_until(&mut host, "/health/ready", |status, _| status == 200).await;
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["status"], "ok");
    for name in
        ["host", "store", "queue", "connection mage2", "connection b1", "flow orders of mage2", "schedule orders"]
    {
        assert_eq!(part(&report, name)["ready"], true, "{name}: {report}");
    }

    // SAP B1 goes away and comes back at the same address.
    let other = B1Sandbox::start(way, sample_company()).await.unwrap();
    let gone = std::mem::replace(&mut world.b1, other);
    drop(gone);
    let text = get_until(&mut host, "/health/ready", |_, text| text.contains("cannot connect")).await;
    assert_eq!(get(&mut host, "/health/ready").await.0, 200, "to start this process anew would mend nothing");
    get_until(&mut host, "/metrics", |_, text| text.contains("datawald_up{part=\"connection b1\"} 0")).await;
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["status"], "degraded");
    let b1 = part(&report, "connection b1");
    assert_eq!(b1["ready"], false);
    assert!(b1["detail"].as_str().unwrap().contains("cannot connect to 127.0.0.1"), "{text}");
    assert_eq!(part(&report, "connection mage2")["ready"], true);
    assert_eq!(get(&mut host, "/health/live").await.0, 200, "it is alive all the same");
    world.b1 = B1Sandbox::start_at(way, sample_company(), port).await.unwrap();
    get_until(&mut host, "/health/ready", |_, text| text.contains("\"status\":\"ok\"")).await;
    get_until(&mut host, "/metrics", |_, text| text.contains("datawald_up{part=\"connection b1\"} 1")).await;
    let log = host.log();
    assert_eq!(log.matches("is not ready part=\"connection b1\"").count(), 1, "told once: {log}");
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
}

/// Until a pull moves it back, which here comes in a year.
async fn a_cut_that_lies_ahead_is_told(way: Way) {
    let world = World::new(way, OrderSet::Synthetic(ORDERS)).await;
    world.write();
    let mut host = world.start("host", &[]);
    world.documents(ORDERS, &mut host).await;
    let text = get_until(&mut host, "/health/ready", |_, text| text.contains("\"status\":\"ok\"")).await;
    assert_eq!(part(&serde_json::from_str(&text).unwrap(), "cut of orders of mage2")["ready"], true, "{text}");
    let store = SqliteStore::open(world.folder.path().join("host.db")).unwrap();
    let flow = FlowId::new(Table::Orders, "mage2");
    let right = store.cut(&flow).await.unwrap();
    let cut = |year: i16| Cut { cut_dt: format!("{year}-01-31T10:00:00Z").parse().unwrap(), offset: 0 };
    store.set_cut(&flow, Some(cut(2062))).await.unwrap();
    let text = get_until(&mut host, "/health/ready", |_, text| text.contains("\"status\":\"degraded\"")).await;
    let report: Value = serde_json::from_str(&text).unwrap();
    let detail = part(&report, "cut of orders of mage2")["detail"].as_str().unwrap();
    assert!(detail.starts_with("2062-01-31T10:00:00Z lies ahead of this host's clock"), "{detail}");
    get_until(&mut host, "/metrics", |_, text| text.contains("datawald_up{part=\"cut of orders of mage2\"} 0")).await;
    store.set_cut(&flow, right).await.unwrap();
    get_until(&mut host, "/health/ready", |_, text| text.contains("\"status\":\"ok\"")).await;
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
}

/// Credentials that are refused pause a flow, which says so, and goes on once they are mended.
async fn a_flow_that_was_stopped_goes_on_when_it_is_mended(way: Way) {
    let world = World::new(way, OrderSet::Synthetic(ORDERS)).await;
    world.write();
    let password = world.folder.path().join("b1-password");
    let right = std::fs::read_to_string(&password).unwrap();
    std::fs::write(&password, "wrong").unwrap();
    let mut host = world.start("host", &[]);
    let refusal = match way {
        Way::Restful => "refuses the user or the password",
        Way::ServiceLayer => "refuses the login",
    };
    let stopped = |text: &str| {
        let report: Value = serde_json::from_str(text).unwrap();
        let pauses = report["pauses"].as_array().into_iter().flatten();
        let mut reasons = pauses.map(|pause| pause["reason"].as_str().unwrap_or_default());
        reasons.any(|reason| reason.contains(refusal))
    };
    get_until(&mut host, "/health/ready", |_, text| stopped(text)).await;
    get_until(&mut host, "/metrics", |_, text| text.contains("part=\"target\"}")).await;
    let paused =
        |value: u8| format!("datawald_flow_paused{{table=\"orders\",frontend=\"mage2\",side=\"target\"}} {value}\n");
    get_until(&mut host, "/metrics", |_, text| text.contains(&paused(1))).await;
    assert_eq!(world.b1.counters().documents, 0);

    std::fs::write(&password, right).unwrap();
    host.signal(Signal::HUP);
    world.documents(ORDERS, &mut host).await;
    get_until(&mut host, "/health/ready", |_, text| text.contains("\"status\":\"ok\"") && !text.contains("pauses"))
        .await;
    get_until(&mut host, "/metrics", |_, text| text.contains(&paused(0))).await;
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
}

/// What was true before this process is told from its start, and an idle host tells nothing.
async fn gauges_are_there_from_the_start_and_idle_ticks_are_silent(way: Way) {
    let mut world = World::new(way, OrderSet::Synthetic(3)).await;
    world.write();
    let labels = "table=\"orders\",frontend=\"mage2\"";
    // In milliseconds.
    let last = |text: &str| -> i64 {
        let name = format!("datawald_last_success_timestamp_seconds{{{labels}}} ");
        let seconds = text.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or("-1");
        let seconds: rust_decimal::Decimal = seconds.parse().unwrap();
        i64::try_from((seconds * rust_decimal::Decimal::ONE_THOUSAND).trunc()).unwrap()
    };
    let mut host = world.start("host", &[]);
    world.documents(3, &mut host).await;
    let text = get_until(&mut host, "/metrics", |_, text| last(text) > 0).await;
    // What others know of it is that its sync task is closed.
    let store = SqliteStore::open(world.folder.path().join("host.db")).unwrap();
    let closed = SyncTaskFilter { status: Some(SyncStatus::Completed), ..SyncTaskFilter::default() };
    while store.list_sync_tasks(&closed).await.unwrap().items.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop(store);
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;

    // A worker never runs a schedule, and knows all the same.
    let mut host = world.start("worker", &["--role", "worker"]);
    let again = get_until(&mut host, "/metrics", |_, text| last(text) > 0).await;
    assert!((last(&again) - last(&text)).abs() < 60_000, "{again}");
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;

    world.every_ms = 100;
    world.write();
    let mut host = world.start("idle", &[]);
    let pulls = |text: &str| text.matches("run ended").count();
    let begun = get_until(&mut host, "/metrics", |_, text| last(text) > 0).await;
    get_until(&mut host, "/metrics", |_, text| last(text) > last(&begun) + 1_000).await;
    let log = host.log();
    let after = log.split("started").last().unwrap();
    assert_eq!(pulls(&log), 0, "{log}");
    assert!(after.lines().count() < 15, "an idle host tells of every tick: {log}");
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
}

/// The value of a metric, with its labels as they are written.
fn value(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// While SAP B1 lets nobody in, health, metrics and log agree on why orders wait; and of each that fails, the log tells once, and the
/// metrics by its class.
async fn what_waits_and_what_has_failed_is_told(way: Way) {
    let world = World::new(way, OrderSet::Synthetic(5)).await;
    // One that cannot be mapped, and one in a currency that SAP B1 does not have.
    for (number, field, wrong) in [(901, "grand_total", "much"), (902, "order_currency_code", "CHF")] {
        world.put_order(number);
        let change = serde_json::Map::from_iter([(field.to_owned(), wrong.into())]);
        world.magento.edit_order(number, change).unwrap();
    }
    world.write();
    let password = world.folder.path().join("b1-password");
    let right = std::fs::read_to_string(&password).unwrap();
    std::fs::write(&password, "wrong").unwrap();
    let mut host = world.start("host", &[]);
    let labels = "table=\"orders\",frontend=\"mage2\"";
    let open = |text: &str, state: &str| value(text, &format!("datawald_open_entities{{{labels},state=\"{state}\"}}"));
    let oldest = |text: &str, state: &str| {
        value(text, &format!("datawald_oldest_open_seconds{{{labels},state=\"{state}\"}}")).unwrap_or_default()
    };
    let failed =
        |text: &str, class: &str| value(text, &format!("datawald_failed_entities{{{labels},class=\"{class}\"}}"));
    let paused = format!("datawald_flow_paused{{{labels},side=\"target\"}}");
    // Six wait, longer each second.
    let due = format!("datawald_oldest_due_seconds{{{labels}}}");
    let waits = |text: &str| {
        value(text, &paused) == Some(1.0)
            && open(text, "waiting") == Some(6.0)
            && oldest(text, "waiting") > 1.0
            && value(text, &due).is_some_and(|seconds| seconds > 1.0)
    };
    let text = get_until(&mut host, "/metrics", |_, text| waits(text)).await;
    assert_eq!((failed(&text, "mapping"), failed(&text, "invalid")), (Some(1.0), Some(0.0)), "{text}");
    assert_eq!(open(&text, "in_doubt"), Some(0.0), "{text}");
    let report: Value = serde_json::from_str(&get(&mut host, "/health/ready").await.1).unwrap();
    let reason = report["pauses"][0]["reason"].as_str().unwrap().to_owned();
    assert_eq!(
        (&report["pauses"][0]["side"], &report["pauses"][0]["class"]),
        (&"target".into(), &"unauthorized".into())
    );
    let log = host.log();
    let begun: Vec<&str> = log.lines().filter(|line| line.contains("the flow is paused")).collect();
    let [begun] = begun[..] else { panic!("told once: {log}") };
    let said = reason.split("; it is tried again").next().unwrap();
    assert!(
        begun.contains("WARN") && begun.contains("class=unauthorized") && begun.contains(said),
        "{begun}: {reason}"
    );

    std::fs::write(&password, right).unwrap();
    host.signal(Signal::HUP);
    world.documents(5, &mut host).await;
    let done = |text: &str| open(text, "waiting") == Some(0.0) && failed(text, "invalid") == Some(1.0);
    let text = get_until(&mut host, "/metrics", |_, text| done(text)).await;
    assert_eq!((failed(&text, "mapping"), value(&text, &paused)), (Some(1.0), Some(0.0)), "{text}");
    host.printed("can be used again", LIMIT).await;
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
    let log = host.log();
    for (entity, class) in [("901", "mapping"), ("902", "invalid")] {
        let told: Vec<&str> =
            log.lines().filter(|line| line.contains(&format!("entity=\"{entity}\" class="))).collect();
        let [told] = told[..] else { panic!("{entity} is told once: {log}") };
        assert!(told.contains("WARN") && told.contains(&format!("class=\"{class}\"")), "{told}");
    }
    assert_eq!(log.lines().filter(|line| line.contains("failed; its note says why")).count(), 2, "{log}");
}
