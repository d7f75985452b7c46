//! A Service Layer that lets the host in, and ones that do not: told by `--check --connect`, before anything is run.

use std::process::Output;

use mage2_connector::sandbox::OrderSet;
use rustix::process::Signal;
use sapb1_connector::sandbox::service_layer::{Sandbox, SandboxOptions, Tls};
use sapb1_connector::sandbox::{B1Sandbox, COMPANY_DB, LOGIN, Way};

use crate::world::{LIMIT, World};

async fn check(world: &World) -> (Output, String) {
    let mut command = world.command(&["--check", "--connect"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!told.contains(LOGIN.1) && !told.contains("hunter2"), "no password is told: {told}");
    (output, told)
}

/// Writes the file with one part of it another.
fn write_with(world: &World, part: &str, other: &str) {
    world.write();
    let path = world.folder.path().join("host.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(part), "{part}");
    std::fs::write(path, text.replace(part, other)).unwrap();
}

/// What is told of the connection, and of nothing else; nothing was written.
async fn refused(world: &World, parts: &[&str]) {
    let (output, told) = check(world).await;
    assert_eq!(output.status.code(), Some(1), "{told}");
    let line = told.lines().find(|line| line.starts_with("connection b1: ")).unwrap_or_else(|| panic!("{told}"));
    for part in parts {
        assert!(line.contains(part), "`{part}` is not in: {line}");
    }
    for part in ["store", "queue", "connection mage2"] {
        assert!(told.contains(&format!("{part}: answers")), "{told}");
    }
    assert_eq!(world.b1.counters().documents, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_a_wrong_company_are_told() {
    let world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    let login = ["refuses the login: check company, user and password", "[100000027]"];
    world.write();
    std::fs::write(world.folder.path().join("b1-password"), "hunter2\n").unwrap();
    refused(&world, &login).await;
    write_with(&world, &format!("company_db = '{COMPANY_DB}'"), "company_db = 'SBODEMODE'");
    refused(&world, &login).await;
    // The address of something else: the other way in.
    write_with(&world, &format!("url = '{}'", world.b1.url()), &format!("url = '{}'", world.magento.url()));
    refused(&world, &["there is no login at this address: is the URL that of a Service Layer"]).await;
    world.write();
    let (output, told) = check(&world).await;
    assert!(output.status.success() && told.contains("connection b1: answers"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_trusted_by_its_file_alone() {
    const ORDERS: u64 = 12;
    let mut world = World::new(Way::ServiceLayer, OrderSet::Synthetic(ORDERS)).await;
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let another = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let options = SandboxOptions {
        tls: Some(Tls { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }),
        ..datawald_examples::sample_company().over_service_layer(0)
    };
    world.b1 = B1Sandbox::ServiceLayer(Sandbox::start(options).await.unwrap());
    std::fs::write(world.folder.path().join("b1.pem"), another.cert.pem()).unwrap();

    let untrusted =
        ["the certificate of 127.0.0.1 is not trusted", "the CA file of this connection", "nothing was sent"];
    world.write();
    refused(&world, &untrusted).await;
    let settings = "settings_file = 'sapb1.toml'";
    write_with(&world, settings, &format!("{settings}\nca_file = 'b1.pem'"));
    refused(&world, &untrusted).await;
    assert_eq!(world.b1.counters().requests, 0);

    std::fs::write(world.folder.path().join("b1.pem"), made.cert.pem()).unwrap();
    let (output, told) = check(&world).await;
    assert!(output.status.success() && told.contains("connection b1: answers"), "{told}");
    let mut host = world.start("host", &[]);
    host.printed(&format!("closed status=\"Completed\" success={ORDERS}"), LIMIT).await;
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
    assert_eq!(world.b1.counters().documents, ORDERS);
    let B1Sandbox::ServiceLayer(b1) = &world.b1 else { panic!("it is one") };
    assert_eq!(b1.counters().sessions, 0, "every session is given back");
}
