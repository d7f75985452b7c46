//! Records: small named texts with a revision.

use super::Store;
use crate::ErrorKind;
use crate::store::{RECORD_LIMIT, RECORD_NAME_LIMIT, Record};

fn record(name: &str, rev: u64, value: &str) -> Record {
    Record { name: name.to_owned(), rev, value: value.to_owned() }
}

pub async fn a_record_counts_its_changes(store: Store) {
    assert_eq!(store.record("leader").await.unwrap(), None);
    assert!(!store.write_record("leader", 1, "a").await.unwrap());
    assert!(store.write_record("leader", 0, "a").await.unwrap());
    assert_eq!(store.record("leader").await.unwrap(), Some(record("leader", 1, "a")));
    // The same call again has the same answer.
    assert!(store.write_record("leader", 0, "a").await.unwrap());
    assert!(!store.write_record("leader", 0, "b").await.unwrap());
    assert!(store.write_record("leader", 1, "b €'\"$\n").await.unwrap());
    assert!(store.write_record("leader", 1, "b €'\"$\n").await.unwrap());
    assert!(!store.write_record("leader", 1, "c").await.unwrap());
    assert!(!store.write_record("leader", 3, "c").await.unwrap());
    // A revision that no record ever has.
    assert!(!store.write_record("leader", u64::MAX, "c").await.unwrap());
    assert!(!store.delete_record("leader", u64::MAX).await.unwrap());
    assert_eq!(store.record("leader").await.unwrap(), Some(record("leader", 2, "b €'\"$\n")));
}

pub async fn of_many_that_write_one_does(store: Store) {
    for rev in 0..5 {
        let writers = (0..8).map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.write_record("leader", rev, &format!("host {n}")).await.unwrap() })
        });
        let mut written = 0;
        for writer in writers.collect::<Vec<_>>() {
            written += u32::from(writer.await.unwrap());
        }
        assert_eq!(written, 1);
        assert_eq!(store.record("leader").await.unwrap().unwrap().rev, rev + 1);
    }
}

pub async fn records_are_found_by_the_beginning_of_their_names(store: Store) {
    let names =
        ["a", "schedule", "schedule/", "schedule/B", "schedule/a", "schedule/a%b", "schedule/é", "schedule0", "z"];
    for name in names {
        assert!(store.write_record(name, 0, name).await.unwrap());
    }
    let of = |prefix: &'static str| {
        let store = store.clone();
        async move { store.records(prefix).await.unwrap().into_iter().map(|record| record.name).collect::<Vec<_>>() }
    };
    assert_eq!(of("schedule/").await, ["schedule/", "schedule/B", "schedule/a", "schedule/a%b", "schedule/é"]);
    assert_eq!(of("schedule/a%").await, ["schedule/a%b"]);
    assert!(of("nothing").await.is_empty());
    assert_eq!(of("").await, names);
}

pub async fn a_record_is_removed_at_its_revision(store: Store) {
    assert!(store.delete_record("token", 1).await.unwrap());
    store.write_record("token", 0, "a").await.unwrap();
    store.write_record("token", 1, "b").await.unwrap();
    assert!(!store.delete_record("token", 1).await.unwrap());
    assert!(store.delete_record("token", 2).await.unwrap());
    assert!(store.delete_record("token", 2).await.unwrap());
    assert_eq!(store.record("token").await.unwrap(), None);
    assert!(store.write_record("token", 0, "again").await.unwrap());
}

pub async fn a_record_has_bounds(store: Store) {
    let (name, value) = ("n".repeat(RECORD_NAME_LIMIT), "v".repeat(RECORD_LIMIT));
    assert!(store.write_record(&name, 0, &value).await.unwrap());
    assert_eq!(store.record(&name).await.unwrap(), Some(record(&name, 1, &value)));
    for (name, value) in [("", "v".to_owned()), (&*format!("{name}n"), "v".to_owned()), ("n", format!("{value}v"))] {
        let error = store.write_record(name, 0, &value).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
