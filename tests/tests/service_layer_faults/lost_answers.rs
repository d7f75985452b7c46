//! Writes that are carried out and whose answers are lost, in batches and alone, some later than the answer was due.

use datawald_core::http::{Http, HttpRequest, HttpSettings};
use datawald_core::model::TxStatus::{Cancelled, Success};
use datawald_core::model::{FlowId, Table};
use datawald_core::{Cx, Effect};
use http::header::COOKIE;
use sapb1_connector::B1Api;
use sapb1_connector::sandbox::service_layer::Faults;
use sapb1_connector::sandbox::{COMPANY_DB, LOGIN};
use sapb1_connector::service_layer::{Contacts, Root};
use serde_json::json;
use tokio::task::JoinSet;

use crate::world::{ROOTS, Setup, World, after, id};

/// What an order says that was made by a write without an answer.
const FOUND: &str = "is in the backoffice already";

impl World {
    /// Runs while answers are lost, which ends after some calls: a run may beat time with those that lose theirs.
    async fn run_through(&self, faults: Faults) {
        self.client.info(&Cx::new(FlowId::new(Table::Orders, "mage2"))).await.unwrap();
        self.faults(faults);
        let begun = self.b1.counters().requests;
        let storm = async {
            while self.b1.counters().requests < begun + 25 {
                after(5, || {}).await;
            }
            self.b1.change_faults(|faults| {
                faults.drop_batch_after_commit_every = 0;
                faults.slow_commit_every = 0;
                faults.cut_body_every = 0;
            });
            std::future::pending().await
        };
        tokio::select! {
            report = self.run() => drop(report.unwrap()),
            () = storm => {}
        }
    }

    /// Makes single writes that are refused, one less than `count`, so that the run's first is the one that counts.
    async fn call_alone(&self, count: u64) {
        let http = Http::new(HttpSettings::new(&self.b1.url()).unwrap()).unwrap();
        let post = |path: &str| {
            let url = http.url(&format!("b1s/v2/{path}")).unwrap();
            HttpRequest::new("call alone", Effect::Read, http::Method::POST, url)
        };
        let user = json!({ "CompanyDB": COMPANY_DB, "UserName": LOGIN.0, "Password": LOGIN.1 });
        let entered = http.send(post("Login").json(user.to_string())).await.unwrap();
        let cookies = entered.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
        let cookies = cookies.map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ");
        let call = async |path| http.send(post(path).secret_header(COOKIE, &cookies).unwrap()).await.unwrap().status;
        for _ in 1..count {
            assert_eq!(call("Orders(1)/Close").await, 404);
        }
        assert_eq!(call("Logout").await, 204);
    }
}

/// With one session, which is there before, nobody logs in while answers are cut: a session whose log-in is lost holds a
/// licence that no client can give back.
fn lose_no_login(setup: &mut Setup, faults: &Faults) {
    if faults.cut_body_every > 0 {
        setup.sessions = 1;
    }
}

async fn found_again(world: &World) -> usize {
    world.entities().await.iter().filter(|entity| entity.note.contains(FOUND)).count()
}

fn lost_batches() -> Vec<Faults> {
    let mut all = Vec::new();
    for every in 2..=5 {
        for parts in [0, 2] {
            let drops =
                Faults { drop_batch_after_commit_every: every, drop_batch_after_parts: parts, ..Faults::default() };
            all.push(drops);
        }
        all.push(Faults { slow_commit_every: every, slow_commit_ms: 200, ..Faults::default() });
        all.push(Faults { cut_body_every: every + 1, ..Faults::default() });
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_whose_answers_are_lost_make_each_order_once() {
    for root in ROOTS {
        let mut worlds = JoinSet::new();
        for (faults, contacts) in lost_batches().into_iter().zip([Contacts::Make, Contacts::Leave].into_iter().cycle())
        {
            worlds.spawn(async move {
                let mut setup = Setup::new(root, 12);
                setup.rules.requests.write_batch = 4;
                setup.contacts = contacts;
                lose_no_login(&mut setup, &faults);
                let world = World::start(setup).await;
                let what = format!("{root:?}, {faults:?}");
                world.run_through(faults).await;
                world.ends(&[(Success, 12)], &what).await;
                found_again(&world).await
            });
        }
        let found: usize = worlds.join_all().await.into_iter().sum();
        assert!(found > 10, "{root:?}: so many were made without an answer: {found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancellations_and_changes_whose_answers_are_lost() {
    for root in ROOTS {
        let mut worlds = JoinSet::new();
        for faults in lost_batches() {
            worlds.spawn(async move {
                let mut setup = Setup::new(root, 4);
                lose_no_login(&mut setup, &faults);
                let world = World::start(setup).await;
                world.run().await.unwrap();
                world.cancel(1);
                world.cancel(2);
                world.move_to(3, "Elsewhere");
                let what = format!("{root:?}, {faults:?}");
                world.run_through(faults).await;
                world.ends(&[(Success, 2), (Cancelled, 2)], &what).await;
                let moved = world.b1.document(&id(3)).unwrap().body["AddressExtension"]["BillToCity"].clone();
                assert_eq!(moved, "Elsewhere", "{what}");
                assert_eq!(world.b1.counters().cancelled, 2, "{what}");
                usize::from(world.most_attempts().await > 1)
            });
        }
        let again: usize = worlds.join_all().await.into_iter().sum();
        assert!(again > 5, "{root:?}: in so many runs a cancellation or change was looked up again: {again}");
    }
}

/// Where an answer without content is not given, what an approval procedure takes is posted alone, since a change set takes its
/// draft back; so is what was refused in a
/// batch for a reason that may be an approval.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_posted_alone_whose_answers_are_lost_are_made_once() {
    let alone = Faults { slow_commit_ms: 200, ignore_no_content: true, ..Faults::default() };
    for root in ROOTS {
        for faults in [
            Faults { drop_after_commit_every: 1, ..alone.clone() },
            Faults { drop_after_commit_every: 2, ..alone.clone() },
            // Batches lose theirs too, so it is the ninth of either: more than there are batches before it.
            Faults { slow_commit_every: 9, ..alone.clone() },
        ] {
            let what = format!("{root:?}, {faults:?}");
            let world = small(root, 6).await;
            world.faults(Faults { approval_numbers: [id(2), id(5)].into(), ..faults.clone() });
            world.call_alone(faults.slow_commit_every).await;
            world.run().await.unwrap();
            world.ends(&[(Success, 6)], &what).await;
            let counters = world.b1.counters();
            assert_eq!((counters.documents, counters.drafts), (4, 2), "{what}");
            assert!(found_again(&world).await > 0, "{what}: none was made without an answer");

            // The third is refused in the batch and taken alone.
            let world = small(root, 3).await;
            let drop_after_commit_every = faults.drop_after_commit_every.min(1);
            world.faults(Faults { refuse_order_every: 3, drop_after_commit_every, ..faults.clone() });
            world.call_alone(faults.slow_commit_every).await;
            world.run().await.unwrap();
            world.ends(&[(Success, 3)], &what).await;
            assert_eq!(found_again(&world).await, 1, "{what}");
        }
    }
}

/// A world whose runs take few calls.
async fn small(root: Root, orders: u64) -> World {
    World::start(Setup { contacts: Contacts::Leave, ..Setup::new(root, orders) }).await
}
