//! Which customer an order belongs to.

use datawald_core::model::Order;
use datawald_core::{Cx, Result};

use super::header::rejected;
use crate::{B1Api, B1Partner, B1Settings, NewPartner, fields};

const OPERATION: &str = "find customer";

/// The customers' codes: by the table of emails, then by a search for the email in SAP B1, where it may be made, then by
/// group, then the default.
pub(super) async fn codes(
    settings: &B1Settings,
    api: &dyn B1Api,
    cx: &Cx,
    orders: &[&Order],
) -> Result<Vec<Result<String>>> {
    let mut codes: Vec<Option<Result<String>>> = orders.iter().map(|order| by_email(settings, order).map(Ok)).collect();
    if settings.customer.search {
        let mut asked = Vec::new();
        let mut places = Vec::new();
        for (place, order) in orders.iter().enumerate() {
            if codes.get(place).is_some_and(Option::is_none) && !email(order).is_empty() {
                match partner(settings, order) {
                    Ok(partner) => {
                        asked.push(partner);
                        places.push(place);
                    }
                    Err(error) => set(&mut codes, place, Some(Err(error))),
                }
            }
        }
        if !asked.is_empty() {
            for (place, found) in places.into_iter().zip(api.partners(cx, &asked).await?) {
                set(&mut codes, place, found.transpose());
            }
        }
    }
    let rest = |(code, order): (Option<Result<String>>, &&Order)| code.unwrap_or_else(|| by_group(settings, order));
    Ok(codes.into_iter().zip(orders).map(rest).collect())
}

fn set(codes: &mut [Option<Result<String>>], place: usize, code: Option<Result<String>>) {
    if let Some(slot) = codes.get_mut(place) {
        *slot = code;
    }
}

/// The email as the order has it: a database that heeds case finds it in no other.
fn email(order: &Order) -> &str {
    order.addresses.billto.email.trim()
}

fn by_email(settings: &B1Settings, order: &Order) -> Option<String> {
    let email = email(order).to_lowercase();
    let entry =
        settings.customer.by_email.iter().find(|(key, _)| !email.is_empty() && key.trim().to_lowercase() == email);
    entry.map(|(_, code)| code.clone())
}

fn by_group(settings: &B1Settings, order: &Order) -> Result<String> {
    let rule = &settings.customer;
    rule.by_group.get(&order.fe_customer_group).or(rule.default.as_ref()).cloned().ok_or_else(|| {
        let message = format!(
            "no SAP B1 customer code is configured: add the customer's email to `customer.by_email`, the group `{}` to \
             `customer.by_group`, or a `customer.default`",
            order.fe_customer_group
        );
        rejected(OPERATION, order, "fe_customer_id", message)
    })
}

/// What is looked for, and what is made if it is not there.
fn partner(settings: &B1Settings, order: &Order) -> Result<B1Partner> {
    let number = order.fe_customer_id.as_deref().map(str::trim).filter(|number| !number.is_empty());
    let make = match (&settings.customer.make, number) {
        (Some(make), Some(number)) => {
            let card_code = format!("{}{number}", make.prefix);
            let length = card_code.chars().count();
            if length > fields::CARD_CODE_LIMIT || !card_code.chars().all(|c| c.is_ascii_alphanumeric()) {
                let message = format!(
                    "gives no customer code with the prefix: SAP B1's have at most {} characters, and only letters and \
                     digits are written",
                    fields::CARD_CODE_LIMIT
                );
                return Err(rejected(OPERATION, order, "fe_customer_id", message));
            }
            let billto = &order.addresses.billto;
            let (first_name, last_name) = (billto.firstname.trim(), billto.lastname.trim());
            let person = format!("{first_name} {last_name}").trim().to_owned();
            let company = billto.companyname.trim();
            let name = if company.is_empty() { person } else { company.to_owned() };
            let (first_name, last_name) = (first_name.to_owned(), last_name.to_owned());
            Some(NewPartner { card_code, name, first_name, last_name, phone: billto.telephone.trim().to_owned() })
        }
        _ => None,
    };
    Ok(B1Partner { email: email(order).to_owned(), make })
}
