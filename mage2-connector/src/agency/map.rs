//! The canonical order of a Magento order.

use datawald_core::model::{Addresses, Order};
use datawald_core::{Error, Result};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::doc::{ExtensionDoc, OrderDoc, ShippingDoc};
use super::leaf::{self, Leaf, Wrong};
use super::settings::OrderSettings;
use super::{address, doc, identify, lines};
use crate::client::parse_time;

/// Maps the text of an order.
pub(super) fn map(frontend: &str, text: &str, settings: &OrderSettings) -> Result<Order> {
    let doc = doc::read(text).map_err(|error| error.or_entity(|| identify::name(text, settings)))?;
    order(frontend, &doc, settings).map_err(|wrong| {
        Error::mapping("map order", wrong.message).field(wrong.field).entity(identify::name(text, settings))
    })
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
    let items = lines::map(items)?;
    let store_id = leaf::string(doc.store_id, "store_id")?;
    let fe_order_id = settings.number(&store_id, &number);
    let shipment_method = shipment_method(doc, shipping)?;
    let discount = leaf::amount(doc.discount_amount, "discount_amount")?;

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
        currency: leaf::needed_string(doc.order_currency_code, "order_currency_code")?,
        // Not `total_qty_ordered`, which counts both rows of a configurable whose child does not name its parent.
        total_qty: items.iter().map(|item| item.qty).fold(Decimal::ZERO, Decimal::saturating_add),
        sub_total: leaf::needed_amount(doc.subtotal, "subtotal")?,
        discount_amt: lines::net_discount(discount, compensation(doc)?),
        shipping_amt: leaf::amount(doc.shipping_amount, "shipping_amount")?,
        shipping_tax_amt: leaf::amount(doc.shipping_tax_amount, "shipping_tax_amount")?,
        tax_amt: leaf::amount(doc.tax_amount, "tax_amount")?,
        giftcard_amt: either(doc.gift_cards_amount, extension.gift_cards_amount, "gift_cards_amount")?,
        storecredit_amt: either(
            doc.customer_balance_amount,
            extension.customer_balance_amount,
            "customer_balance_amount",
        )?
        // Reward points are store credit of another name.
        .saturating_add(either(
            doc.reward_currency_amount,
            extension.reward_currency_amount,
            "reward_currency_amount",
        )?),
        grand_total: leaf::needed_amount(doc.grand_total, "grand_total")?,
        coupon_code: leaf::text(doc.coupon_code, "coupon_code")?
            .filter(|code| !code.is_empty())
            .map(|code| code.into_owned()),
        addresses: addresses(doc, shipping)?,
        items,
        ext: Default::default(),
    })
}

/// The tax that Magento's discount includes, that on discounted freight with it.
fn compensation(doc: &OrderDoc<'_>) -> Result<Decimal, Wrong> {
    let goods = leaf::amount(doc.discount_tax_compensation_amount, "discount_tax_compensation_amount")?;
    let name = "shipping_discount_tax_compensation_amount";
    let freight = leaf::amount(doc.shipping_discount_tax_compensation_amount, name)?;
    Ok(goods.saturating_add(freight))
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
