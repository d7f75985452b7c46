//! The conformance suites, against what this crate brings.

#[cfg(feature = "rabbitmq")]
#[path = "rabbitmq/broker.rs"]
#[allow(dead_code, reason = "this test binary uses a part of it")]
mod broker;

use datawald_core::queue::InProcessQueue;
use datawald_core::testing::{staging_store_conformance, task_queue_conformance};

#[cfg(feature = "mongodb")]
mod servers;

#[cfg(feature = "sqlite")]
staging_store_conformance!(sqlite_in_memory, || async {
    (datawald_core::store::SqliteStore::in_memory().unwrap(), ())
});

#[cfg(feature = "sqlite")]
staging_store_conformance!(sqlite, || async {
    let folder = tempfile::tempdir().unwrap();
    (datawald_core::store::SqliteStore::open(folder.path().join("store.db")).unwrap(), folder)
});

#[cfg(feature = "mongodb")]
staging_store_conformance!(mongodb, servers::mongo_store);

task_queue_conformance!(in_process, || async { (InProcessQueue::new(64), ()) });

#[cfg(feature = "rabbitmq")]
task_queue_conformance!(rabbitmq, broker::queue);

/// A case that is not in its macro's list would never run.
#[test]
fn every_case_is_in_a_suite() {
    let store = [
        ("pulls", include_str!("../src/testing/store_cases/pulls.rs")),
        ("cuts", include_str!("../src/testing/store_cases/cuts.rs")),
        ("staging", include_str!("../src/testing/store_cases/staging.rs")),
        ("claims", include_str!("../src/testing/store_cases/claims.rs")),
        ("binding", include_str!("../src/testing/store_cases/binding.rs")),
        ("settling", include_str!("../src/testing/store_cases/settling.rs")),
        ("tasks", include_str!("../src/testing/store_cases/tasks.rs")),
        ("pushes", include_str!("../src/testing/store_cases/pushes.rs")),
        ("records", include_str!("../src/testing/store_cases/records.rs")),
        ("overviews", include_str!("../src/testing/store_cases/overviews.rs")),
        ("pruning", include_str!("../src/testing/store_cases/pruning.rs")),
        ("erasing", include_str!("../src/testing/store_cases/erasing.rs")),
        ("lists", include_str!("../src/testing/store_cases/lists.rs")),
    ];
    let listed = include_str!("../src/testing/store_macro.rs");
    for (group, source) in store {
        let (_, rest) = listed.split_once(&format!("{group} {{")).unwrap();
        let (cases, _) = rest.split_once('}').unwrap();
        assert_eq!(functions(source), words(cases), "{group}");
    }
    let (_, rest) = include_str!("../src/testing/queue_macro.rs").split_once("@cases $make;").unwrap();
    let (cases, _) = rest.split_once('}').unwrap();
    assert_eq!(functions(include_str!("../src/testing/queue_cases.rs")), words(cases));
}

fn functions(source: &str) -> Vec<&str> {
    let mut names: Vec<_> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub async fn "))
        .filter_map(|line| line.split('(').next())
        .collect();
    names.sort_unstable();
    names
}

fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<_> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}
