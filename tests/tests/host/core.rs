//! A core, and hosts on other machines that have its store over its API.

use std::process::Command;

use datawald_tests::{Process, example};
use mage2_connector::sandbox::OrderSet;
use rustix::process::Signal;
use sapb1_connector::sandbox::Way;

use crate::world::{LIMIT, World, address, get_from};

sapb1_connector::over_both_ways! { frontends_and_workers_share_a_core_over_its_api }

const ORDERS: u64 = 25;

/// What `host token …` prints.
async fn token(world: &World, args: &[&str]) -> (bool, String) {
    let mut command = world.command(&["token"]);
    command.args(args).env_remove("MAGENTO_TOKEN");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap().trim().to_owned())
}

async fn frontends_and_workers_share_a_core_over_its_api(way: Way) {
    let mut world = World::new(way, OrderSet::Synthetic(ORDERS)).await;
    world.more = "[api]\nlisten = '127.0.0.1:0'\n[api.limits]\nmax_batch = 100".into();
    world.write();
    let (made, secret) = token(&world, &["create", "hosts", "--scope", "read,stage,operate"]).await;
    assert!(made && secret.starts_with("dw_hosts_"), "{secret}");
    let (made, told) = token(&world, &["create", "other", "--scope", "everything"]).await;
    assert!(!made && told.contains("one of read, stage, operate"), "{told}");
    let (_, listed) = token(&world, &["list"]).await;
    assert!(listed.starts_with("hosts  read,stage,operate  made ") && !listed.contains(&secret[9..]), "{listed}");

    let mut core = world.start("core", &["--role", "core"]);
    let api = address(&mut core, "api").await;
    assert_eq!(get_from(&api, "/health/live", None).await.0, 200);
    assert_eq!(get_from(&api, "/metrics", None).await.0, 401);
    let (status, metrics) = get_from(&api, "/metrics", Some(&secret)).await;
    assert_eq!(status, 200);
    assert!(
        metrics.contains("datawald_open_entities{table=\"orders\",frontend=\"mage2\",state=\"waiting\"} 0"),
        "{metrics}"
    );

    // The same file, but for the store: this one is the core's.
    let file = std::fs::read_to_string(world.folder.path().join("host.toml")).unwrap();
    let file = file.replace(
        &format!("[store]\n{}\n[queue]\n{}\n", world.store, world.queue),
        &format!("[core]\nurl = '{api}'\ntoken = {{ env = 'CORE_TOKEN' }}\n"),
    );
    let file = file.replace(&world.more, "");
    std::fs::write(world.folder.path().join("remote.toml"), &file).unwrap();
    let start = |role: &str| {
        let mut command = Command::new(example("host"));
        command.arg("--config").arg(world.folder.path().join("remote.toml")).args(["--role", role]);
        command.env("CORE_TOKEN", &secret).env("MAGENTO_TOKEN", world.magento.token());
        Process::start(&world.folder.path().join(role), role, command)
    };
    let mut worker = start("worker");
    let mut frontend = start("frontend");
    frontend.printed("closed status=\"Completed\" success=25", LIMIT).await;
    assert_eq!(world.b1.counters().documents, ORDERS);
    for host in [&mut frontend, &mut worker, &mut core] {
        host.signal(Signal::TERM);
        host.succeed(LIMIT).await;
        assert!(!host.log().contains(&secret), "{}", host.log());
    }

    assert_eq!(token(&world, &["revoke", "hosts"]).await, (true, "hosts is revoked".to_owned()));
    assert_eq!(token(&world, &["list"]).await, (true, String::new()));
}
