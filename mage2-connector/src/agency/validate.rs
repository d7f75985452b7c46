//! What must be true of an order before it goes anywhere.

use datawald_core::model::{Address, Order, OrderItem};
use datawald_core::{Error, Result};
use rust_decimal::Decimal;

use super::identify;

const OPERATION: &str = "validate order";

/// Magento's own limit (`Magento\Catalog\Model\Product\Attribute\Backend\Sku::SKU_MAX_LENGTH`).
const SKU_MAX_LENGTH: usize = 64;

const CENT: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

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

/// The lines make the subtotal, but for rounding; otherwise a row was taken for a line or not by mistake.
fn lines_add_up(order: &Order) -> Result<()> {
    let mut sum = Decimal::ZERO;
    let mut allowance = Decimal::ZERO;
    for item in &order.items {
        sum = sum.saturating_add(item.sub_total);
        allowance = allowance.saturating_add(CENT).saturating_add(PER_PIECE.saturating_mul(item.qty));
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

/// `sub_total - discount + shipping + tax - gift card - store credit = grand_total`, within a cent.
fn totals_add_up(order: &Order) -> Result<()> {
    let sum = order
        .sub_total
        .saturating_sub(order.discount_amt)
        .saturating_add(order.shipping_amt)
        .saturating_add(order.tax_amt)
        .saturating_sub(order.giftcard_amt)
        .saturating_sub(order.storecredit_amt);
    let difference = order.grand_total.saturating_sub(sum);
    if difference.abs() <= CENT {
        return Ok(());
    }
    Err(wrong(
        "grand_total",
        format!(
            "is {} {currency}, but subtotal {} - discount {} + shipping {} + tax {} - gift card {} - store credit {} is \
             {sum} {currency} (difference {difference}): a fee, gift wrapping or fixed product tax that is not among them?",
            order.grand_total,
            order.sub_total,
            order.discount_amt,
            order.shipping_amt,
            order.tax_amt,
            order.giftcard_amt,
            order.storecredit_amt,
            currency = order.currency
        ),
    ))
}
