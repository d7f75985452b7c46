//! What must be true of an order before it goes anywhere.

use datawald_core::model::{Address, Money, Order, OrderItem, minor_units};
use datawald_core::{Error, Result};
use rust_decimal::Decimal;

use super::identify;
use super::lines::MAGENTO_DECIMALS;

const OPERATION: &str = "validate order";

/// Magento's own limit (`Magento\Catalog\Model\Product\Attribute\Backend\Sku::SKU_MAX_LENGTH`).
const SKU_MAX_LENGTH: usize = 64;

/// How far a price of four decimals can be off per piece: half of its last place.
const PER_PIECE: Decimal = Decimal::from_parts(5, 0, 0, false, 5);

/// Checks lines, currency, texts and totals.
pub(super) fn validate(order: &Order) -> Result<()> {
    check(order).map_err(|error| error.entity(identify::label(&order.fe_order_id)))
}

fn check(order: &Order) -> Result<()> {
    if order.items.is_empty() {
        return Err(wrong("items", "the order has no lines"));
    }
    if order.currency.len() != 3 || !order.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(wrong("order_currency_code", "is no currency code of three capital letters (ISO 4217), as USD"));
    }
    texts(order)?;
    for (at, item) in order.items.iter().enumerate() {
        line(item).map_err(|(field, message)| wrong(format!("items[{at}].{field}"), message))?;
    }
    lines_add_up(order)?;
    totals_add_up(order)
}

fn wrong(field: impl Into<String>, message: impl Into<String>) -> Error {
    Error::invalid(OPERATION, message).field(field)
}

fn line(item: &OrderItem) -> Result<(), (&'static str, String)> {
    let length = item.sku.chars().count();
    if length > SKU_MAX_LENGTH {
        return Err(("sku", format!("has {length} characters; a SKU has at most {SKU_MAX_LENGTH} in Magento")));
    }
    if item.qty <= Decimal::ZERO {
        return Err(("qty_ordered", "must be greater than 0".to_owned()));
    }
    Ok(())
}

/// No control characters: they break documents, labels and exports on the way. Line breaks and tabs only in a street.
fn texts(order: &Order) -> Result<()> {
    let fields = [
        ("increment_id", &order.fe_order_id),
        ("status", &order.fe_order_status),
        ("store_id", &order.fe_store_id),
        ("store_name", &order.store_code),
        ("customer_group_id", &order.fe_customer_group),
        ("shipping_method", &order.shipment_method),
        ("payment.method", &order.payment_method),
    ];
    let optional = [("customer_id", &order.fe_customer_id), ("coupon_code", &order.coupon_code)];
    let optional = optional.iter().filter_map(|(field, text)| Some((*field, text.as_ref()?)));
    for (field, text) in fields.into_iter().chain(optional) {
        plain(text).map_err(|message| wrong(field, message))?;
    }
    for (name, address) in [("billing_address", &order.addresses.billto), ("shipping_address", &order.addresses.shipto)]
    {
        address_texts(address).map_err(|(field, message)| wrong(format!("{name}.{field}"), message))?;
    }
    for (at, item) in order.items.iter().enumerate() {
        for (field, text) in [("sku", &item.sku), ("name", &item.name)] {
            plain(text).map_err(|message| wrong(format!("items[{at}].{field}"), message))?;
        }
    }
    Ok(())
}

fn address_texts(address: &Address) -> Result<(), (&'static str, String)> {
    let fields = [
        ("firstname", &address.firstname),
        ("lastname", &address.lastname),
        ("email", &address.email),
        ("company", &address.companyname),
        ("city", &address.city),
        ("region", &address.region),
        ("postcode", &address.postcode),
        ("country_id", &address.country),
        ("telephone", &address.telephone),
    ];
    for (field, text) in fields {
        plain(text).map_err(|message| (field, message))?;
    }
    control(&address.address, &['\n', '\r', '\t']).map_err(|message| ("street", message))
}

fn plain(text: &str) -> Result<(), String> {
    control(text, &[])
}

fn control(text: &str, allowed: &[char]) -> Result<(), String> {
    match text.chars().enumerate().find(|(_, c)| c.is_control() && !allowed.contains(c)) {
        None => Ok(()),
        Some((at, c)) => Err(format!(
            "holds a control character (U+{:04X}) as character {}: correct the text in Magento",
            u32::from(c),
            at + 1
        )),
    }
}

/// One in the last decimal that amounts of the order may have.
fn last_decimal(order: &Order) -> Money {
    Decimal::new(1, minor_units(&order.currency).max(MAGENTO_DECIMALS))
}

/// The lines make the subtotal, but for rounding; otherwise a row was taken for a line or not by mistake.
fn lines_add_up(order: &Order) -> Result<()> {
    let mut sum = Decimal::ZERO;
    let mut allowance = Decimal::ZERO;
    let last_decimal = last_decimal(order);
    for item in &order.items {
        sum = sum.saturating_add(item.sub_total);
        allowance = allowance.saturating_add(last_decimal).saturating_add(PER_PIECE.saturating_mul(item.qty));
    }
    let difference = order.sub_total.saturating_sub(sum);
    if difference.abs() <= allowance {
        return Ok(());
    }
    Err(wrong(
        "subtotal",
        format!(
            "is {} {currency}, but the lines add up to {sum} {currency} (difference {difference}): is a product type in \
             the order whose parts are priced in another way?",
            order.sub_total,
            currency = order.currency
        ),
    ))
}

/// The parts make `grand_total`, within one of the last decimal.
fn totals_add_up(order: &Order) -> Result<()> {
    let parts = [
        ("", "subtotal", order.sub_total),
        (" - ", "discount", order.discount_amt),
        (" + ", "shipping", order.shipping_amt),
        (" + ", "tax", order.tax_amt),
        (" - ", "gift card", order.giftcard_amt),
        (" - ", "store credit", order.storecredit_amt),
        (" - ", "reward points", order.points_amt),
    ];
    let (mut sum, mut told) = (Decimal::ZERO, String::new());
    for (sign, name, amount) in parts {
        sum = if sign == " - " { sum.saturating_sub(amount) } else { sum.saturating_add(amount) };
        if sign.is_empty() || !amount.is_zero() {
            told.push_str(&format!("{sign}{name} {amount}"));
        }
    }
    let difference = order.grand_total.saturating_sub(sum);
    if difference.abs() <= last_decimal(order) {
        return Ok(());
    }
    let currency = &order.currency;
    let why = if difference > Decimal::ZERO {
        "does it have a fee or gift wrapping, which are not among these?".to_owned()
    } else {
        let off = difference.abs();
        format!(
            "{off} {currency} was taken off by something that is not among them, as points or a credit of an extension"
        )
    };
    let paid = match order.paid_amt {
        Some(paid) if !paid.is_zero() => format!(", of which {} {currency} was paid", paid.normalize()),
        _ => String::new(),
    };
    let total = order.grand_total;
    Err(wrong(
        "grand_total",
        format!("is {total} {currency}{paid}, but {told} is {sum} {currency} (difference {difference}): {why}"),
    ))
}
