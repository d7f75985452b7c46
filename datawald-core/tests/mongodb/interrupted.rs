//! A page whose staging is cut off after any of its commands: the cut is not ahead of the entities, and staging it again
//! completes it. So no transaction is needed.

use datawald_core::model::{Cut, SyncTaskId};
use datawald_core::store::{MongoSettings, MongoStore, StageBatch, Staging, StagingStore};

use crate::proxy::Proxy;
use crate::servers::Database;
use crate::world::{applied, batch, claim, entity, flow, key, pull, sec};

/// More than staging a page takes.
const COMMANDS: usize = 40;

fn page(of: &(datawald_core::store::PullLease, SyncTaskId)) -> StageBatch {
    // Restaged, found unchanged, still failed, not known; the first twice.
    let entities = vec![
        entity("applied", "v2"),
        entity("unchanged", "v1"),
        entity("failed", "v1"),
        entity("new", "v1"),
        entity("applied", "v3"),
    ];
    StageBatch { cut: Some(Cut { cut_dt: sec(100), offset: 1 }), ..batch(of, entities) }
}

#[tokio::test]
async fn a_page_that_is_cut_off_anywhere_is_completed_by_the_next_pull() {
    let mut completed = 0;
    for commands in 0..COMMANDS {
        let database = Database::new();
        let direct = database.store().await;
        let first = pull(&direct, "first").await;
        let known = ["applied", "unchanged", "failed"].map(|id| entity(id, "v1"));
        direct.stage(batch(&first, known.into())).await.unwrap();
        let claimed = claim(&direct, None).await.unwrap();
        let mut outcomes: Vec<_> = claimed.iter().map(applied).collect();
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.key.id == "failed") {
            outcome.outcome = datawald_core::store::Outcome::Failed { note: "no".into(), class: "refused".into() };
        }
        direct.settle(sec(0).into(), outcomes).await.unwrap();

        // The process that stages is cut off after so many commands.
        let proxy = Proxy::before(database.host()).await;
        let settings = MongoSettings { patience_ms: 0, connect_timeout_ms: 2_000, ..database.settings() };
        let settings = MongoSettings { uri: database.uri_by(&proxy.address).into(), ..settings };
        let store = MongoStore::connect(settings).await.unwrap();
        let second = pull(&store, "second").await;
        proxy.cut_off_after(commands);
        let whole = store.stage(page(&second)).await.is_ok();
        completed += usize::from(whole);

        if let Some(cut) = direct.cut(&flow()).await.unwrap() {
            assert_eq!(cut.cut_dt, sec(100));
            for (id, rev) in [("applied", 3), ("new", 1), ("failed", 1)] {
                assert_eq!(direct.get(&key(id)).await.unwrap().unwrap().rev, rev, "{id} after {commands} commands");
            }
        } else {
            assert!(!whole, "it succeeded, and the cut is not there");
        }

        // The next pull begins where the cut says, and brings the page again.
        let third = pull(&direct, "third").await;
        let staged = direct.stage(page(&third)).await.unwrap();
        assert_eq!(staged.len(), 5);
        assert!(staged[1] == Staging::Unchanged, "{staged:?}");
        let applied_now = direct.get(&key("applied")).await.unwrap().unwrap();
        assert_eq!(applied_now.doc, entity("applied", "v3").doc, "after {commands} commands");
        let history = direct.history(&key("applied")).await.unwrap();
        assert_eq!(history.len() as u64, applied_now.rev - 1, "after {commands} commands");
        assert!(history.windows(2).all(|pair| pair[0].rev == pair[1].rev + 1), "after {commands} commands");
        let counts = direct.sync_task_counts(&third.1).await.unwrap();
        assert_eq!((counts.total(), counts.open()), (4, 2), "after {commands} commands");
        // Everything that is open can be applied, once.
        assert_eq!(claim(&direct, None).await.unwrap().len(), 2, "after {commands} commands");
        assert_eq!(claim(&direct, None).await.unwrap().len(), 0, "after {commands} commands");
    }
    assert!((1..COMMANDS).contains(&completed), "{completed} of {COMMANDS} were completed");
}
