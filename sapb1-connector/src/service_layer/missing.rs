//! Which of its codes an order was refused for: SAP B1 itself says no more than that there is no match.

use std::collections::BTreeSet;

use datawald_core::{Cx, Effect, Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::ServiceLayerClient;
use super::answer::Page;
use super::batch::Request;
use super::document::Translated;
use super::error::NO_MATCH;
use super::link::{query, quoted};
use super::send::send_all;
use crate::api::B1Absent;
use crate::fields;

const OPERATION: &str = "look up what SAP B1 lacks";

/// The customers and items that SAP B1 does not have, of those that refused orders name, in lower case: SQL Server
/// compares without case.
#[derive(Default)]
pub(super) struct Missing {
    customers: BTreeSet<String>,
    items: BTreeSet<String>,
}

impl Missing {
    /// Asks for all customers and items of `orders`. What cannot be asked for is not missing: SAP's own words stay then.
    pub(super) async fn of(client: &ServiceLayerClient, cx: &Cx, orders: &[&Translated]) -> Self {
        let customers = orders.iter().map(|order| order.card_code.as_str()).collect();
        let items = orders.iter().flat_map(|order| order.items()).map(|(_, code)| code).collect();
        let (customers, items) = tokio::join!(
            absent(client, cx, "BusinessPartners", fields::CARD_CODE, customers),
            absent(client, cx, "Items", fields::ITEM_CODE, items),
        );
        let known = |absent: Result<BTreeSet<String>>| {
            absent.unwrap_or_else(|error| {
                tracing::warn!(%error, "what SAP B1 lacks for a refused order cannot be told");
                BTreeSet::new()
            })
        };
        Self { customers: known(customers), items: known(items) }
    }

    /// Why `order` is refused, if it is for one of these.
    pub(super) fn error(&self, operation: &'static str, order: &Translated) -> Option<Error> {
        let (field, message) = if self.customers.contains(&order.card_code.to_lowercase()) {
            let message = format!(
                "SAP B1 has no customer `{}`: add it there, or correct the code in the settings",
                order.card_code
            );
            (fields::CARD_CODE.to_owned(), message)
        } else {
            let (line, code) = order.items().find(|(_, code)| self.items.contains(&code.to_lowercase()))?;
            let message = format!("SAP B1 has no item `{code}`: add it there, or correct the SKU in the shop");
            (format!("DocumentLines[{line}].{}", fields::ITEM_CODE), message)
        };
        Some(Error::refused(operation, message).field(field).code(NO_MATCH.to_string()))
    }
}

/// Those of the codes that SAP B1 does not have.
pub(super) async fn of(client: &ServiceLayerClient, cx: &Cx, wanted: &B1Absent) -> Result<B1Absent> {
    let codes = |wanted: &BTreeSet<String>, absent: BTreeSet<String>| {
        wanted.iter().filter(|code| absent.contains(&code.to_lowercase())).cloned().collect()
    };
    let customers = wanted.customers.iter().map(String::as_str).collect();
    let items = wanted.items.iter().map(String::as_str).collect();
    let (customers, items) = tokio::try_join!(
        absent(client, cx, "BusinessPartners", fields::CARD_CODE, customers),
        absent(client, cx, "Items", fields::ITEM_CODE, items),
    )?;
    Ok(B1Absent { customers: codes(&wanted.customers, customers), items: codes(&wanted.items, items) })
}

/// Those of `codes` that no entity of `set` has, in lower case.
async fn absent(
    client: &ServiceLayerClient,
    cx: &Cx,
    set: &'static str,
    property: &'static str,
    codes: BTreeSet<&str>,
) -> Result<BTreeSet<String>> {
    let codes: Vec<&str> = codes.into_iter().collect();
    let ask = |codes: &[&str]| {
        let any: Vec<String> = codes.iter().map(|code| format!("{property} eq {}", quoted(code))).collect();
        let filter = any.join(" or ");
        let path = query(set, &[("$select", property), ("$filter", &filter), ("$orderby", property)]);
        Request::get(path).header("Prefer", client.prefer())
    };
    let requests: Vec<Request> = codes.chunks(client.settings.requests.lookup_batch).map(ask).collect();
    let mut absent: BTreeSet<String> = codes.iter().map(|code| code.to_lowercase()).collect();
    for answer in send_all(client, cx, OPERATION, Effect::Read, 1, &requests).await {
        let page: Page<Map<String, Value>> = Page::read(&answer?.body).map_err(|error| {
            let message = format!("the answer is no page (line {}, column {})", error.line(), error.column());
            Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, OPERATION, message)
        })?;
        let next = client.next_page(OPERATION, page.next_link.as_deref())?;
        for row in client.rows_from(cx, OPERATION, page.value, next).await? {
            if let Some(code) = row.get(property).and_then(Value::as_str) {
                absent.remove(&code.trim_end().to_lowercase());
            }
        }
    }
    Ok(absent)
}
