//! The canonical order of a Magento order.

use datawald_core::model::{Addresses, Order, OrderItem};
use datawald_core::{Error, Result};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::doc::{ExtensionDoc, OrderDoc, ShippingDoc};
use super::leaf::{self, Leaf, Wrong};
use super::settings::OrderSettings;
use super::{address, doc, freight, identify, lines};
use crate::client::parse_time;

/// Maps the text of an order.
pub(super) fn map(frontend: &str, text: &str, settings: &OrderSettings) -> Result<Order> {
    let doc = doc::read(text).map_err(|error| error.or_entity(|| identify::name(text, settings)))?;
    order(frontend, &doc, settings).map_err(|wrong| {
        let message =
            if wrong.field == "status" { status_mistake(&doc, wrong.message) } else { wrong.message.to_owned() };
        Error::mapping("map order", message).field(wrong.field).entity(identify::name(text, settings))
    })
}

/// An order without status is in no list of Magento's, but it has a state, by which it is told which status it needs.
fn status_mistake(doc: &OrderDoc<'_>, message: &str) -> String {
    if message != leaf::MISSING {
        return message.to_owned();
    }
    let state: String = leaf::string(doc.state, "state").unwrap_or_default();
    let state: String = state.trim().chars().filter(|c| !c.is_control()).take(32).collect();
    if state.is_empty() {
        return format!("{message}, and the order has no state either: give it a status in Magento");
    }
    format!("{message}; the order's state is \"{state}\": give it a status in Magento that belongs to this state")
}

fn order(frontend: &str, doc: &OrderDoc<'_>, settings: &OrderSettings) -> Result<Order, Wrong> {
    let nothing = ExtensionDoc::default();
    let extension = doc.extension_attributes.as_ref().map_or(&nothing, |extension| &extension.0);
    let shipping = extension
        .shipping_assignments
        .as_ref()
        .and_then(|assignments| assignments.first())
        .and_then(|assignment| assignment.0.shipping.as_ref())
        .map(|shipping| &shipping.0);

    let number = leaf::needed_string(doc.increment_id, "increment_id")?;
    let items = doc.items.as_ref().ok_or_else(|| Wrong::new("items", leaf::MISSING))?;
    let currency = leaf::needed_string(doc.order_currency_code, "order_currency_code")?;
    let lines::Lines { goods, fixed_taxes } = lines::map(items, &currency, settings.fixed_tax_sku.as_deref())?;
    // Not `total_qty_ordered`, which counts both rows of a configurable whose child does not name its parent.
    let total_qty = goods.iter().map(|item| item.qty).fold(Decimal::ZERO, Decimal::saturating_add);
    let sub_total = sub_total(leaf::needed_amount(doc.subtotal, "subtotal")?, &goods, &fixed_taxes);
    let mut items = goods;
    items.extend(fixed_taxes);
    let store_id = leaf::string(doc.store_id, "store_id")?;
    let fe_order_id = settings.number(&store_id, &number);
    let shipment_method = shipment_method(doc, shipping)?;
    let freight::Parts { freight, freight_discount, goods_discount } = freight::parts(doc)?;

    Ok(Order {
        frontend: frontend.to_owned(),
        store_code: store_code(doc, &store_id, settings)?,
        fe_order_id,
        fe_order_date: time(doc.created_at, "created_at")?,
        fe_order_update_date: time(doc.updated_at, "updated_at")?,
        fe_order_status: leaf::needed_string(doc.status, "status")?,
        fe_store_id: store_id,
        fe_customer_id: leaf::text(doc.customer_id, "customer_id")?
            .filter(|id| !matches!(id.trim(), "" | "0"))
            .map(|id| id.into_owned()),
        fe_customer_group: leaf::string(doc.customer_group_id, "customer_group_id")?,
        shipment_carrier: shipment_method.split('_').next().unwrap_or_default().to_owned(),
        shipment_method,
        payment_method: match &doc.payment {
            Some(payment) => leaf::string(payment.0.method, "method").map_err(|wrong| wrong.within("payment"))?,
            None => String::new(),
        },
        currency,
        total_qty,
        sub_total,
        discount_amt: goods_discount,
        shipping_amt: freight,
        shipping_discount_amt: freight_discount,
        shipping_tax_amt: leaf::amount(doc.shipping_tax_amount, "shipping_tax_amount")?,
        tax_amt: leaf::amount(doc.tax_amount, "tax_amount")?,
        giftcard_amt: either(doc.gift_cards_amount, extension.gift_cards_amount, "gift_cards_amount")?,
        storecredit_amt: either(
            doc.customer_balance_amount,
            extension.customer_balance_amount,
            "customer_balance_amount",
        )?,
        points_amt: either(doc.reward_currency_amount, extension.reward_currency_amount, "reward_currency_amount")?,
        grand_total: leaf::needed_amount(doc.grand_total, "grand_total")?,
        paid_amt: leaf::decimal(doc.total_paid, "total_paid")?,
        coupon_code: leaf::text(doc.coupon_code, "coupon_code")?
            .filter(|code| !code.is_empty())
            .map(|code| code.into_owned()),
        addresses: addresses(doc, shipping)?,
        items,
        ext: Default::default(),
    })
}

/// The lines with their fixed product taxes: `subtotal` has these or not, as configured in the shop.
fn sub_total(told: Decimal, goods: &[OrderItem], fixed_taxes: &[OrderItem]) -> Decimal {
    let sum =
        |items: &[OrderItem]| items.iter().map(|item| item.sub_total).fold(Decimal::ZERO, Decimal::saturating_add);
    let (goods, fixed) = (sum(goods), sum(fixed_taxes));
    let off = told.saturating_sub(goods);
    if off.abs() < off.saturating_sub(fixed).abs() { told.saturating_add(fixed) } else { told }
}

/// An amount that stands in the order or in its extension attributes, depending on edition and version.
fn either(own: Leaf<'_>, extension: Leaf<'_>, field: &str) -> Result<Decimal, Wrong> {
    let amount = match leaf::decimal(own, field)? {
        Some(amount) if !amount.is_zero() => amount,
        _ => leaf::amount(extension, field).map_err(|wrong| wrong.within("extension_attributes"))?,
    };
    Ok(amount.abs())
}

fn addresses(doc: &OrderDoc<'_>, shipping: Option<&ShippingDoc<'_>>) -> Result<Addresses, Wrong> {
    let email = leaf::string(doc.customer_email, "customer_email")?;
    let billing = doc.billing_address.as_ref().filter(|billing| !address::is_empty(&billing.0));
    let billing = billing.ok_or_else(|| Wrong::new("billing_address", leaf::MISSING))?;
    let billto = address::map(&billing.0, &email).map_err(|wrong| wrong.within("billing_address"))?;
    let given = shipping.and_then(|shipping| shipping.address.as_ref());
    // Nothing of a virtual order is shipped.
    let given = given.filter(|address| !leaf::flag(doc.is_virtual) && !address::is_empty(&address.0));
    let shipto = match given {
        Some(address) => address::map(&address.0, &email)
            .map_err(|wrong| wrong.within("extension_attributes.shipping_assignments[0].shipping.address"))?,
        None => billto.clone(),
    };
    Ok(Addresses { billto, shipto })
}

/// `carrier_method`. Magento takes it apart at the first underscore (`Magento\Sales\Model\Order::getShippingMethod`).
fn shipment_method(doc: &OrderDoc<'_>, shipping: Option<&ShippingDoc<'_>>) -> Result<String, Wrong> {
    let assigned = shipping.and_then(|shipping| shipping.method);
    if assigned.is_some() {
        return leaf::string(assigned, "method")
            .map_err(|wrong| wrong.within("extension_attributes.shipping_assignments[0].shipping"));
    }
    leaf::string(doc.shipping_method, "shipping_method")
}

/// The configured code of the store, else the last line of `store_name` (website, store and store view, one a line).
fn store_code(doc: &OrderDoc<'_>, store_id: &str, settings: &OrderSettings) -> Result<String, Wrong> {
    if let Some(code) = settings.store_codes.get(store_id) {
        return Ok(code.clone());
    }
    let name = leaf::string(doc.store_name, "store_name")?;
    Ok(name.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned())
}

fn time(leaf: Leaf<'_>, field: &str) -> Result<Option<Timestamp>, Wrong> {
    match leaf::text(leaf, field)? {
        Some(text) if !text.is_empty() => match parse_time(&text) {
            Some(time) => Ok(Some(time)),
            None => Err(Wrong::new(field, "should be a time as YYYY-MM-DD HH:MM:SS")),
        },
        _ => Ok(None),
    }
}
