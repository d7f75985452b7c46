//! Customers and their contact persons: found, or made.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datawald_core::clock::later;
use datawald_core::{Cx, Disposition, Effect, Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::ServiceLayerClient;
use super::answer::Page;
use super::batch::Request;
use super::document::{Person, Translated};
use super::error::{DUPLICATE, has_code};
use super::link::{query, quoted, text_key};
use super::send::send_all;
use crate::api::{B1Partner, NewPartner};

const CONTACTS: &str = "look up contact persons in SAP B1";
const ADD_CONTACTS: &str = "add contact persons in SAP B1";
const PARTNERS: &str = "look up customers in SAP B1";
const ADD_PARTNERS: &str = "add customers in SAP B1";

/// The longest name of a contact person or customer (`OCPR.Name`, `OCRD.CardName`).
const CONTACT_NAME_LIMIT: usize = 50;
const CARD_NAME_LIMIT: usize = 100;
/// The longest telephone number.
const PHONE_LIMIT: usize = 20;

/// How many customers' contacts are kept in memory.
const MOST_HELD: usize = 10_000;

/// The contact persons of customers that were asked for, and until when they are fresh.
#[derive(Default)]
pub(super) struct Contacts(HashMap<String, (Timestamp, Vec<Contact>)>);

#[derive(Clone, Deserialize)]
struct Contact {
    #[serde(rename = "InternalCode")]
    code: Option<i64>,
    #[serde(default, rename = "Name")]
    name: Option<String>,
    #[serde(default, rename = "FirstName")]
    first_name: Option<String>,
    #[serde(default, rename = "LastName")]
    last_name: Option<String>,
    #[serde(default, rename = "E_Mail")]
    email: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WithContacts {
    card_code: String,
    #[serde(default)]
    contact_employees: Vec<Contact>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WithEmail {
    card_code: String,
    email_address: Option<String>,
}

/// Whether two texts are alike but for case and blanks around.
fn alike(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

impl Contact {
    fn is(&self, person: &Person) -> bool {
        let held = |field: &Option<String>| field.clone().unwrap_or_default();
        if !person.email.trim().is_empty() {
            return alike(&held(&self.email), &person.email);
        }
        alike(&held(&self.first_name), &person.first_name) && alike(&held(&self.last_name), &person.last_name)
    }
}

/// Gives each document the code of its contact person.
///
/// # Errors
/// If customers cannot be asked for. Nothing was sent for the orders then.
pub(super) async fn add_contacts(client: &ServiceLayerClient, cx: &Cx, mut orders: Vec<&mut Translated>) -> Result<()> {
    if client.settings.contacts == super::Contacts::Leave {
        return Ok(());
    }
    // One at a time, so that two batches do not add the same person.
    let mut held = client.contacts.lock().await;
    let now = cx.now();
    held.0.retain(|_, (fresh_until, _)| now < *fresh_until);
    if held.0.len() > MOST_HELD {
        held.0.clear();
    }
    let named = |order: &&mut Translated| order.person.as_ref().is_some_and(|person| !person.name().is_empty());
    orders.retain(named);
    let missing: BTreeSet<String> = orders.iter().map(|order| order.card_code.clone()).collect();
    let missing: Vec<String> = missing.into_iter().filter(|code| !held.0.contains_key(code)).collect();
    fetch(client, cx, &mut held, &missing).await?;
    if client.settings.contacts == super::Contacts::Make {
        let mut wanted: BTreeMap<&str, Vec<&Person>> = BTreeMap::new();
        for order in &orders {
            let Some(person) = &order.person else { continue };
            let Some((_, contacts)) = held.0.get(&order.card_code) else { continue };
            let of_customer = wanted.entry(&order.card_code).or_default();
            let same = |other: &&Person| {
                if person.email.trim().is_empty() { *other == person } else { alike(&other.email, &person.email) }
            };
            if !contacts.iter().any(|contact| contact.is(person)) && !of_customer.iter().any(same) {
                of_customer.push(person);
            }
        }
        wanted.retain(|_, persons| !persons.is_empty());
        make(client, cx, &mut held, wanted).await?;
    }
    for order in orders {
        let contacts = held.0.get(&order.card_code);
        let code = order.person.as_ref().zip(contacts).and_then(|(person, (_, contacts))| {
            contacts.iter().find(|contact| contact.is(person)).and_then(|contact| contact.code)
        });
        if let Some(code) = code {
            order.set_contact(code);
        }
    }
    Ok(())
}

fn ask(card_code: &str) -> Request {
    let path = format!("BusinessPartners{}", text_key(card_code));
    Request::get(query(&path, &[("$select", "CardCode,ContactEmployees")]))
}

/// Reads the contacts of customers. One that is not there has none; its orders are refused with SAP's own words.
async fn fetch(client: &ServiceLayerClient, cx: &Cx, held: &mut Contacts, card_codes: &[String]) -> Result<()> {
    let requests: Vec<Request> = card_codes.iter().map(|code| ask(code)).collect();
    let size = client.settings.requests.write_batch;
    let answers = send_all(client, cx, CONTACTS, Effect::Read, size, &requests).await;
    let fresh_until = later(cx.now(), client.settings.requests.codes_fresh());
    for (card_code, answer) in card_codes.iter().zip(answers) {
        match answer {
            Ok(done) => {
                let partner: WithContacts = read(CONTACTS, &done.body)?;
                if partner.card_code == *card_code {
                    held.0.insert(card_code.clone(), (fresh_until, partner.contact_employees));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Adds contacts to customers and reads their codes, in one batch. What SAP B1 refuses stays without.
async fn make(
    client: &ServiceLayerClient,
    cx: &Cx,
    held: &mut Contacts,
    wanted: BTreeMap<&str, Vec<&Person>>,
) -> Result<()> {
    let mut requests = Vec::with_capacity(wanted.len() * 2);
    for (card_code, persons) in &wanted {
        let mut names: BTreeSet<String> = BTreeSet::new();
        if let Some((_, contacts)) = held.0.get(*card_code) {
            names.extend(contacts.iter().filter_map(|contact| Some(contact.name.as_ref()?.to_lowercase())));
        }
        let contacts: Vec<_> = persons.iter().map(|person| contact(person, &mut names)).collect();
        let path = format!("BusinessPartners{}", text_key(card_code));
        requests.push(Request::patch(path, json!({ "ContactEmployees": contacts }).to_string()));
        requests.push(ask(card_code));
    }
    let size = client.settings.requests.write_batch;
    // A name is unique at its customer, so whatever is sent twice is refused the second time.
    let answers = send_all(client, cx, ADD_CONTACTS, Effect::IdempotentWrite, size, &requests).await;
    let fresh_until = later(cx.now(), client.settings.requests.codes_fresh());
    for (card_code, pair) in wanted.keys().zip(answers.chunks(2)) {
        let [added, read_again] = pair else { continue };
        if let Err(error) = added {
            held.0.remove(*card_code);
            if !matches!(error.disposition(), Disposition::Rejected) {
                return Err(error.clone());
            }
            // SAP's words may name the person.
            let code = error.code_text();
            tracing::warn!(customer = card_code, code, "orders go without contact persons that SAP B1 refused");
        }
        match read_again {
            Ok(done) => {
                let partner: WithContacts = read(ADD_CONTACTS, &done.body)?;
                held.0.insert((*card_code).to_owned(), (fresh_until, partner.contact_employees));
            }
            Err(error) => return Err(error.clone()),
        }
    }
    Ok(())
}

/// A contact under a name that nobody else has at the customer.
fn contact(person: &Person, names: &mut BTreeSet<String>) -> serde_json::Value {
    let whole = person.name();
    let mut name: String = whole.chars().take(CONTACT_NAME_LIMIT).collect();
    let mut number = 2;
    while !names.insert(name.to_lowercase()) {
        let start: String = whole.chars().take(CONTACT_NAME_LIMIT - 6).collect();
        name = format!("{start} {number}");
        number += 1;
    }
    let mut contact = json!({ "Name": name });
    let phone: String = person.phone.trim().chars().take(PHONE_LIMIT).collect();
    let first: String = person.first_name.trim().chars().take(CONTACT_NAME_LIMIT).collect();
    let last: String = person.last_name.trim().chars().take(CONTACT_NAME_LIMIT).collect();
    let parts =
        [("FirstName", first), ("LastName", last), ("E_Mail", person.email.trim().to_owned()), ("Phone1", phone)];
    for (name, text) in parts {
        if !text.is_empty() {
            contact[name] = text.into();
        }
    }
    contact
}

/// The codes of customers by email, made where there is none and one is wanted; `None` where there is none.
pub(super) async fn partners(
    client: &ServiceLayerClient,
    cx: &Cx,
    wanted: &[B1Partner],
) -> Result<Vec<Result<Option<String>>>> {
    let emails: BTreeSet<String> = wanted.iter().map(|partner| partner.email.trim().to_owned()).collect();
    // The database may or may not heed case.
    let spelt: BTreeSet<String> = emails.iter().flat_map(|email| [email.clone(), email.to_lowercase()]).collect();
    let spelt: Vec<String> = spelt.into_iter().filter(|email| !email.is_empty()).collect();
    let chunks: Vec<&[String]> = spelt.chunks(client.settings.requests.lookup_batch).collect();
    let requests: Vec<Request> = chunks
        .iter()
        .map(|emails| {
            let any: Vec<_> = emails.iter().map(|email| format!("EmailAddress eq {}", quoted(email))).collect();
            let filter = format!("CardType eq 'cCustomer' and ({})", any.join(" or "));
            let options =
                [("$select", "CardCode,EmailAddress"), ("$filter", filter.as_str()), ("$orderby", "CardCode")];
            Request::get(query("BusinessPartners", &options)).header("Prefer", client.prefer())
        })
        .collect();
    let mut found: HashMap<String, String> = HashMap::new();
    for answer in send_all(client, cx, PARTNERS, Effect::Read, 10, &requests).await {
        let page: Page<WithEmail> = read(PARTNERS, &answer?.body)?;
        let next = client.next_page(PARTNERS, page.next_link.as_deref())?;
        for row in client.rows_from(cx, PARTNERS, page.value, next).await? {
            // Of several with one email the first in the order of codes.
            let email = row.email_address.unwrap_or_default().trim().to_lowercase();
            found.entry(email).or_insert(row.card_code);
        }
    }
    make_partners(client, cx, wanted, &mut found).await
}

async fn make_partners(
    client: &ServiceLayerClient,
    cx: &Cx,
    wanted: &[B1Partner],
    found: &mut HashMap<String, String>,
) -> Result<Vec<Result<Option<String>>>> {
    let mut new: BTreeMap<&str, (String, &NewPartner)> = BTreeMap::new();
    for partner in wanted {
        let email = partner.email.trim().to_lowercase();
        if let Some(make) = partner.make.as_ref().filter(|_| !found.contains_key(&email)) {
            new.entry(&make.card_code).or_insert((email, make));
        }
    }
    let requests: Vec<Request> = new.values().map(|(email, make)| add(email, make)).collect();
    let size = client.settings.requests.write_batch;
    // The code is the same each time, so whatever is sent twice is refused the second time.
    let answers = send_all(client, cx, ADD_PARTNERS, Effect::IdempotentWrite, size, &requests).await;
    let mut failed: HashMap<String, Error> = HashMap::new();
    for ((card_code, (email, _)), answer) in new.into_iter().zip(answers) {
        match answer {
            Ok(_) => {
                found.insert(email, card_code.to_owned());
            }
            Err(error) if has_code(&error, DUPLICATE) => {
                found.insert(email, card_code.to_owned());
            }
            Err(error) => {
                failed.insert(email, error);
            }
        }
    }
    let answer = |partner: &B1Partner| {
        let email = partner.email.trim().to_lowercase();
        match (found.get(&email), failed.get(&email)) {
            (Some(code), _) => Ok(Some(code.clone())),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Ok(None),
        }
    };
    Ok(wanted.iter().map(answer).collect())
}

fn add(email: &str, make: &NewPartner) -> Request {
    let cut = |text: &str, limit: usize| text.trim().chars().take(limit).collect::<String>();
    let mut body = json!({
        "CardCode": make.card_code,
        "CardName": cut(&make.name, CARD_NAME_LIMIT),
        "CardType": "cCustomer",
        "Currency": "##",
    });
    for (name, text) in [("EmailAddress", email.to_owned()), ("Phone1", cut(&make.phone, PHONE_LIMIT))] {
        if !text.is_empty() {
            body[name] = text.into();
        }
    }
    Request::post("BusinessPartners".into(), Some(body.to_string()))
}

fn read<T: serde::de::DeserializeOwned>(operation: &'static str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("the answer is of another shape (line {}, column {})", error.line(), error.column());
        Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, operation, message)
    })
}
