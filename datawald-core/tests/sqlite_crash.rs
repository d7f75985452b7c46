//! Store files and processes: a killed one loses nothing that was acknowledged, and several may write at once.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a failure is a panic")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;

use common::{SIZE, child, flow};
use datawald_core::model::{EntityKey, FlowId, Table};
use datawald_core::store::{SqliteStore, StagingStore};

/// The number of the batch that a line tells of.
fn staged(line: &str) -> Option<u64> {
    line.strip_prefix("staged ")?.parse().ok()
}

/// The last batch that a child told of before it ended.
fn last_staged(child: &mut Child) -> Option<u64> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| staged(&line)).last()
}

async fn has_batch(store: &SqliteStore, flow: &FlowId, n: u64) -> bool {
    let mut found = 0;
    for m in 0..SIZE {
        found += usize::from(store.get(&EntityKey::new(flow, format!("{n}-{m}"))).await.unwrap().is_some());
    }
    assert!(found == 0 || found == SIZE, "half a batch: {found} of batch {n}");
    found == SIZE
}

async fn check(path: &Path, acknowledged: u64) -> u64 {
    let store = SqliteStore::open(path).unwrap();
    let cut = store.cut(&flow()).await.unwrap().map_or(0, |cut| cut.offset);
    assert!(cut >= acknowledged, "batch {acknowledged} was acknowledged, the cut is at {cut}");
    for n in 0..=cut {
        assert!(has_batch(&store, &flow(), n).await, "the cut is at {cut}, and batch {n} is missing");
    }
    assert!(!has_batch(&store, &flow(), cut + 1).await, "a batch without its cut");
    let health = rusqlite::Connection::open(path).unwrap();
    let health: String = health.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(health, "ok");
    cut
}

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_batch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut acknowledged = 0;
    for round in 0..12_u64 {
        let mut writer = child("pull mage2", &path).spawn().unwrap();
        // Somewhere in the middle of its writing: after some batches, and at once or a little later.
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        for line in lines.by_ref().map_while(Result::ok) {
            acknowledged = staged(&line).unwrap_or(acknowledged);
            if acknowledged >= round * 10 + 3 {
                break;
            }
        }
        std::thread::sleep(std::time::Duration::from_micros(round * 437));
        writer.kill().unwrap();
        writer.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            acknowledged = staged(&line).unwrap_or(acknowledged);
        }
        let cut = check(&path, acknowledged).await;
        assert!(cut <= acknowledged + 1, "batches beyond the one in flight: {cut}, {acknowledged}");
    }
}

#[tokio::test]
async fn several_processes_may_make_and_write_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut writers: Vec<_> = (0..4).map(|n| child(&format!("pull-some shop{n}"), &path).spawn().unwrap()).collect();
    for writer in &mut writers {
        assert_eq!(last_staged(writer), Some(29));
        assert!(writer.wait().unwrap().success());
    }
    let store = SqliteStore::open(&path).unwrap();
    for n in 0..4 {
        let flow = FlowId::new(Table::Orders, format!("shop{n}"));
        for batch in 0..30 {
            assert!(has_batch(&store, &flow, batch).await);
        }
    }
}
