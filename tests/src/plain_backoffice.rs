//! A backoffice in memory, every step of it plain.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use datawald_backoffice::{
    AddressRole, Backoffice, Found, FoundDocument, Freight, LineTax, Mapped, NativeAddress, NativeLine, NativeOrder,
    OrderTerms, Reference, Totals, Unsupported,
};
use datawald_core::model::{Order, OrderItem};
use datawald_core::{Cx, Result};
use jiff::civil::{Date, date};
use rust_decimal::Decimal;

/// A backoffice that keeps documents in memory and makes a second one of an order that is inserted twice.
#[derive(Debug, Default)]
pub struct PlainBackoffice {
    documents: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    reference: String,
    doc: NativeOrder,
    cancelled: bool,
}

impl PlainBackoffice {
    /// How many documents stand for each reference.
    pub fn standing(&self) -> BTreeMap<String, usize> {
        let mut standing = BTreeMap::new();
        for kept in self.kept().iter().filter(|kept| !kept.cancelled) {
            *standing.entry(kept.reference.clone()).or_default() += 1;
        }
        standing
    }

    /// The documents in the order that they came.
    pub fn documents(&self) -> Vec<NativeOrder> {
        self.kept().iter().map(|kept| kept.doc.clone()).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Backoffice for PlainBackoffice {
    fn base(&self) -> &dyn Backoffice {
        &Unsupported
    }

    fn settings_digest(&self) -> Option<String> {
        None
    }

    async fn order_reference(&self, _: &Cx, order: &Order) -> Result<Reference> {
        Ok(Reference { field: None, value: order.fe_order_id.clone() })
    }

    async fn look_up_orders(&self, _: &Cx, references: &[Reference]) -> Result<Vec<Found>> {
        let kept = self.kept();
        let shown = |target_id: &str| {
            let kept = target_id.parse::<usize>().ok().and_then(|at| kept.get(at));
            let total = kept.and_then(|kept| Some(kept.doc.totals.as_ref()?.document));
            FoundDocument { target_id: target_id.to_owned(), total, ..FoundDocument::default() }
        };
        let find = |reference: &Reference| {
            let mine = || kept.iter().enumerate().filter(|(_, kept)| kept.reference == reference.value);
            let standing: Vec<_> = mine().filter(|(_, kept)| !kept.cancelled).map(|(at, _)| at.to_string()).collect();
            match (standing.as_slice(), mine().next()) {
                ([], None) => Found::Missing,
                ([], Some((at, _))) => Found::Cancelled(shown(&at.to_string())),
                ([target_id], _) => Found::Open(shown(target_id)),
                _ => Found::Several { target_ids: standing },
            }
        };
        Ok(references.iter().map(find).collect())
    }

    async fn customer_codes(&self, _: &Cx, orders: &[&Order]) -> Result<Vec<Result<String>>> {
        Ok(orders.iter().map(|_| Ok("C20000".to_owned())).collect())
    }

    async fn due_date(&self, _: &Cx, _: &Order) -> Result<Date> {
        Ok(date(2026, 1, 31))
    }

    async fn freight(&self, _: &Cx, _: &Order) -> Result<Freight> {
        Ok(Freight::None)
    }

    async fn discount_percent(&self, _: &Cx, _: &Order) -> Result<Decimal> {
        Ok(Decimal::ZERO)
    }

    async fn transport(&self, _: &Cx, _: &Order) -> Result<Option<String>> {
        Ok(None)
    }

    async fn payment(&self, _: &Cx, _: &Order) -> Result<Option<String>> {
        Ok(None)
    }

    async fn address(&self, _: &Cx, _: &Order, _: AddressRole) -> Result<NativeAddress> {
        Ok(NativeAddress::default())
    }

    async fn map_order(&self, _: &Cx, _: &Order, terms: &OrderTerms) -> Result<Mapped> {
        let mut doc = NativeOrder::default();
        doc.set("CardCode", terms.customer_code.clone());
        Ok(Mapped::Ready(doc))
    }

    async fn extend_order(&self, _: &Cx, _: &Order, _: &mut NativeOrder) -> Result<()> {
        Ok(())
    }

    async fn line_tax(&self, _: &Cx, _: &Order, _: &OrderItem) -> Result<LineTax> {
        Ok(LineTax::default())
    }

    async fn map_line(&self, _: &Cx, _: &Order, item: &OrderItem, _: &LineTax) -> Result<NativeLine> {
        let mut line = NativeLine::default();
        line.set("ItemCode", item.sku.clone());
        Ok(line)
    }

    async fn extend_line(&self, _: &Cx, _: &Order, _: &OrderItem, _: &mut NativeLine) -> Result<()> {
        Ok(())
    }

    async fn reconcile_order(&self, _: &Cx, order: &Order, doc: &mut NativeOrder) -> Result<()> {
        doc.totals = Some(Totals { document: order.grand_total, charged: order.grand_total });
        Ok(())
    }

    async fn recognize_order(&self, _: &Cx, _: &Order, made: &NativeOrder, found: &FoundDocument) -> Result<bool> {
        Ok(made.totals.as_ref().map(|totals| totals.document) == found.total)
    }

    async fn insert_orders(&self, _: &Cx, docs: &[NativeOrder]) -> Result<Vec<Result<String>>> {
        let mut kept = self.kept();
        let mut insert = |doc: &NativeOrder| {
            kept.push(Kept { reference: doc.reference.clone(), doc: doc.clone(), cancelled: false });
            Ok((kept.len() - 1).to_string())
        };
        Ok(docs.iter().map(&mut insert).collect())
    }

    async fn update_orders(&self, _: &Cx, orders: &[(&Order, &str)]) -> Result<Vec<Result<String>>> {
        Ok(orders.iter().map(|_| Ok("updated".to_owned())).collect())
    }

    async fn cancel_orders(&self, _: &Cx, orders: &[(&Reference, &str)]) -> Result<Vec<Result<String>>> {
        let mut kept = self.kept();
        let mut cancel = |(reference, _): &(&Reference, &str)| {
            kept.iter_mut().filter(|kept| kept.reference == reference.value).for_each(|kept| kept.cancelled = true);
            Ok("cancelled".to_owned())
        };
        Ok(orders.iter().map(&mut cancel).collect())
    }
}
