//! Customers: found by email, or made.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datawald_core::{Cx, Effect, Error, Result};
use serde::Deserialize;
use serde_json::json;

use super::answer::Page;
use super::batch::Request;
use super::contacts::{Contact, PHONE_LIMIT, contact};
use super::document::Person;
use super::error::{DUPLICATE, has_code};
use super::link::{query, quoted};
use super::send::send_all;
use super::{Contacts, ServiceLayerClient};
use crate::api::{B1Partner, NewPartner};

const PARTNERS: &str = "look up customers in SAP B1";
const ADD_PARTNERS: &str = "add customers in SAP B1";

/// The longest name of a customer (`OCRD.CardName`).
const CARD_NAME_LIMIT: usize = 100;

/// What is read of a customer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Customer {
    pub(super) card_code: String,
    pub(super) email_address: Option<String>,
    /// Only where contact persons matter.
    contact_employees: Option<Vec<Contact>>,
}

/// The codes of customers by email, made where there is none and one is wanted; `None` where there is none.
pub(super) async fn partners(
    client: &ServiceLayerClient,
    cx: &Cx,
    wanted: &[B1Partner],
) -> Result<Vec<Result<Option<String>>>> {
    let mut conditions: BTreeSet<String> = BTreeSet::new();
    for partner in wanted {
        let email = partner.email.trim();
        // The database may or may not heed case: as the order has it, and as those are written that are made here.
        for email in [email, &email.to_lowercase()].into_iter().filter(|email| !email.is_empty()) {
            conditions.insert(format!("EmailAddress eq {}", quoted(email)));
        }
        // Who has another email by now is there by the code that would be given again.
        if let Some(make) = &partner.make {
            conditions.insert(format!("CardCode eq {}", quoted(&make.card_code)));
        }
    }
    let conditions: Vec<String> = conditions.into_iter().collect();
    let mut select = "CardCode,EmailAddress".to_owned();
    if client.settings.contacts != Contacts::Leave {
        // Who ordered is looked for among them afterwards.
        select.push_str(",ContactEmployees");
    }
    let search = |conditions: &[String]| {
        let filter = format!("CardType eq 'cCustomer' and ({})", conditions.join(" or "));
        let options = [("$select", select.as_str()), ("$filter", filter.as_str()), ("$orderby", "CardCode")];
        Request::get(query("BusinessPartners", &options)).header("Prefer", client.prefer())
    };
    let requests: Vec<Request> = conditions.chunks(client.settings.requests.lookup_batch).map(search).collect();
    let mut known = Known::default();
    for answer in send_all(client, cx, PARTNERS, Effect::Read, 10, &requests).await {
        let page: Page<Customer> = answer?.read(PARTNERS)?;
        let next = client.next_page(PARTNERS, page.next_link.as_deref())?;
        for row in client.rows_from(cx, PARTNERS, page.value, next).await? {
            known.add(client, cx, row);
        }
    }
    let failed = make(client, cx, wanted, &mut known).await;
    let answer = |partner: &B1Partner| match (known.code(partner), &partner.make) {
        (Some(code), _) => Ok(Some(code.to_owned())),
        (None, Some(make)) => failed.get(make.card_code.as_str()).map_or(Ok(None), |error| Err(error.clone())),
        (None, None) => Ok(None),
    };
    Ok(wanted.iter().map(answer).collect())
}

/// Codes of customers that are there, by email and by code, without regard to case.
#[derive(Default)]
struct Known {
    by_email: HashMap<String, String>,
    by_code: HashMap<String, String>,
}

impl Known {
    fn add(&mut self, client: &ServiceLayerClient, cx: &Cx, row: Customer) {
        if let Some(contacts) = row.contact_employees {
            client.contacts.learn(client, cx, &row.card_code, contacts);
        }
        let email = row.email_address.unwrap_or_default().trim().to_lowercase();
        if !email.is_empty() {
            // Of several with one email the first in the order of codes.
            self.by_email.entry(email).or_insert_with(|| row.card_code.clone());
        }
        self.by_code.insert(row.card_code.to_lowercase(), row.card_code);
    }

    fn code(&self, partner: &B1Partner) -> Option<&str> {
        let by_email = self.by_email.get(&partner.email.trim().to_lowercase());
        let by_code = || self.by_code.get(&partner.make.as_ref()?.card_code.to_lowercase());
        by_email.or_else(by_code).map(String::as_str)
    }
}

/// Makes the customers that are not known; answers which could not be made, by code.
async fn make<'a>(
    client: &ServiceLayerClient,
    cx: &Cx,
    wanted: &'a [B1Partner],
    known: &mut Known,
) -> HashMap<&'a str, Error> {
    let mut new: BTreeMap<&str, (&str, &NewPartner)> = BTreeMap::new();
    for partner in wanted.iter().filter(|partner| known.code(partner).is_none()) {
        if let Some(make) = &partner.make {
            new.entry(&make.card_code).or_insert((&partner.email, make));
        }
    }
    let requests: Vec<Request> = new.values().map(|(email, make)| add(client, email, make)).collect();
    let size = client.settings.requests.write_batch;
    // The code is the same each time, so whatever is sent twice is refused the second time.
    let answers = send_all(client, cx, ADD_PARTNERS, Effect::IdempotentWrite, size, &requests).await;
    let mut failed = HashMap::new();
    for (card_code, answer) in new.into_keys().zip(answers) {
        let is_there = || Customer { card_code: card_code.to_owned(), email_address: None, contact_employees: None };
        match answer {
            Ok(done) => known.add(client, cx, done.read(ADD_PARTNERS).unwrap_or_else(|_| is_there())),
            // Another was quicker.
            Err(error) if has_code(&error, DUPLICATE) => known.add(client, cx, is_there()),
            Err(error) => {
                failed.insert(card_code, error);
            }
        }
    }
    failed
}

fn add(client: &ServiceLayerClient, email: &str, make: &NewPartner) -> Request {
    // In one form, so that an order that writes it in another case finds it.
    let email = email.trim().to_lowercase();
    let cut = |text: &str, limit: usize| text.trim().chars().take(limit).collect::<String>();
    let mut body = json!({
        "CardCode": make.card_code,
        "CardName": cut(&make.name, CARD_NAME_LIMIT),
        "CardType": "cCustomer",
        "Currency": "##",
    });
    for (name, text) in [("EmailAddress", email.clone()), ("Phone1", cut(&make.phone, PHONE_LIMIT))] {
        if !text.is_empty() {
            body[name] = text.into();
        }
    }
    let person = Person {
        first_name: make.first_name.clone(),
        last_name: make.last_name.clone(),
        email,
        phone: make.phone.clone(),
        company: String::new(),
    };
    if client.settings.contacts == Contacts::Make && client.settings.most_contacts > 0 && !person.name().is_empty() {
        body["ContactEmployees"] = json!([contact(&person, &mut BTreeSet::new())]);
    }
    Request::post("BusinessPartners".into(), Some(body.to_string()))
}
