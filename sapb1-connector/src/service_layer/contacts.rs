//! Contact persons of customers: found, or added.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use datawald_core::clock::later;
use datawald_core::{Cx, Disposition, Effect, ErrorKind, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OwnedMutexGuard;

use super::batch::Request;
use super::document::{Person, Translated};
use super::link::{query, text_key};
use super::send::send_all;
use super::{Contacts, ServiceLayerClient};

const FIND: &str = "look up contact persons in SAP B1";
const ADD: &str = "add contact persons in SAP B1";

/// The longest name of a contact person (`OCPR.Name`).
const NAME_LIMIT: usize = 50;
/// The longest telephone number.
pub(super) const PHONE_LIMIT: usize = 20;

/// How many customers' contact persons are kept in memory.
const MOST_HELD: usize = 10_000;

/// The contact persons of customers that were asked for. Whoever works on a customer's holds its lock meanwhile, so that two
/// batches do not add the same person.
#[derive(Default)]
pub(super) struct Held(Mutex<HashMap<String, Arc<tokio::sync::Mutex<OfCustomer>>>>);

/// The contact persons of a customer, once they are known.
#[derive(Default)]
struct OfCustomer {
    fresh_until: Option<Timestamp>,
    contacts: Vec<Contact>,
}

/// A contact person.
#[derive(Clone, Deserialize)]
pub(super) struct Contact {
    #[serde(rename = "InternalCode")]
    code: Option<i64>,
    #[serde(default, rename = "Name")]
    pub(super) name: Option<String>,
    #[serde(default, rename = "FirstName")]
    first_name: Option<String>,
    #[serde(default, rename = "LastName")]
    last_name: Option<String>,
    #[serde(default, rename = "E_Mail")]
    email: Option<String>,
}

/// A customer with its contact persons.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WithContacts {
    pub(super) card_code: String,
    #[serde(default)]
    pub(super) contact_employees: Vec<Contact>,
}

impl Held {
    fn of(&self, card_code: &str) -> Arc<tokio::sync::Mutex<OfCustomer>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MOST_HELD && !held.contains_key(card_code) {
            // Those that somebody works on stay.
            held.retain(|_, customer| Arc::strong_count(customer) > 1);
        }
        held.entry(card_code.to_owned()).or_default().clone()
    }

    /// Takes over what an answer about a customer told besides, unless somebody works on that one.
    pub(super) fn learn(&self, client: &ServiceLayerClient, cx: &Cx, card_code: &str, contacts: Vec<Contact>) {
        if let Ok(mut customer) = self.of(card_code).try_lock() {
            *customer = OfCustomer { fresh_until: Some(fresh_until(client, cx)), contacts };
        }
    }
}

fn fresh_until(client: &ServiceLayerClient, cx: &Cx) -> Timestamp {
    later(cx.steady(), client.settings.requests.codes_fresh())
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

/// Customers by code, each locked.
type Locked = BTreeMap<String, OwnedMutexGuard<OfCustomer>>;

/// Gives each document the code of its contact person.
///
/// # Errors
/// If customers cannot be asked for. Nothing was sent for the orders then.
pub(super) async fn add_contacts(client: &ServiceLayerClient, cx: &Cx, mut orders: Vec<&mut Translated>) -> Result<()> {
    if client.settings.contacts == Contacts::Leave {
        return Ok(());
    }
    let named = |order: &&mut Translated| order.person.as_ref().is_some_and(|person| !person.name().is_empty());
    orders.retain(named);
    let card_codes: BTreeSet<String> = orders.iter().map(|order| order.card_code.clone()).collect();
    let mut locked = Locked::new();
    // In the order of their codes, so that two batches never wait for each other.
    for card_code in card_codes {
        let customer = client.contacts.of(&card_code).lock_owned().await;
        locked.insert(card_code, customer);
    }
    fetch(client, cx, &mut locked).await?;
    if client.settings.contacts == Contacts::Make {
        let wanted = wanted(client, &locked, &orders);
        make(client, cx, &mut locked, wanted).await?;
    }
    for order in orders {
        let contacts = locked.get(&order.card_code).map(|customer| &customer.contacts);
        let code = order.person.as_ref().zip(contacts).and_then(|(person, contacts)| {
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

/// Reads the contact persons of customers that are not fresh. Of a customer that is not there none are known; its orders are
/// refused with SAP's own words.
async fn fetch(client: &ServiceLayerClient, cx: &Cx, locked: &mut Locked) -> Result<()> {
    let now = cx.steady();
    let old: Vec<_> = locked
        .iter_mut()
        .filter(|(_, customer)| customer.fresh_until.is_none_or(|until| until <= now))
        .map(|(card_code, customer)| {
            **customer = OfCustomer::default();
            (card_code, customer)
        })
        .collect();
    let requests: Vec<Request> = old.iter().map(|(card_code, _)| ask(card_code)).collect();
    let answers = send_all(client, cx, FIND, Effect::Read, client.settings.requests.write_batch, &requests).await;
    for ((card_code, customer), answer) in old.into_iter().zip(answers) {
        match answer {
            Ok(done) => {
                let partner: WithContacts = done.read(FIND)?;
                if partner.card_code == *card_code {
                    let fresh_until = Some(fresh_until(client, cx));
                    **customer = OfCustomer { fresh_until, contacts: partner.contact_employees };
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The persons that are to be added to customers.
fn wanted(client: &ServiceLayerClient, locked: &Locked, orders: &[&mut Translated]) -> BTreeMap<String, Vec<Person>> {
    let mut wanted: BTreeMap<String, Vec<Person>> = BTreeMap::new();
    for order in orders {
        let Some((person, customer)) = order.person.as_ref().zip(locked.get(&order.card_code)) else { continue };
        let same = |other: &Person| {
            if person.email.trim().is_empty() { other == person } else { alike(&other.email, &person.email) }
        };
        let of_customer = wanted.entry(order.card_code.clone()).or_default();
        let room = customer.contacts.len() + of_customer.len() < client.settings.most_contacts;
        let is_there = customer.contacts.iter().any(|contact| contact.is(person)) || of_customer.iter().any(same);
        if customer.fresh_until.is_some() && room && !is_there {
            of_customer.push(person.clone());
        }
    }
    wanted.retain(|_, persons| !persons.is_empty());
    wanted
}

/// Adds contact persons to customers and reads their codes, in one batch. What SAP B1 refuses stays without.
async fn make(
    client: &ServiceLayerClient,
    cx: &Cx,
    locked: &mut Locked,
    wanted: BTreeMap<String, Vec<Person>>,
) -> Result<()> {
    let mut requests = Vec::with_capacity(wanted.len() * 2);
    for (card_code, persons) in &wanted {
        let held = locked.get(card_code).map(|customer| customer.contacts.as_slice()).unwrap_or_default();
        let mut names: BTreeSet<String> =
            held.iter().filter_map(|contact| Some(contact.name.as_ref()?.to_lowercase())).collect();
        let contacts: Vec<_> = persons.iter().map(|person| contact(person, &mut names)).collect();
        let path = format!("BusinessPartners{}", text_key(card_code));
        requests.push(Request::patch(path, json!({ "ContactEmployees": contacts }).to_string()));
        requests.push(ask(card_code));
    }
    // As many requests as orders' worth of them, twice: adding and reading again.
    let size = client.settings.requests.write_batch.saturating_mul(2);
    // A name is unique at its customer, so whatever is sent twice is refused the second time.
    let answers = send_all(client, cx, ADD, Effect::IdempotentWrite, size, &requests).await;
    for (card_code, pair) in wanted.keys().zip(answers.chunks(2)) {
        let ([added, read_again], Some(customer)) = (pair, locked.get_mut(card_code)) else { continue };
        // What is not known for sure is asked for again.
        **customer = OfCustomer::default();
        if let Err(error) = added {
            if !matches!(error.disposition(), Disposition::Rejected) {
                return Err(error.clone());
            }
            // SAP's words may name the person.
            let code = error.code_text();
            tracing::warn!(customer = card_code, code, "orders go without contact persons that SAP B1 refused");
        }
        match read_again {
            Ok(done) => {
                let partner: WithContacts = done.read(ADD)?;
                let fresh_until = Some(fresh_until(client, cx));
                **customer = OfCustomer { fresh_until, contacts: partner.contact_employees };
            }
            Err(error) => return Err(error.clone()),
        }
    }
    Ok(())
}

/// A contact under a name that nobody else has at the customer.
pub(super) fn contact(person: &Person, names: &mut BTreeSet<String>) -> serde_json::Value {
    let whole = person.name();
    let mut name: String = whole.chars().take(NAME_LIMIT).collect();
    let mut number = 2;
    while !names.insert(name.to_lowercase()) {
        let start: String = whole.chars().take(NAME_LIMIT - 6).collect();
        name = format!("{start} {number}");
        number += 1;
    }
    let mut contact = json!({ "Name": name });
    let phone: String = person.phone.trim().chars().take(PHONE_LIMIT).collect();
    let first: String = person.first_name.trim().chars().take(NAME_LIMIT).collect();
    let last: String = person.last_name.trim().chars().take(NAME_LIMIT).collect();
    let parts =
        [("FirstName", first), ("LastName", last), ("E_Mail", person.email.trim().to_owned()), ("Phone1", phone)];
    for (name, text) in parts {
        if !text.is_empty() {
            contact[name] = text.into();
        }
    }
    contact
}
