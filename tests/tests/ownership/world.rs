//! An ERP that finds what it is told to find and writes down what is asked of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datawald_backoffice::{Backoffice, Found, FoundDocument, Mapped, NativeOrder, OrderTerms, OrdersTarget, Reference};
use datawald_core::engine::{Applied, Done, Target};
use datawald_core::model::{EntityKey, FlowId, Intent, Money, Order, OrderItem, Table, TxStatus};
use datawald_core::store::Claimed;
use datawald_core::{Checkpoint, Cx, Disposition, Error, Observer, Result};
use datawald_tests::PlainBackoffice;
use jiff::Timestamp;

/// The number of the order that most tests are about.
pub(crate) const NUMBER: &str = "000000007";

pub(crate) fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// A document of the customer `C20000` in US dollars, without a mark.
pub(crate) fn document(target_id: &str, total: &str) -> FoundDocument {
    FoundDocument {
        target_id: target_id.into(),
        total: Some(money(total)),
        currency: Some("USD".into()),
        customer: Some("C20000".into()),
        mark: None,
    }
}

pub(crate) fn marked(target_id: &str, total: &str, mark: &str) -> FoundDocument {
    FoundDocument { mark: Some(mark.into()), ..document(target_id, total) }
}

/// The ERP. Its references are the shop's numbers with a prefix before them.
pub(crate) struct Erp {
    plain: PlainBackoffice,
    prefix: &'static str,
    found: Mutex<BTreeMap<String, Found>>,
    /// What stands once a cancellation was refused; without it, none is.
    refuses_over: Mutex<Option<Found>>,
    asked: Mutex<Vec<String>>,
}

impl Erp {
    /// An ERP that holds nothing.
    pub(crate) fn new(prefix: &'static str) -> Arc<Self> {
        let (plain, found, refuses_over, asked) = Default::default();
        Arc::new(Self { plain, prefix, found, refuses_over, asked })
    }

    /// Has cancellations refused, and that stand when one was.
    pub(crate) fn refuse_over(&self, found: Found) {
        *self.refuses_over.lock().unwrap() = Some(found);
    }

    /// Has that stand under a reference.
    pub(crate) fn find(&self, reference: &str, found: Found) {
        self.found.lock().unwrap().insert(reference.to_owned(), found);
    }

    /// What it was asked so far; it forgets that.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

#[async_trait]
impl Backoffice for Erp {
    fn base(&self) -> &dyn Backoffice {
        &self.plain
    }

    async fn order_reference(&self, _: &Cx, order: &Order) -> Result<Reference> {
        Ok(Reference { field: None, value: format!("{}{}", self.prefix, order.fe_order_id) })
    }

    async fn look_up_orders(&self, _: &Cx, references: &[Reference]) -> Result<Vec<Found>> {
        let found = self.found.lock().unwrap();
        let values = references.iter().map(|reference| reference.value.as_str());
        values.clone().for_each(|value| self.note(format!("look up {value}")));
        Ok(values.map(|value| found.get(value).cloned().unwrap_or(Found::Missing)).collect())
    }

    async fn map_order(&self, cx: &Cx, order: &Order, terms: &OrderTerms) -> Result<Mapped> {
        if order.coupon_code.as_deref() == Some("cannot be mapped") {
            return Err(Error::mapping("map order", "cannot be mapped"));
        }
        let mut mapped = self.plain.map_order(cx, order, terms).await?;
        if let Mapped::Ready(doc) = &mut mapped {
            doc.set("Mark", terms.mark.as_str());
        }
        Ok(mapped)
    }

    async fn recognize_order(&self, _: &Cx, order: &Order, made: &NativeOrder, found: &FoundDocument) -> Result<bool> {
        Ok(made.totals.as_ref().map(|totals| totals.document) == found.total
            && found.currency.as_deref() == Some(&order.currency)
            && found.customer.as_deref() == made.get("CardCode").and_then(|code| code.as_str()))
    }

    async fn insert_orders(&self, _: &Cx, docs: &[NativeOrder]) -> Result<Vec<Result<String>>> {
        let insert = |doc: &NativeOrder| {
            let mark = doc.get("Mark").and_then(|mark| mark.as_str()).unwrap_or_default().to_owned();
            self.note(format!("insert {} of {mark}", doc.reference));
            Ok("900".to_owned())
        };
        Ok(docs.iter().map(insert).collect())
    }

    async fn update_orders(&self, _: &Cx, orders: &[(&Order, &str)]) -> Result<Vec<Result<String>>> {
        orders.iter().for_each(|(_, key)| self.note(format!("update {key}")));
        Ok(orders.iter().map(|_| Ok("updated".to_owned())).collect())
    }

    async fn cancel_orders(&self, _: &Cx, orders: &[(&Reference, &str)]) -> Result<Vec<Result<String>>> {
        orders.iter().for_each(|(reference, key)| self.note(format!("cancel {key} under {}", reference.value)));
        if let Some(stands) = &*self.refuses_over.lock().unwrap() {
            orders.iter().for_each(|(reference, _)| self.find(&reference.value, stands.clone()));
            return Ok(orders.iter().map(|_| Err(Error::refused("cancel", "this is not possible"))).collect());
        }
        Ok(orders.iter().map(|_| Ok("cancelled".to_owned())).collect())
    }
}

/// An order of the source record 7 that comes to so much.
pub(crate) fn order(total: &str) -> Order {
    Order {
        frontend: "mage2".into(),
        fe_order_id: NUMBER.into(),
        currency: "USD".into(),
        grand_total: money(total),
        items: vec![OrderItem { sku: "SKU-1".into(), qty: money("1"), price: money(total), ..OrderItem::default() }],
        ..Order::default()
    }
}

/// The order as a worker takes it up for the first time.
pub(crate) fn claimed(order: &Order, intent: Intent) -> Claimed {
    Claimed {
        written_docs: Vec::new(),
        key: EntityKey::new(&flow(), "7"),
        name: order.fe_order_id.clone(),
        token: 1,
        rev: 1,
        intent,
        doc: order.to_owned().to_document().unwrap().0,
        target_id: None,
        reference: None,
        written: None,
        missed: false,
        attempts: 1,
        lost_leases: 0,
        was: TxStatus::New,
        lease_until: Timestamp::UNIX_EPOCH,
    }
}

/// The order after a write without an answer.
pub(crate) fn in_doubt(order: &Order, intent: Intent) -> Claimed {
    Claimed { was: TxStatus::InDoubt, written: Some(1), attempts: 2, ..claimed(order, intent) }
}

/// The order in its second version, of which the first was written as document 540.
pub(crate) fn changed(order: &Order, intent: Intent) -> Claimed {
    Claimed {
        rev: 2,
        written: Some(1),
        target_id: Some("540".into()),
        reference: Some(stored(&format!("S-{NUMBER}"))),
        ..claimed(order, intent)
    }
}

/// A reference as it is stored.
pub(crate) fn stored(value: &str) -> String {
    serde_json::to_string(&Reference { field: None, value: value.into() }).unwrap()
}

fn flow() -> FlowId {
    FlowId::new(Table::Orders, "mage2")
}

/// What became of one order, and what the ERP was asked.
pub(crate) struct Outcome {
    pub(crate) result: Result<Done>,
    pub(crate) reference: Option<String>,
    pub(crate) asked: Vec<String>,
    pub(crate) reached: Vec<Checkpoint>,
}

impl Outcome {
    /// The key that it is applied under.
    pub(crate) fn applied(&self) -> &str {
        match &self.result {
            Ok(Done::Applied { target_id, .. }) => target_id,
            other => panic!("{other:?}"),
        }
    }

    /// Why it failed for good.
    pub(crate) fn refusal(&self) -> String {
        let error = self.result.as_ref().unwrap_err();
        assert_eq!(error.disposition(), Disposition::Rejected, "{error}");
        error.note()
    }

    /// What was written.
    pub(crate) fn writes(&self) -> Vec<&str> {
        self.asked.iter().map(String::as_str).filter(|asked| !asked.starts_with("look up")).collect()
    }
}

#[derive(Default)]
struct Reached(Mutex<Vec<Checkpoint>>);

impl Observer for Reached {
    fn reached(&self, point: Checkpoint, _: &FlowId) {
        self.0.lock().unwrap().push(point);
    }
}

/// Applies a batch to an ERP where that stands under the order's reference.
pub(crate) async fn apply_all(found: Found, batch: &[Claimed]) -> Vec<Outcome> {
    let erp = Erp::new("S-");
    erp.find(&format!("S-{NUMBER}"), found);
    apply_to(&erp, batch).await
}

pub(crate) async fn apply_to(erp: &Arc<Erp>, batch: &[Claimed]) -> Vec<Outcome> {
    let reached = Arc::new(Reached::default());
    let cx = Cx::new(flow()).with_observer(Some(reached.clone() as Arc<dyn Observer>));
    let applied = OrdersTarget::new(erp.clone() as Arc<dyn Backoffice>).apply(&cx, batch).await;
    assert_eq!(applied.len(), batch.len());
    let outcome = |Applied { result, reference }| Outcome {
        result,
        reference,
        asked: erp.asked.lock().unwrap().clone(),
        reached: reached.0.lock().unwrap().clone(),
    };
    applied.into_iter().map(outcome).collect()
}

pub(crate) async fn apply(found: Found, claimed: Claimed) -> Outcome {
    apply_all(found, &[claimed]).await.remove(0)
}

/// Every intent with which an order may be taken up.
pub(crate) fn intents() -> [Intent; 4] {
    [Intent::Apply, Intent::Cancel, Intent::Ignore("is on hold".into()), Intent::Reject("is given up".into())]
}
