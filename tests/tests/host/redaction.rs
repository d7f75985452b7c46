//! Neither a secret nor what is in an order is in any line that the host prints, at its most talkative.

use datawald_tests::Process;
use mage2_connector::sandbox::{OrderSet, fixtures};
use rustix::process::Signal;
use sapb1_connector::sandbox::{Faults, LOGIN, Way};
use serde_json::{Value, json};

use crate::world::{LIMIT, World};

/// The fields of an order that are about people.
const PERSONAL: &[&str] = &[
    "firstname",
    "lastname",
    "middlename",
    "company",
    "email",
    "customer_email",
    "customer_firstname",
    "customer_lastname",
    "telephone",
    "city",
    "remote_ip",
];

/// What stands in them.
const PERSON: &str = "Zwiebelfisch";

/// How the secrets begin.
const SECRET: &str = "Geheim";

fn mark(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "street" => *value = json!([PERSON]),
                    name if PERSONAL.contains(&name) && value.is_string() => {
                        let text =
                            if name.contains("email") { format!("{PERSON}@example.com") } else { PERSON.to_owned() };
                        *value = text.into();
                    }
                    _ => mark(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mark),
        _ => {}
    }
}

/// The sample orders, of every shape, and some that cannot be mapped.
fn orders() -> OrderSet {
    let mut files = Vec::new();
    for (name, text) in fixtures() {
        let mut order: Value = serde_json::from_str(text).unwrap();
        mark(&mut order);
        files.push((name.to_owned(), order.to_string()));
    }
    let mut broken: Value = serde_json::from_str(&files[0].1).unwrap();
    broken["entity_id"] = 9_001.into();
    broken["increment_id"] = "900000001".into();
    broken["grand_total"] = PERSON.into();
    files.push(("broken".to_owned(), broken.to_string()));
    OrderSet::Files(files)
}

/// All that a host prints in a run with every kind of trouble.
async fn printed(way: Way, format: &str, refused: &str) -> String {
    let mut world = World::with_token(way, orders(), &format!("{SECRET}-of-the-shop")).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // A broker and a collector that are away, so that there is something to say about their addresses.
    world.queue = "kind = 'rabbitmq'\nuri = { env = 'HOST_AMQP' }".into();
    // A name that nobody should choose: the log tells where the store is.
    world.store = format!("kind = 'sqlite'\npath = '{}.db'", LOGIN.1);
    world.log = format!("level = 'trace'\nformat = '{format}'");
    world.more = format!("[monitor]\nlisten = '127.0.0.1:0'\n[telemetry]\notlp_endpoint = 'http://127.0.0.1:{nobody}'");
    // One write in three is carried out and its answer lost.
    world.b1.set_faults(Faults { drop_after_commit_every: 3, ..Faults::default() });
    world.write();
    let mut command = world.command(&[]);
    command.env("HOST_AMQP", format!("amqp://shop:{SECRET}%2Bbroker@127.0.0.1:{nobody}/x"));
    let mut host = Process::start(&world.folder.path().join("host"), "host", command);
    host.printed("closed", LIMIT).await;

    // A password that SAP B1 refuses.
    std::fs::write(world.folder.path().join("b1-password"), format!("{SECRET}-wrong\n")).unwrap();
    host.signal(Signal::HUP);
    host.printed("reloaded", LIMIT).await;
    host.printed(refused, LIMIT).await;
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
    let log = host.log();
    // One that was written, by its number, and one that cannot be, by its record.
    for order in ["000000101", "\"9001\""] {
        assert!(log.contains(order), "it was not talkative: {log}");
    }
    log
}

sapb1_connector::over_both_ways! { no_secret_and_nothing_of_an_order_is_printed }

async fn no_secret_and_nothing_of_an_order_is_printed(way: Way) {
    let refusals = [("text", "part=\"connection b1\" why="), ("json", "\"part\":\"connection b1\",\"why\":")];
    for (format, refused) in refusals {
        let log = printed(way, format, refused).await;
        let taken_out: Vec<_> = log.lines().filter(|line| line.contains("[redacted]")).collect();
        assert!(matches!(taken_out[..], [line] if line.contains("started")), "only the store's name: {taken_out:?}");
        for (number, line) in log.lines().enumerate() {
            for hidden in [PERSON, SECRET, LOGIN.1] {
                assert!(!line.contains(hidden), "`{hidden}` is in line {number}: {line}");
            }
            if format == "json" {
                let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
            }
        }
        println!("{} lines of {format}", log.lines().count());
    }
}
