//! What is stored of an order before anything is written, so that whoever comes next knows its document by it.

use std::sync::Arc;
use std::time::Duration;

use datawald_backoffice::{Backoffice, Found, OrdersTarget};
use datawald_core::engine::{Applied, Done, Target};
use datawald_core::model::{Entity, EntityKey, Fingerprint, FlowId, Intent, Order, Table, TxStatus};
use datawald_core::store::{
    Claim, Claimed, Outcome, Push, Settled, Settlement, SqliteStore, StageEntity, StagingStore,
};
use datawald_core::{Cx, Disposition};
use jiff::{SignedDuration, Timestamp};

use crate::world::*;

/// One store of several shops, and its time.
struct Shops {
    store: Arc<SqliteStore>,
    now: Timestamp,
}

impl Shops {
    fn new() -> Self {
        Self { store: Arc::new(SqliteStore::in_memory().unwrap()), now: Timestamp::UNIX_EPOCH }
    }

    fn flow(shop: &str) -> FlowId {
        FlowId::new(Table::Orders, shop)
    }

    /// A shop hands its order 7 over.
    async fn push(&self, shop: &str, order: &Order, intent: Intent) {
        let doc = order.to_owned().to_document().unwrap().0;
        let entity = StageEntity {
            id: "7".into(),
            name: order.fe_order_id.clone(),
            intent,
            source_status: "processing".into(),
            source_updated_at: None,
            fingerprint: Fingerprint::of(doc.as_bytes()),
            raw: String::new(),
            doc,
        };
        self.store.push(&Self::flow(shop), vec![Push { entity, if_rev: None }], self.now.into()).await.unwrap();
    }

    /// A worker takes it up, once nobody holds it any more.
    async fn claim(&mut self, shop: &str) -> Claimed {
        self.now += SignedDuration::from_hours(1);
        let minute = Duration::from_secs(60);
        let claim = Claim {
            flow: &Self::flow(shop),
            keys: None,
            limit: 1,
            owner: "worker",
            lease: minute,
            settle_delay: minute,
            now: self.now.into(),
        };
        self.store.claim(claim).await.unwrap().remove(0)
    }

    async fn apply(&self, erp: &Arc<Erp>, claimed: &Claimed) -> Applied {
        let cx = Cx::new(claimed.key.flow()).with_store(self.store.clone());
        let target = OrdersTarget::new(erp.clone() as Arc<dyn Backoffice>);
        target.apply(&cx, std::slice::from_ref(claimed)).await.remove(0)
    }

    async fn settle(&self, claimed: &Claimed, outcome: Outcome) -> Settled {
        let Claimed { key, token, rev, .. } = claimed.clone();
        let settlement = Settlement { key, token, rev, reference: None, outcome };
        self.store.settle(self.now.into(), vec![settlement]).await.unwrap().remove(0)
    }

    async fn entity(&self, shop: &str) -> Entity {
        self.store.get(&EntityKey::new(&Self::flow(shop), "7")).await.unwrap().unwrap()
    }
}

fn note(applied: &Applied) -> String {
    let error = applied.result.as_ref().unwrap_err();
    assert_eq!(error.disposition(), Disposition::Rejected, "{error}");
    error.note()
}

#[tokio::test]
async fn an_order_is_looked_up_as_it_was_sent_though_its_worker_was_killed_and_the_rules_are_others() {
    let mut shops = Shops::new();
    shops.push("mage2", &order("10.00"), Intent::Apply).await;
    let claimed = shops.claim("mage2").await;
    let erp = Erp::new("S-");
    shops.apply(&erp, &claimed).await;
    assert_eq!(erp.asked(), ["look up S-000000007", "insert S-000000007 of mage2/7"]);
    // Killed before the outcome was settled.
    let claimed = shops.claim("mage2").await;
    let erp = Erp::new("NEW-");
    erp.find("S-000000007", Found::Open(document("900", "10.00")));
    let applied = shops.apply(&erp, &claimed).await;
    assert_eq!(erp.asked(), ["look up S-000000007"]);
    assert!(
        matches!(&applied.result, Ok(Done::Applied { target_id, .. }) if target_id == "900"),
        "{:?}",
        applied.result
    );
}

/// Nothing was sent: the rules of today apply.
#[tokio::test]
async fn an_order_that_was_never_sent_has_no_reference_yet() {
    let mut shops = Shops::new();
    let mut unmappable = order("10.00");
    unmappable.coupon_code = Some("cannot be mapped".into());
    shops.push("mage2", &unmappable, Intent::Apply).await;
    let claimed = shops.claim("mage2").await;
    assert!(note(&shops.apply(&Erp::new("S-"), &claimed).await).contains("cannot be mapped"));
    assert_eq!(shops.entity("mage2").await.reference, None);
}

#[tokio::test]
async fn a_document_that_two_orders_agree_with_is_the_firsts() {
    for intent in intents() {
        let mut shops = Shops::new();
        let erp = Erp::new("");
        shops.push("mage2", &order("10.00"), Intent::Apply).await;
        shops.push("mage3", &order("10.00"), Intent::Apply).await;
        let first = shops.claim("mage2").await;
        let applied = shops.apply(&erp, &first).await;
        let Ok(Done::Applied { target_id, note: inserted }) = applied.result else { panic!("{:?}", applied.result) };
        shops.settle(&first, Outcome::Success { target_id, note: inserted }).await;
        erp.find(NUMBER, Found::Open(document("900", "10.00")));
        erp.asked();
        // The other shop's order has the same number, total and customer.
        let second = Claimed { intent: intent.clone(), ..shops.claim("mage3").await };
        let refused = note(&shops.apply(&erp, &second).await);
        assert!(refused.contains("900") && refused.contains("order 7 of mage2"), "{intent:?}: {refused}");
        assert_eq!(erp.asked(), ["look up 000000007"], "{intent:?}");
        assert_eq!(shops.entity("mage3").await.target_id, None);
    }
}

/// An open document cannot follow a total. Somebody does what the note asks for.
#[tokio::test]
async fn a_document_that_was_recognized_stays_the_orders_whatever_it_comes_to() {
    let mut shops = Shops::new();
    let erp = Erp::new("S-");
    shops.push("mage2", &order("10.00"), Intent::Apply).await;
    let claimed = shops.claim("mage2").await;
    shops.apply(&erp, &claimed).await;
    let in_doubt = Outcome::InDoubt { until: shops.now, missed: false, note: "no answer".into() };
    shops.settle(&claimed, in_doubt).await;
    shops.push("mage2", &order("25.00"), Intent::Apply).await;
    let claimed = shops.claim("mage2").await;
    assert_eq!((claimed.rev, claimed.written, claimed.was), (2, Some(1), TxStatus::InDoubt));
    let written_docs = vec![order("10.00").to_document().unwrap().0];
    erp.find("S-000000007", Found::Open(document("540", "10.00")));
    let refused = note(&shops.apply(&erp, &Claimed { written_docs, ..claimed.clone() }).await);
    assert!(refused.contains("cannot follow by itself"), "{refused}");
    shops.settle(&claimed, Outcome::Failed { note: refused, class: "refused".to_owned() }).await;
    let failed = shops.entity("mage2").await;
    assert_eq!((failed.status, failed.target_id.as_deref()), (TxStatus::Failed, Some("540")));
    // Corrected, but for another customer by now.
    let corrected = datawald_backoffice::FoundDocument { customer: Some("C30000".into()), ..document("540", "25.00") };
    erp.find("S-000000007", Found::Open(corrected));
    assert!(shops.store.resync(&failed.key, shops.now.into()).await.unwrap());
    let claimed = shops.claim("mage2").await;
    let applied = shops.apply(&erp, &claimed).await;
    assert!(
        matches!(&applied.result, Ok(Done::Applied { target_id, .. }) if target_id == "540"),
        "{:?}",
        applied.result
    );
}
