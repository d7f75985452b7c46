//! The text of a synthetic order, written straight into the page: keys and forms as Magento 2.4 gives them.

use std::fmt::Write;

use jiff::Timestamp;

use super::draft::{Draft, Kind, Row, draft};
use super::words::{FIRST_NAMES, LAST_NAMES, STREETS};
use crate::client::format_time;

/// Appends the text of order `id`.
pub(crate) fn write(id: u64, out: &mut String) {
    // Writing into a string does not fail.
    let _ = order(&draft(id), out);
}

/// Cents as PHP writes them: `12`, `12.5`, `12.34`.
struct Cents(i64);

impl std::fmt::Display for Cents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.abs() / 100, self.0.abs() % 100);
        match rest {
            0 => write!(f, "{sign}{whole}"),
            rest if rest % 10 == 0 => write!(f, "{sign}{whole}.{}", rest / 10),
            rest => write!(f, "{sign}{whole}.{rest:02}"),
        }
    }
}

fn at(second: i64) -> String {
    Timestamp::from_second(second).map(format_time).unwrap_or_default()
}

/// The person, told once per order.
struct Person {
    first: &'static str,
    last: &'static str,
    email: String,
    street: String,
}

fn order(draft: &Draft, out: &mut String) -> std::fmt::Result {
    let id = draft.id;
    let mut dice = draft.dice;
    let person = Person {
        first: dice.pick::<&str>(FIRST_NAMES),
        last: dice.pick::<&str>(LAST_NAMES),
        email: format!("customer{id}@example.com"),
        street: format!("{} {}", 1 + dice.roll(9000), dice.pick(STREETS)),
    };
    let updated = super::updated_second(id);
    let created = updated - 60 * (id % 5) as i64;
    let (created, updated) = (at(created), at(updated));
    let status = ["pending", "pending", "processing", "complete"][dice.roll(4)];
    let state = if status == "pending" { "new" } else { status };
    let (subtotal, discount, tax, shipping) = (draft.subtotal(), draft.discount(), draft.tax(), draft.shipping);
    let total = Cents(draft.grand_total());
    let incl_tax = Cents(subtotal + tax);
    let (subtotal, tax, shipping) = (Cents(subtotal), Cents(tax), Cents(shipping));
    let off = Cents(-discount);

    out.push('{');
    if draft.coupon {
        out.push_str("\"applied_rule_ids\":\"4\",");
    }
    write!(
        out,
        "\"base_currency_code\":\"USD\",\"base_discount_amount\":{off},\"base_grand_total\":{total},\
         \"base_discount_tax_compensation_amount\":0,\"base_shipping_amount\":{shipping},\
         \"base_shipping_discount_amount\":0,\"base_shipping_incl_tax\":{shipping},\"base_shipping_tax_amount\":0,\
         \"base_subtotal\":{subtotal},\"base_subtotal_incl_tax\":{incl_tax},\"base_tax_amount\":{tax},\
         \"base_total_due\":{total},\"base_to_global_rate\":1,\"base_to_order_rate\":1,\"billing_address_id\":{},",
        id * 2
    )?;
    if draft.coupon {
        out.push_str("\"coupon_code\":\"TWENTY\",");
    }
    if !draft.guest {
        out.push_str("\"customer_dob\":\"1980-01-01 00:00:00\",\"customer_gender\":0,");
    }
    write!(out, "\"email_sent\":1,\"remote_ip\":\"192.0.2.{}\",", id % 256)?;
    write!(
        out,
        "\"created_at\":\"{created}\",\"customer_email\":\"{}\",\"customer_firstname\":\"{}\",\"customer_group_id\":{},",
        person.email,
        person.first,
        u8::from(!draft.guest)
    )?;
    if !draft.guest {
        write!(out, "\"customer_id\":{},", 1 + id % 997)?;
    }
    write!(
        out,
        "\"customer_is_guest\":{},\"customer_lastname\":\"{}\",\"customer_note_notify\":1,\"discount_amount\":{off},\
         \"entity_id\":{id},\"global_currency_code\":\"USD\",\"grand_total\":{total},\
         \"discount_tax_compensation_amount\":0,\"increment_id\":\"9{id:08}\",\"is_virtual\":{},\
         \"order_currency_code\":\"USD\",\"protect_code\":\"{:032x}\",\"quote_id\":{id},\"shipping_amount\":{shipping},\
         \"shipping_description\":\"Flat Rate - Fixed\",\"shipping_discount_amount\":0,\
         \"shipping_discount_tax_compensation_amount\":0,\"shipping_incl_tax\":{shipping},\"shipping_tax_amount\":0,\
         \"state\":\"{state}\",\"status\":\"{status}\",\"store_currency_code\":\"USD\",\"store_id\":1,\
         \"store_name\":\"Main Website\\nMain Website Store\\nDefault Store View\",\"store_to_base_rate\":0,\
         \"store_to_order_rate\":0,\"subtotal\":{subtotal},\"subtotal_incl_tax\":{incl_tax},\"tax_amount\":{tax},\
         \"total_due\":{total},\"total_item_count\":{},\"total_qty_ordered\":{},\"updated_at\":\"{updated}\",\
         \"weight\":1,\"items\":[",
        u8::from(draft.guest),
        person.last,
        u8::from(draft.is_virtual),
        id,
        draft.rows.iter().filter(|row| row.parent.is_none()).count(),
        draft.qty(),
    )?;
    for (position, one) in draft.rows.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        row(draft, position, one, &created, out)?;
    }
    out.push_str("],\"billing_address\":");
    address(draft, &person, "billing", out)?;
    write!(
        out,
        ",\"payment\":{{\"account_status\":null,\"additional_information\":[\"Check / Money order\"],\
         \"amount_ordered\":{total},\"base_amount_ordered\":{total},\"base_shipping_amount\":{shipping},\
         \"cc_exp_year\":\"0\",\"cc_last4\":null,\"cc_ss_start_month\":\"0\",\"cc_ss_start_year\":\"0\",\
         \"entity_id\":{id},\"method\":\"checkmo\",\"parent_id\":{id},\"shipping_amount\":{shipping}}},\
         \"status_histories\":[],\"extension_attributes\":{{\"shipping_assignments\":[{{\"shipping\":{{"
    )?;
    if !draft.is_virtual {
        out.push_str("\"address\":");
        address(draft, &person, "shipping", out)?;
        out.push_str(",\"method\":\"flatrate_flatrate\",");
    }
    write!(
        out,
        "\"total\":{{\"base_shipping_amount\":{shipping},\"shipping_amount\":{shipping}}}}},\"items\":[]}}],\
         \"payment_additional_info\":[{{\"key\":\"method_title\",\"value\":\"Check / Money order\"}}],\
         \"applied_taxes\":[],\"item_applied_taxes\":[],\"converting_from_quote\":true}}}}"
    )
}

fn row(draft: &Draft, position: usize, row: &Row, created: &str, out: &mut String) -> std::fmt::Result {
    let item = |position: usize| draft.id * 10 + position as u64;
    let (price, discount, tax) = (Cents(row.price), Cents(row.discount), Cents(row.tax));
    let total = Cents(row.total());
    let incl_tax = Cents(row.total() + row.tax);
    let rate = Cents(if row.tax == 0 { 0 } else { draft.place.rate });
    let kind = match row.kind {
        Kind::Simple => "simple",
        Kind::Configurable => "configurable",
        Kind::Virtual => "virtual",
        Kind::BundleParent => "bundle",
    };
    write!(
        out,
        "{{\"amount_refunded\":0,\"base_amount_refunded\":0,\"base_discount_amount\":{discount},\
         \"base_discount_invoiced\":0,\"base_original_price\":{price},\"base_price\":{price},\
         \"base_row_invoiced\":0,\"base_row_total\":{total},\"base_row_total_incl_tax\":{incl_tax},\
         \"base_tax_amount\":{tax},\"base_tax_invoiced\":0,\"created_at\":\"{created}\",\
         \"discount_amount\":{discount},\"discount_invoiced\":0,\"discount_percent\":{},\"free_shipping\":0,\
         \"discount_tax_compensation_amount\":0,\"is_qty_decimal\":0,\"is_virtual\":{},\"item_id\":{},\
         \"name\":\"{}\",\"no_discount\":0,\"order_id\":{},\"original_price\":{price},",
        if row.discount == 0 { 0 } else { 20 },
        u8::from(row.kind == Kind::Virtual),
        item(position),
        row.name,
        draft.id,
    )?;
    if let Some(parent) = row.parent {
        write!(out, "\"parent_item_id\":{},", item(parent))?;
    }
    if row.discount != 0 {
        out.push_str("\"applied_rule_ids\":\"4\",");
    }
    if row.kind == Kind::Configurable {
        out.push_str(
            "\"product_option\":{\"extension_attributes\":{\"configurable_item_options\":[{\"option_id\":\"93\",\
             \"option_value\":58}]}},",
        );
    }
    write!(
        out,
        "\"price\":{price},\"product_id\":{},\"product_type\":\"{kind}\",\"qty_canceled\":0,\"qty_invoiced\":0,\
         \"qty_ordered\":{},\"qty_refunded\":0,\"qty_shipped\":0,\"quote_item_id\":{},\"row_invoiced\":0,\
         \"row_total\":{total},\"row_total_incl_tax\":{incl_tax},\"row_weight\":0,\"sku\":\"{}\",\"store_id\":1,\
         \"tax_amount\":{tax},\"tax_invoiced\":0,\"tax_percent\":{rate},\"updated_at\":\"{created}\",\"weight\":1}}",
        100 + position,
        row.qty,
        item(position),
        row.sku,
    )
}

fn address(draft: &Draft, person: &Person, kind: &str, out: &mut String) -> std::fmt::Result {
    let place = draft.place;
    write!(
        out,
        "{{\"address_type\":\"{kind}\",\"city\":\"{}\",\"country_id\":\"US\",\"email\":\"{}\",\"entity_id\":{},\
         \"firstname\":\"{}\",\"lastname\":\"{}\",\"parent_id\":{},\"postcode\":\"{}\",\"region\":\"{}\",\
         \"region_code\":\"{}\",\"region_id\":{},\"street\":[\"{}\"],\"telephone\":\"(555) 01{:02}\"}}",
        place.city,
        person.email,
        draft.id * 2 + u64::from(kind == "shipping"),
        person.first,
        person.last,
        draft.id,
        place.postcode,
        place.region,
        place.region_code,
        place.region_id,
        person.street,
        draft.id % 100,
    )
}
