//! Addresses as SAP B1 divides them.

use datawald_backoffice::{AddressRole, NativeAddress, NativeOrder};
use datawald_core::model::Order;
use datawald_core::{Error, Result};

use super::header::set_addresses;
use crate::B1Settings;

const OPERATION: &str = "map address";

/// The address of `role`. The email of the ship-to address is often empty; the bill-to one stands in.
pub(super) fn address(settings: &B1Settings, order: &Order, role: AddressRole) -> Result<NativeAddress> {
    let (path, from) = match role {
        AddressRole::BillTo => ("addresses.billto", &order.addresses.billto),
        AddressRole::ShipTo => ("addresses.shipto", &order.addresses.shipto),
    };
    let clean = |name: &str, value: &str| -> Result<String> {
        let value = value.trim();
        // A street may have several lines; nothing else may.
        match value.chars().find(|c| c.is_control() && !(name == "address" && matches!(c, '\n' | '\r'))) {
            None => Ok(value.to_owned()),
            Some(c) => {
                let message = format!(
                    "holds a control character (U+{:04X}), which SAP B1 does not take: correct it in the shop",
                    u32::from(c)
                );
                Err(Error::invalid(OPERATION, message)
                    .entity(format!("order {}", order.fe_order_id))
                    .field(format!("{path}.{name}")))
            }
        }
    };
    let country = clean("country", &from.country)?;
    let region = clean("region", &from.region)?;
    let has_states = settings.states_countries.iter().any(|state| state.eq_ignore_ascii_case(&country));
    let (state, county) = if has_states { (region, String::new()) } else { (String::new(), region) };
    let email = if from.email.trim().is_empty() { &order.addresses.billto.email } else { &from.email };
    Ok(NativeAddress {
        firstname: clean("firstname", &from.firstname)?,
        lastname: clean("lastname", &from.lastname)?,
        email: clean("email", email)?,
        company: clean("companyname", &from.companyname)?,
        street: clean("address", &from.address)?,
        city: clean("city", &from.city)?,
        state,
        county,
        zipcode: clean("postcode", &from.postcode)?,
        country,
        telephone: clean("telephone", &from.telephone)?,
    })
}

/// The fields of a document that follow a change of addresses in the shop.
pub(super) fn changed(settings: &B1Settings, order: &Order) -> Result<NativeOrder> {
    let mut doc = NativeOrder::default();
    let billto = address(settings, order, AddressRole::BillTo)?;
    set_addresses(&mut doc, &billto, &address(settings, order, AddressRole::ShipTo)?);
    Ok(doc)
}
