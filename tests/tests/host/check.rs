//! `--check`: all mistakes at once, or that there is none.

use std::process::Output;

use mage2_connector::sandbox::OrderSet;
use sapb1_connector::sandbox::{COMPANY_DB, Faults, LOGIN, Way};

use crate::world::World;

sapb1_connector::over_both_ways! {
    what_the_file_names_is_tried_without_writing
    two_connections_to_one_company_are_told
    whether_documents_show_whose_they_are_is_told
}

async fn check(world: &World, args: &[&str]) -> Output {
    let mut command = world.command(args);
    command.arg("--check").env_remove("NOT_SET");
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file of mistakes, and what is told of it.
const MISTAKES: (&str, &str) = (include_str!("mistakes.toml"), include_str!("mistakes.txt"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_is_told_at_once_and_no_secret() {
    let world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    world.write_as(MISTAKES.0);
    let output = check(&world, &["--role", "core", "--role", "frontend", "--role", "worker"]).await;
    let folder = format!("{}/", world.folder.path().display());
    let told = text(&output.stderr).replace(&folder, "");
    assert_eq!(told.trim(), MISTAKES.1.trim(), "{told}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    assert!(!told.contains("geheim"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_or_no_toml_is_told() {
    let world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    let output = check(&world, &[]).await;
    assert!(text(&output.stderr).contains("host.toml cannot be read"), "{output:?}");
    world.write_as("[store]\nkind = \"sqlite\n");
    let output = check(&world, &[]).await;
    assert_eq!(text(&output.stderr).trim(), "line 2 is not TOML");
    assert_eq!(output.status.code(), Some(1));
    // Nothing is said: everything that must be there is missing.
    world.write_as("");
    let output = check(&world, &[]).await;
    let told = text(&output.stderr);
    assert!(told.contains("flows: is missing") && told.contains("store: is missing"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_file_is_complete_and_so_is_the_sample() {
    let world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    world.write();
    let output = check(&world, &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).trim().ends_with("host.toml is complete"), "{output:?}");

    for sample in
        [include_str!("../../../examples/config/host.toml"), include_str!("../../../examples/config/host.compose.toml")]
    {
        world.write_as(sample);
        let mut command = world.command(&["--check"]);
        command.env("B1_PASSWORD", "p").env("AMQP_URL", "amqp://u:p@mq").env("MONGODB_URI", "mongodb://u:p@db/x");
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

/// A worker needs no secret of the shop, and a role without its part of the file is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_needs_its_own_part() {
    let mut world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    world.more = String::new();
    world.write();
    let without_token = |args: &[&str]| {
        let mut command = world.command(args);
        command.arg("--check").env_remove("MAGENTO_TOKEN");
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let output = without_token(&["--role", "worker"]).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = without_token(&["--role", "frontend", "--role", "core"]).await.unwrap();
    assert_eq!(
        text(&output.stderr).trim(),
        "api: is missing: the role `core` answers over HTTP\n\
         connections.mage2.credentials.token: the variable MAGENTO_TOKEN is not set"
    );
}

async fn what_the_file_names_is_tried_without_writing(way: Way) {
    let mut world = World::new(way, OrderSet::Synthetic(3)).await;
    world.write();
    let output = check(&world, &["--connect"]).await;
    let told = text(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in ["store", "queue", "connection mage2", "connection b1"] {
        assert!(told.contains(&format!("{part}: answers")), "{told}");
    }
    assert_eq!(world.b1.counters().writes, 0);

    world.b1.set_faults(Faults { latency_ms: 20_000, ..Faults::default() });
    let output = check(&world, &["--connect", "--role", "worker"]).await;
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("connection b1: no answer within 10 s"), "{told}");
    assert!(told.contains("store: answers") && !told.contains("mage2"), "{told}");

    // A store that cannot be opened keeps nobody from hearing how the rest is.
    world.b1.set_faults(Faults::default());
    world.store = "kind = 'sqlite'\npath = 'no/such/folder/host.db'".into();
    world.write();
    let output = check(&world, &["--connect"]).await;
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("store and queue: open store") && told.contains("connection b1: answers"), "{told}");
}

/// A connection of `way`'s kind to the sandbox, with rules of its own.
fn connection(world: &World, name: &str, rules: &str) -> String {
    let kind = match world.b1.way() {
        Way::Restful => "kind = 'sapb1-restful'".to_owned(),
        Way::ServiceLayer => format!("kind = 'sapb1-service-layer'\ncompany_db = '{COMPANY_DB}'"),
    };
    let (url, user) = (world.b1.url(), LOGIN.0);
    format!(
        "[connections.{name}]\n{kind}\nurl = '{url}'\nuser = '{user}'\npassword = {{ file = 'b1-password' }}\n\
         [connections.{name}.settings]\ncompany_currency = 'USD'\n{rules}\n"
    )
}

/// A file with a shop and an ERP for each of `pairs`.
fn file(world: &World, pairs: &[(&str, &str, &str)]) -> String {
    let mut text = "[store]\nkind = 'sqlite'\npath = 'host.db'\n".to_owned();
    for (shop, erp, rules) in pairs {
        let magento = world.magento.url();
        text.push_str(&format!(
            "[connections.{shop}]\nkind = 'magento2'\nbase_url = '{magento}'\n\
             credentials = {{ kind = 'bearer', token = {{ env = 'MAGENTO_TOKEN' }} }}\n{}\
             [[flows]]\ntable = 'orders'\nfrontend = '{shop}'\nbackoffice = '{erp}'\n",
            connection(world, erp, rules)
        ));
    }
    text
}

async fn two_connections_to_one_company_are_told(way: Way) {
    let world = World::new(way, OrderSet::Empty).await;
    let both = |rules: &str| file(&world, &[("mage2", "b1", ""), ("other", "b2", rules)]);
    world.write_as(&both(""));
    let output = check(&world, &["--connect"]).await;
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let line = told.lines().find(|line| line.contains("are the same company")).unwrap_or_else(|| panic!("{told}"));
    for part in ["connections b1 and b2:", COMPANY_DB, "orders of mage2 and other", "reference.prefix"] {
        assert!(line.contains(part), "{line}");
    }
    // Their orders can be told apart: it is said, and nothing has to be mended.
    for rules in ["reference.prefix = { other = 'O-' }", "reference.udf = 'U_WebOrder'"] {
        world.write_as(&both(rules));
        let output = check(&world, &["--connect"]).await;
        let told = text(&output.stdout);
        assert!(output.status.success(), "{told} {output:?}");
        assert!(told.contains("connections b1 and b2: are the same company"), "{told}");
        assert!(!told.contains("same references"), "{told}");
    }
    world.write_as(&file(&world, &[("mage2", "b1", "")]));
    let told = text(&check(&world, &["--connect"]).await.stdout);
    assert!(told.contains("connection b1: answers") && !told.contains("same company"), "{told}");
}

async fn whether_documents_show_whose_they_are_is_told(way: Way) {
    let world = World::new(way, OrderSet::Empty).await;
    let checked = async |rules: &str| {
        world.write_as(&file(&world, &[("mage2", "b1", rules)]));
        let output = check(&world, &["--connect"]).await;
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, told, _) = checked("").await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("connection b1: documents bear no mark of ours"), "{told}");
    let (code, told, _) = checked("reference.udf = 'U_None'").await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("connection b1: orders have no field U_None (`reference.udf`)"), "{told}");
    let (code, told, mistakes) = checked("reference.mark = 'U_None'").await;
    assert_eq!(code, Some(1), "{told}");
    match way {
        Way::Restful => {
            assert!(
                mistakes.contains("connections.b1.settings.reference.mark: SAP B1 RESTful writes no"),
                "{mistakes}"
            );
        }
        Way::ServiceLayer => {
            assert!(told.contains("connection b1: orders have no field U_None (`reference.mark`)"), "{told}");
            let (code, told, _) = checked("reference.mark = 'U_WebOrder'").await;
            assert_eq!(code, Some(0), "{told}");
            assert!(told.contains("connection b1: documents bear our mark in U_WebOrder"), "{told}");
        }
    }
    assert_eq!(world.b1.counters().writes, 0);
}
