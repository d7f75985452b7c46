//! The parts of an order document that are read. Everything else in it is passed over without being built.

use std::fmt;
use std::marker::PhantomData;

use datawald_core::{Error, Result};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::leaf::Leaf;
use crate::wording::without_values;

macro_rules! leaves {
    ($(#[$doc:meta])* $name:ident { $($field:ident),* $(,)? } $({ $($part:ident: $type:ty),* $(,)? })?) => {
        $(#[$doc])*
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        pub(super) struct $name<'a> {
            $(#[serde(borrow)] pub(super) $field: Leaf<'a>,)*
            $($(#[serde(borrow)] pub(super) $part: $type,)*)?
        }
    };
}

leaves! {
    /// The order.
    OrderDoc {
        increment_id, entity_id, created_at, updated_at, state, status, store_id, store_name, customer_id, customer_group_id,
        customer_email, order_currency_code, subtotal, discount_amount, discount_tax_compensation_amount,
        shipping_amount, shipping_discount_amount, shipping_tax_amount, shipping_discount_tax_compensation_amount,
        shipping_method, tax_amount, grand_total, total_paid, gift_cards_amount, customer_balance_amount, reward_currency_amount, coupon_code, is_virtual,
    } {
        items: Option<Vec<Object<ItemDoc<'a>>>>,
        billing_address: Option<Object<AddressDoc<'a>>>,
        payment: Option<Object<PaymentDoc<'a>>>,
        extension_attributes: Option<Object<ExtensionDoc<'a>>>,
    }
}

leaves! {
    /// A row of `items`.
    ItemDoc {
        item_id, parent_item_id, product_type, sku, name, qty_ordered, price, original_price, row_total,
        row_total_incl_tax, discount_amount, discount_tax_compensation_amount, tax_amount, tax_percent,
        weee_tax_applied_row_amount, weee_tax_applied,
    } { parent_item: Option<Object<ParentDoc<'a>>> }
}

leaves! {
    /// `parent_item` of a row: the whole parent, of which its id is enough.
    ParentDoc { item_id }
}

leaves! {
    /// One of the fixed product taxes of a row, in the text of its `weee_tax_applied`.
    FixedTaxDoc { row_amount, row_amount_incl_tax }
}

leaves! {
    /// An address.
    AddressDoc {
        firstname, lastname, email, company, street, city, region, region_code, postcode, country_id, telephone,
    }
}

leaves! {
    /// `payment`.
    PaymentDoc { method }
}

leaves! {
    /// `extension_attributes` of the order.
    ExtensionDoc { gift_cards_amount, customer_balance_amount, reward_currency_amount } {
        shipping_assignments: Option<Vec<Object<AssignmentDoc<'a>>>>,
    }
}

leaves! {
    /// One of `shipping_assignments`; its `items` repeat those of the order.
    AssignmentDoc {} { shipping: Option<Object<ShippingDoc<'a>>> }
}

leaves! {
    /// `shipping` of an assignment.
    ShippingDoc { method } { address: Option<Object<AddressDoc<'a>>> }
}

/// An object. PHP writes an empty one as `[]`, which is taken as one without entries; derived code alone would take any
/// list as an object's values in order.
#[derive(Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                match list.next_element::<IgnoredAny>()? {
                    None => Ok(Object(T::default())),
                    Some(_) => Err(serde::de::Error::invalid_type(serde::de::Unexpected::Seq, &self)),
                }
            }
        }

        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

/// Reads an order document. Only where that fails it is read a second time, to find the field.
pub(super) fn read(text: &str) -> Result<OrderDoc<'_>> {
    let error = match serde_json::from_str::<Object<OrderDoc<'_>>>(text) {
        Ok(doc) => return Ok(doc.0),
        Err(error) => error,
    };
    let operation = "map order";
    if !error.is_data() {
        let message = format!("the document is not JSON at line {} column {}", error.line(), error.column());
        return Err(Error::mapping(operation, message));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = serde_path_to_error::deserialize::<_, Object<OrderDoc<'_>>>(&mut deserializer);
    let path = found.err().map(|error| error.path().to_string()).unwrap_or_default();
    let error = Error::mapping(operation, without_values(&error.to_string()));
    Err(match path.as_str() {
        "" | "." => error,
        path => error.field(path),
    })
}

/// A list of leaves, or one leaf by itself, as `street` is in some versions.
pub(super) fn one_or_more<'a>(leaf: Leaf<'a>) -> Option<Vec<Leaf<'a>>> {
    let Some(raw) = leaf else { return Some(Vec::new()) };
    if raw.get().starts_with('[') {
        serde_json::from_str::<Vec<Option<&'a RawValue>>>(raw.get()).ok()
    } else {
        Some(vec![Some(raw)])
    }
}
