//! One order becomes one document: the rules, the header, the lines, the totals.

use datawald_core::model::Order;
use datawald_core::{Cx, Result};

use crate::{AddressRole, Backoffice, Mapped, NativeOrder, OrderTerms, Reference};

/// What an order became.
pub(super) enum Document {
    /// A document, ready to be inserted.
    Ready(NativeOrder),
    /// Nothing is to be written.
    Ignore(String),
}

/// Runs the mapping steps of one order, in their order.
pub(super) async fn document(
    backoffice: &dyn Backoffice,
    cx: &Cx,
    order: &Order,
    reference: Reference,
    mark: String,
    customer_code: String,
) -> Result<Document> {
    let terms = OrderTerms {
        customer_code,
        due_date: backoffice.due_date(cx, order).await?,
        freight: backoffice.freight(cx, order).await?,
        discount_percent: backoffice.discount_percent(cx, order).await?,
        transport: backoffice.transport(cx, order).await?,
        payment: backoffice.payment(cx, order).await?,
        billto: backoffice.address(cx, order, AddressRole::BillTo).await?,
        shipto: backoffice.address(cx, order, AddressRole::ShipTo).await?,
        reference,
        mark,
    };
    let mut doc = match backoffice.map_order(cx, order, &terms).await? {
        Mapped::Ready(doc) => doc,
        Mapped::Ignore(reason) => return Ok(Document::Ignore(reason)),
    };
    doc.reference.clone_from(&terms.reference.value);
    backoffice.extend_order(cx, order, &mut doc).await?;
    for (place, item) in order.items.iter().enumerate() {
        let line = async {
            let tax = backoffice.line_tax(cx, order, item).await?;
            let mut line = backoffice.map_line(cx, order, item, &tax).await?;
            backoffice.extend_line(cx, order, item, &mut line).await?;
            Ok(line)
        };
        let line: Result<_> = line.await;
        doc.lines.push(line.map_err(|error| match error.field_path().map(str::to_owned) {
            // A step knows its line by its fields only; which of the order's lines it is, is known here.
            Some(field) if field.starts_with("items[") => error,
            Some(field) => error.field(format!("items[{place}].{field}")),
            None => error.field(format!("items[{place}]")),
        })?);
    }
    backoffice.reconcile_order(cx, order, &mut doc).await?;
    Ok(Document::Ready(doc))
}
