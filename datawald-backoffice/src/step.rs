//! The steps of the ERP side.

use async_trait::async_trait;
use datawald_core::model::{Order, OrderItem};
use datawald_core::{Cx, Result};
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::{
    AddressRole, Found, FoundDocument, Freight, LineTax, Mapped, NativeAddress, NativeLine, NativeOrder, OrderTerms,
    Reference,
};

/// The steps of the ERP side, each one thing. Every step forwards to [`Backoffice::base`] unless it is overridden.
///
/// **A step never calls another step of `self`.** The flows do that, on the outermost object, so that an override at any
/// depth is what runs. `self.base().step(…)` is what `super` is elsewhere.
#[async_trait]
pub trait Backoffice: Send + Sync {
    /// What this one inherits from: an agency, another agent, or [`crate::Unsupported`].
    fn base(&self) -> &dyn Backoffice;

    /// What tells the settings of this side from others; see [`datawald_core::engine::Target::settings_digest`]. An agent with
    /// settings of its own adds them to its base's.
    fn settings_digest(&self) -> Option<String> {
        self.base().settings_digest()
    }

    /// Where the frontend's order number goes; look-ups use the same.
    ///
    /// It is kept with the order before that is first written; from then on this step is not asked.
    async fn order_reference(&self, cx: &Cx, order: &Order) -> Result<Reference> {
        self.base().order_reference(cx, order).await
    }

    /// Looks orders up by their references; answers one [`Found`] per reference, in order, in as few requests as
    /// the other side allows.
    async fn look_up_orders(&self, cx: &Cx, references: &[Reference]) -> Result<Vec<Found>> {
        self.base().look_up_orders(cx, references).await
    }

    /// The customers' codes; one result per order, in order.
    async fn customer_codes(&self, cx: &Cx, orders: &[&Order]) -> Result<Vec<Result<String>>> {
        self.base().customer_codes(cx, orders).await
    }

    /// When the order is due.
    async fn due_date(&self, cx: &Cx, order: &Order) -> Result<Date> {
        self.base().due_date(cx, order).await
    }

    /// How freight is charged.
    async fn freight(&self, cx: &Cx, order: &Order) -> Result<Freight> {
        self.base().freight(cx, order).await
    }

    /// The document discount, in percent of the lines.
    async fn discount_percent(&self, cx: &Cx, order: &Order) -> Result<Decimal> {
        self.base().discount_percent(cx, order).await
    }

    /// The ERP's name for the way of transport.
    async fn transport(&self, cx: &Cx, order: &Order) -> Result<Option<String>> {
        self.base().transport(cx, order).await
    }

    /// The ERP's code for the way of payment.
    async fn payment(&self, cx: &Cx, order: &Order) -> Result<Option<String>> {
        self.base().payment(cx, order).await
    }

    /// An address as the ERP divides it.
    async fn address(&self, cx: &Cx, order: &Order, role: AddressRole) -> Result<NativeAddress> {
        self.base().address(cx, order, role).await
    }

    /// Writes the header in the ERP's own words; the flow adds the lines.
    async fn map_order(&self, cx: &Cx, order: &Order, terms: &OrderTerms) -> Result<Mapped> {
        self.base().map_order(cx, order, terms).await
    }

    /// Extends the header.
    async fn extend_order(&self, cx: &Cx, order: &Order, doc: &mut NativeOrder) -> Result<()> {
        self.base().extend_order(cx, order, doc).await
    }

    /// The tax of a line.
    async fn line_tax(&self, cx: &Cx, order: &Order, item: &OrderItem) -> Result<LineTax> {
        self.base().line_tax(cx, order, item).await
    }

    /// Writes a line in the ERP's own words.
    async fn map_line(&self, cx: &Cx, order: &Order, item: &OrderItem, tax: &LineTax) -> Result<NativeLine> {
        self.base().map_line(cx, order, item, tax).await
    }

    /// Extends a line.
    async fn extend_line(&self, cx: &Cx, order: &Order, item: &OrderItem, line: &mut NativeLine) -> Result<()> {
        self.base().extend_line(cx, order, item, line).await
    }

    /// Computes what the ERP will make of the whole document and sets its totals; an error of disposition `Rejected` if
    /// that is not what the customer was charged.
    async fn reconcile_order(&self, cx: &Cx, order: &Order, doc: &mut NativeOrder) -> Result<()> {
        self.base().reconcile_order(cx, order, doc).await
    }

    /// Whether a document that was found under an order's reference is this order's, though it bears no mark: it agrees in
    /// what matters with the document that would be made of the order now. What the ERP does not tell of it agrees with
    /// nothing.
    async fn recognize_order(&self, cx: &Cx, order: &Order, made: &NativeOrder, found: &FoundDocument) -> Result<bool> {
        self.base().recognize_order(cx, order, made, found).await
    }

    /// Inserts documents; answers the key or the failure of each, in order. An error of the whole concerns each.
    async fn insert_orders(&self, cx: &Cx, docs: &[NativeOrder]) -> Result<Vec<Result<String>>> {
        self.base().insert_orders(cx, docs).await
    }

    /// Brings documents that are there already up to date; answers a remark or the failure of each, in order.
    async fn update_orders(&self, cx: &Cx, orders: &[(&Order, &str)]) -> Result<Vec<Result<String>>> {
        self.base().update_orders(cx, orders).await
    }

    /// Cancels documents by reference and key; answers a remark or the failure of each, in order.
    async fn cancel_orders(&self, cx: &Cx, orders: &[(&Reference, &str)]) -> Result<Vec<Result<String>>> {
        self.base().cancel_orders(cx, orders).await
    }
}
