//! Compares values as MySQL does: numbers as numbers, texts without regard to case, null to nothing.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use datawald_core::model::parse_decimal;

use super::criteria::{Compare, Filter};

/// An order's own columns: its top-level fields that are neither objects nor lists.
pub(super) type Columns = BTreeMap<String, String>;

pub(super) fn matches(columns: &Columns, groups: &[Vec<Filter>]) -> bool {
    groups.iter().all(|group| group.is_empty() || group.iter().any(|filter| holds_in(columns, group, filter)))
}

/// `from` and `to` of one field within a group are one condition; all others are alternatives.
fn holds_in(columns: &Columns, group: &[Filter], filter: &Filter) -> bool {
    let other = match filter.compare {
        Compare::From => Compare::To,
        Compare::To => Compare::From,
        _ => return holds(columns, filter),
    };
    let partner = group.iter().find(|one| one.field == filter.field && one.compare == other);
    holds(columns, filter) && partner.is_none_or(|partner| holds(columns, partner))
}

fn holds(columns: &Columns, filter: &Filter) -> bool {
    let Some(value) = columns.get(&filter.field) else { return filter.compare == Compare::Null };
    let order = || compare(value, &filter.value);
    match filter.compare {
        Compare::Eq => order() == Ordering::Equal,
        Compare::Neq => order() != Ordering::Equal,
        Compare::Gt => order() == Ordering::Greater,
        Compare::Gteq | Compare::From => order() != Ordering::Less,
        Compare::Lt => order() == Ordering::Less,
        Compare::Lteq | Compare::To => order() != Ordering::Greater,
        Compare::In => filter.value.split(',').any(|one| compare(value, one) == Ordering::Equal),
        Compare::Nin => filter.value.split(',').all(|one| compare(value, one) != Ordering::Equal),
        Compare::Like => like(&lower(value), &lower(&filter.value)),
        Compare::Nlike => !like(&lower(value), &lower(&filter.value)),
        Compare::Null => false,
        Compare::NotNull => true,
        Compare::Finset => value.split(',').any(|one| compare(one, &filter.value) == Ordering::Equal),
    }
}

pub(super) fn compare(one: &str, other: &str) -> Ordering {
    match (parse_decimal(one), parse_decimal(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => lower(one).cmp(&lower(other)),
    }
}

fn lower(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// `%` stands for any characters, `_` for one.
fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|skip| like(&text[skip..], rest)),
        Some((&one, rest)) => match text.split_first() {
            Some((&first, text)) => (one == '_' || one == first) && like(text, rest),
            None => false,
        },
    }
}

/// The columns of `sales_order` that orders are searched by. Fields that any order has are taken, too.
pub(super) const COLUMNS: &[&str] = &[
    "entity_id",
    "state",
    "status",
    "coupon_code",
    "protect_code",
    "shipping_description",
    "is_virtual",
    "store_id",
    "customer_id",
    "base_discount_amount",
    "base_grand_total",
    "base_shipping_amount",
    "base_subtotal",
    "base_tax_amount",
    "base_total_due",
    "base_total_paid",
    "base_total_refunded",
    "discount_amount",
    "grand_total",
    "shipping_amount",
    "subtotal",
    "tax_amount",
    "total_due",
    "total_paid",
    "total_qty_ordered",
    "total_refunded",
    "customer_is_guest",
    "billing_address_id",
    "customer_group_id",
    "quote_id",
    "shipping_address_id",
    "weight",
    "customer_dob",
    "increment_id",
    "applied_rule_ids",
    "base_currency_code",
    "customer_email",
    "customer_firstname",
    "customer_lastname",
    "customer_middlename",
    "customer_taxvat",
    "ext_order_id",
    "ext_customer_id",
    "global_currency_code",
    "hold_before_state",
    "hold_before_status",
    "order_currency_code",
    "original_increment_id",
    "relation_child_id",
    "relation_child_real_id",
    "relation_parent_id",
    "relation_parent_real_id",
    "remote_ip",
    "shipping_method",
    "store_currency_code",
    "store_name",
    "x_forwarded_for",
    "customer_note",
    "created_at",
    "updated_at",
    "total_item_count",
    "customer_gender",
    "gift_cards_amount",
    "customer_balance_amount",
    "base_shipping_discount_amount",
    "base_shipping_tax_amount",
    "can_ship_partially",
    "customer_note_notify",
    "customer_prefix",
    "customer_suffix",
    "discount_description",
    "discount_tax_compensation_amount",
    "edit_increment",
    "email_sent",
    "ext_customer_id",
    "forced_shipment_with_invoice",
    "gift_message_id",
    "payment_auth_expiration",
    "quote_address_id",
    "send_email",
    "shipping_discount_amount",
    "shipping_incl_tax",
    "shipping_tax_amount",
    "subtotal_incl_tax",
    "total_canceled",
    "total_invoiced",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_as_mysql_does() {
        assert_eq!(compare("9", "10"), Ordering::Less);
        assert_eq!(compare("5.0", "5"), Ordering::Equal);
        assert_eq!(compare("Pending", "pending"), Ordering::Equal);
        assert_eq!(compare("2020-04-24 17:05:45", "2020-04-24 17:05:46"), Ordering::Less);
    }

    #[test]
    fn wildcards() {
        let like = |text, pattern| super::like(&lower(text), &lower(pattern));
        assert!(like("000000013-1", "0000%-_") && like("abc", "%") && like("", "%"));
        assert!(!like("abc", "a_") && !like("abc", "b%"));
    }
}
