//! SIGHUP.

use mage2_connector::sandbox::OrderSet;
use rustix::process::Signal;
use sapb1_connector::sandbox::Way;

use crate::world::{LIMIT, World, get, get_until};

sapb1_connector::over_both_ways! { schedules_and_settings_change_while_it_runs }

async fn schedules_and_settings_change_while_it_runs(way: Way) {
    let mut world = World::new(way, OrderSet::Synthetic(5)).await;
    world.write();
    let mut host = world.start("host", &[]);
    world.documents(5, &mut host).await;
    get_until(&mut host, "/health/ready", |status, _| status == 200).await;

    // The next run would be in months. A file with a mistake changes nothing of that, and says where it is.
    world.put_order(6);
    world.write_as("[store]\nkind = 'sqlite'\npath = 'host.db'\n[api]\nlisten = 'geheim'\n");
    host.signal(Signal::HUP);
    let log = host.printed("everything stays as it is", LIMIT).await;
    assert!(log.contains("api.listen: ") && !log.contains("geheim"), "{log}");
    assert_eq!(get(&mut host, "/health/ready").await.0, 200);
    assert_eq!(world.b1.counters().documents, 5);

    // Another store needs a restart; that is told, and the rest of the file counts.
    world.store = "kind = 'sqlite'\npath = 'other.db'".into();
    world.every_ms = 200;
    world.log = "level = 'debug'".into();
    world.write();
    host.signal(Signal::HUP);
    world.documents(6, &mut host).await;
    let log = host.log();
    assert!(log.contains("has changed, which counts after a restart only section=\"store\""), "{log}");
    assert!(!world.folder.path().join("other.db").exists());
    assert!(log.contains("DEBUG"), "the level of the log has changed: {log}");
    get_until(&mut host, "/health/ready", |status, _| status == 200).await;

    // Nothing has changed; then the rules have, which stand in a file of their own.
    host.signal(Signal::HUP);
    host.printed("reloaded; flows and schedules are the same", LIMIT).await;
    let rules = world.folder.path().join("sapb1.toml");
    let changed = std::fs::read_to_string(&rules).unwrap().replace("due_days = 7", "due_days = 9");
    std::fs::write(&rules, changed).unwrap();
    let before = host.log().matches("reloaded\n").count();
    host.signal(Signal::HUP);
    while host.log().matches("reloaded\n").count() == before {
        assert_eq!(host.ended(), None, "{}", host.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
    assert_eq!(world.b1.counters().documents, 6);
}
