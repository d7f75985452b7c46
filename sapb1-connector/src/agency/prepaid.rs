//! What was paid by gift card, store credit and reward points.

use datawald_backoffice::NativeOrder;
use datawald_core::Result;
use datawald_core::model::{Money, Order};

use super::header::rejected;
use super::places::Places;
use super::reconcile::add_note;
use crate::B1Settings;
use crate::settings::PrepaidRule;

/// What the document must come to: the grand total, and what the shop has taken off it as paid already.
pub(super) fn charged(settings: &B1Settings, order: &Order, doc: &mut NativeOrder) -> Result<Money> {
    let places = Places::of(settings, &order.currency);
    let mut charged = places.round(order.grand_total);
    let mut paid = Vec::new();
    for (field, what, amount) in kinds(order) {
        charged = charged.saturating_add(places.round(amount));
        paid.push((field, format!("{} {}", places.text(amount), order.currency), what));
    }
    let Some((field, first, what)) = paid.first() else { return Ok(charged) };
    let rest: String = paid.iter().skip(1).map(|(_, amount, what)| format!(", {amount} by {what}")).collect();
    match settings.prepaid {
        PrepaidRule::Reject => {
            let message = format!(
                "{first} was paid by {what}{rest}, which a SAP B1 order does not show: enter the order by hand, or set \
                 `prepaid = \"payment\"` to write the whole total and book what was paid so as a payment"
            );
            Err(rejected("reconcile order", order, field, message))
        }
        PrepaidRule::Payment => {
            add_note(doc, &format!("{first} of it was paid by {what}{rest}: book it as a payment"));
            Ok(charged)
        }
    }
}

/// The ways that were used: field, name and amount.
fn kinds(order: &Order) -> impl Iterator<Item = (&'static str, &'static str, Money)> {
    let kinds = [
        ("giftcard_amt", "gift card", order.giftcard_amt.abs()),
        ("storecredit_amt", "store credit", order.storecredit_amt.abs()),
        ("points_amt", "reward points", order.points_amt.abs()),
    ];
    kinds.into_iter().filter(|(_, _, amount)| !amount.is_zero())
}
