//! Readiness and metrics.

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
        format!("datawald_due_entities{{{labels}}} 0"),
        format!("datawald_oldest_due_seconds{{{labels}}} 0"),
        "# TYPE datawald_apply_seconds histogram".to_owned(),
        "# HELP datawald_staged_total ".to_owned(),
    ] {
        assert!(text.contains(&line), "no `{line}` in: {text}");
    }
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
    let text = get_until(&mut host, "/health/ready", |status, _| status == 503).await;
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["status"], "missing");
    let b1 = part(&report, "connection b1");
    assert_eq!(b1["ready"], false);
    assert!(b1["detail"].as_str().unwrap().contains("cannot connect to 127.0.0.1"), "{text}");
    assert_eq!(part(&report, "connection mage2")["ready"], true);
    assert_eq!(get(&mut host, "/health/live").await.0, 200, "it is alive all the same");
    world.b1 = B1Sandbox::start_at(way, sample_company(), port).await.unwrap();
    get_until(&mut host, "/health/ready", |status, _| status == 200).await;
    let log = host.log();
    assert_eq!(log.matches("is not ready part=\"connection b1\"").count(), 1, "told once: {log}");
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
    get_until(&mut host, "/health/ready", |status, text| status == 503 && stopped(text)).await;
    get_until(&mut host, "/metrics", |_, text| text.contains("part=\"target\"}")).await;
    let paused =
        |value: u8| format!("datawald_flow_paused{{table=\"orders\",frontend=\"mage2\",side=\"target\"}} {value}\n");
    get_until(&mut host, "/metrics", |_, text| text.contains(&paused(1))).await;
    assert_eq!(world.b1.counters().documents, 0);

    std::fs::write(&password, right).unwrap();
    host.signal(Signal::HUP);
    world.documents(ORDERS, &mut host).await;
    get_until(&mut host, "/health/ready", |status, text| status == 200 && !text.contains("pauses")).await;
    get_until(&mut host, "/metrics", |_, text| text.contains(&paused(0))).await;
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
}
