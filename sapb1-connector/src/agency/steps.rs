//! The steps; each rule stands in a plain function beside this file.

use async_trait::async_trait;
use datawald_backoffice::{
    AddressRole, Backoffice, Found, FoundDocument, Freight, LineTax, Mapped, NativeAddress, NativeLine, NativeOrder,
    OrderTerms, Reference,
};
use datawald_core::model::{Order, OrderItem};
use datawald_core::{Cx, Error, Result};
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::{B1Agency, address, customer, header, lines, outcome, reconcile, tax};
use crate::settings::ChangeRule;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Backoffice for B1Agency {
    /// The end of the chain.
    fn base(&self) -> &dyn Backoffice {
        &self.end
    }

    /// Of all settings, and of what the way into SAP B1 can do.
    fn settings_digest(&self) -> Option<String> {
        Some(self.settings.digest(&self.api.capabilities()))
    }

    /// The frontend's prefix and the shop's number, in the configured user-defined field or in `NumAtCard`.
    ///
    /// # Errors
    /// Rejected for a number that is empty, too long for the field, or holds blanks at its ends or control characters.
    async fn order_reference(&self, _: &Cx, order: &Order) -> Result<Reference> {
        header::reference(&self.settings, order)
    }

    /// No document: missing. One that stands, open or closed: open. None but cancelled ones: cancelled, by the newest.
    /// More than one that stands: several, and somebody must decide.
    async fn look_up_orders(&self, cx: &Cx, references: &[Reference]) -> Result<Vec<Found>> {
        let found = self.api.look_up(cx, references).await?;
        Ok(found.into_iter().map(outcome::found).collect())
    }

    /// By the bill-to email, in the table and then, if configured, in SAP B1, where the customer may be made; else by
    /// customer group, else the default.
    ///
    /// # Errors
    /// Rejected per order if none of them has a code. Retryable if SAP B1 cannot be asked.
    async fn customer_codes(&self, cx: &Cx, orders: &[&Order]) -> Result<Vec<Result<String>>> {
        customer::codes(&self.settings, &*self.api, cx, orders).await
    }

    /// Today (UTC) and the configured days.
    async fn due_date(&self, cx: &Cx, _: &Order) -> Result<Date> {
        header::due_date(&self.settings, cx.now())
    }

    /// An expense or a line, as configured, of what freight costs after its discount; its tax by the tax table.
    ///
    /// # Errors
    /// Rejected if freight was charged and neither is configured, or if no code gives its tax.
    async fn freight(&self, _: &Cx, order: &Order) -> Result<Freight> {
        // An order that cannot be written for its currency fails for that, and not for a tax that fits no code.
        tax::freight(&self.settings, order).map_err(|error| {
            header::check_currency(&self.settings, &self.api.capabilities(), order).err().unwrap_or(error)
        })
    }

    /// |discount on the lines| / subtotal × 100, to six decimals as SAP B1 holds it; nothing if discounts go off the lines.
    ///
    /// # Errors
    /// Rejected for a discount that is larger than what it is taken off.
    async fn discount_percent(&self, _: &Cx, order: &Order) -> Result<Decimal> {
        header::discount_percent(&self.settings, order)
    }

    /// From the map: the exact shipping method, then the longest key that is part of it, then the default.
    async fn transport(&self, _: &Cx, order: &Order) -> Result<Option<String>> {
        Ok(self.settings.transport.get(&order.shipment_method).map(str::to_owned))
    }

    /// From the map, likewise, by payment method.
    async fn payment(&self, _: &Cx, order: &Order) -> Result<Option<String>> {
        Ok(self.settings.payment.get(&order.payment_method).map(str::to_owned))
    }

    /// The region is the state in the configured countries and the county elsewhere.
    ///
    /// # Errors
    /// Rejected for control characters, which SAP B1's interfaces do not take.
    async fn address(&self, _: &Cx, order: &Order, role: AddressRole) -> Result<NativeAddress> {
        address::address(&self.settings, order, role)
    }

    /// The header in SAP's field names (see [`crate::fields`]); freight that is a line comes as the first line. Texts
    /// that the way in cuts are told in the note.
    ///
    /// # Errors
    /// Rejected for an order in another currency than the company's, if the way in makes none such.
    async fn map_order(&self, _: &Cx, order: &Order, terms: &OrderTerms) -> Result<Mapped> {
        header::map_order(&self.settings, &self.api.capabilities(), order, terms).map(Mapped::Ready)
    }

    /// Nothing; for agents.
    async fn extend_order(&self, _: &Cx, _: &Order, _: &mut NativeOrder) -> Result<()> {
        Ok(())
    }

    /// The code whose rate gives the line's tax within rounding and whose area holds the configured address; else, for
    /// a line without tax, the exempt code.
    ///
    /// # Errors
    /// Rejected, naming line, tax and area, and what to add to the tax table.
    async fn line_tax(&self, _: &Cx, order: &Order, item: &OrderItem) -> Result<LineTax> {
        tax::line_tax(&self.settings, order, item)
    }

    /// Item code = SKU, quantity, unit price, tax code, line total (which decides over the price).
    ///
    /// # Errors
    /// Rejected for a SKU that is empty, longer than 50 characters or holds control characters, and for a quantity that
    /// is not above zero.
    async fn map_line(&self, _: &Cx, order: &Order, item: &OrderItem, tax: &LineTax) -> Result<NativeLine> {
        lines::map_line(&self.settings, order, item, tax)
    }

    /// Nothing; for agents.
    async fn extend_line(&self, _: &Cx, _: &Order, _: &OrderItem, _: &mut NativeLine) -> Result<()> {
        Ok(())
    }

    /// Computes in decimals what SAP B1 will make of the document as it now stands, and compares it with what the
    /// customer was charged.
    ///
    /// The sum of the lines; less the document discount; tax on the discounted lines by the rates that SAP B1 itself has for
    /// the codes, rounded per code or per line as configured; freight, and its tax. Each is rounded to the decimals that the
    /// currency has, by ISO 4217 or as configured. What was paid by gift card, store credit or points is part of the total.
    /// Tax, document discount and goods must be the order's, too, so that no part makes up for another.
    ///
    /// No field tells the rate on freight, and a line may be so little that the shop has no tax on it, whatever its rate. Where
    /// the totals differ with the likeliest code, the others that give that tax within rounding are tried; the first with
    /// which all is equal is taken.
    ///
    /// # Errors
    /// Rejected for a total of more decimals than its currency has. Rejected, with both totals and the likely cause, unless the settings put up with the difference. Rejected for
    /// names and codes that SAP B1 does not have. Retryable if SAP B1 cannot be asked for its codes.
    ///
    /// No order is rejected by names, codes and rates that were asked for long ago: they are asked for anew first, once a
    /// minute at most.
    async fn reconcile_order(&self, cx: &Cx, order: &Order, doc: &mut NativeOrder) -> Result<()> {
        let codes = self.api.codes(cx).await?;
        let before = doc.clone();
        let Err(error) = reconcile::reconcile(&self.settings, &self.api.capabilities(), &codes, order, doc) else {
            return Ok(());
        };
        let newer = self.api.codes_anew(cx).await?;
        if newer == codes {
            return Err(error);
        }
        *doc = before;
        reconcile::reconcile(&self.settings, &self.api.capabilities(), &newer, order, doc)
    }

    /// Its total is the one that SAP B1 would come to; its currency and customer are those that would be written.
    async fn recognize_order(&self, _: &Cx, _: &Order, made: &NativeOrder, found: &FoundDocument) -> Result<bool> {
        Ok(outcome::agrees(made, found))
    }

    /// As many in one call as configured, an outcome each.
    async fn insert_orders(&self, cx: &Cx, docs: &[NativeOrder]) -> Result<Vec<Result<String>>> {
        self.api.insert(cx, docs).await
    }

    /// The addresses of a document that is still open, if configured and if the way in can; else nothing. The remark tells
    /// which.
    ///
    /// # Errors
    /// Per order, as [`Backoffice::address`] and as writing.
    async fn update_orders(&self, cx: &Cx, orders: &[(&Order, &str)]) -> Result<Vec<Result<String>>> {
        if self.settings.changes == ChangeRule::Leave || !self.api.capabilities().updates {
            return Ok(orders.iter().map(|(_, key)| Ok(outcome::already_there(key))).collect());
        }
        let docs: Vec<Result<(&str, NativeOrder)>> =
            orders.iter().map(|(order, key)| Ok((*key, address::changed(&self.settings, order)?))).collect();
        let changes: Vec<(&str, NativeOrder)> = docs.iter().flatten().cloned().collect();
        let mut changed = self.api.change(cx, &changes).await?.into_iter();
        let outcome = |doc: Result<(&str, NativeOrder)>| {
            let (key, _) = doc?;
            match changed.next() {
                Some(changed) => changed.map(|changed| outcome::changed(key, changed)),
                None => {
                    Err(Error::config("update orders", "the way in answered for fewer orders than it was asked for"))
                }
            }
        };
        Ok(docs.into_iter().map(outcome).collect())
    }

    /// Cancels by number or key. What SAP B1 refuses is rejected; an answer that does not come leaves it uncertain.
    async fn cancel_orders(&self, cx: &Cx, orders: &[(&Reference, &str)]) -> Result<Vec<Result<String>>> {
        let results = self.api.cancel(cx, orders).await?;
        Ok(orders.iter().zip(results).map(|((_, key), result)| Ok(outcome::cancelled(key, &result?))).collect())
    }
}
