//! Orders: looked up, inserted, cancelled, changed.

use datawald_backoffice::{Backoffice, Found, Reference};
use datawald_core::Disposition;
use rust_decimal::Decimal;
use sapb1_connector::sandbox::service_layer::{Faults, NextLink, SandboxOptions};
use sapb1_connector::service_layer::Contacts;
use sapb1_connector::{B1Api, B1Partner, NewPartner, ServiceLayerClient};
use serde_json::json;

use super::{ROOTS, connection, plain, world};
use crate::common::*;

/// A company in which not every customer is there already.
fn few_customers() -> SandboxOptions {
    SandboxOptions { customers: Some(["C20000".to_owned()].into()), ..SandboxOptions::default() }
}

/// The customer must be there for a contact to be added. Somebody else adds it, so that the client does not know it yet.
async fn add_customer(world: &super::World) {
    let other = ServiceLayerClient::new(connection(&world.sandbox, &settings(""), ROOTS[1])).unwrap();
    let make = Some(NewPartner { card_code: "C20000".into(), name: "Web".into(), ..NewPartner::default() });
    other.partners(&cx(), &[B1Partner { email: "web@example.com".into(), make }]).await.unwrap();
}

#[tokio::test]
async fn an_order_is_made_whole_found_and_cancelled() {
    for root in ROOTS {
        let world = plain(root).await;
        add_customer(&world).await;
        let docs = world.documents(2).await;
        let keys: Vec<String> = world.insert(&docs).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(keys, ["536", "537"]);
        let made = world.sandbox.document("1").unwrap();
        assert_eq!((made.total, made.card_code.as_str()), (Decimal::new(39687, 2), "C20000"));
        let body = &made.body;
        assert_eq!(body["TransportationCode"], 1);
        assert_eq!(body["DocumentAdditionalExpenses"][0]["ExpenseCode"], 1);
        assert_eq!(body["AddressExtension"]["ShipToCity"], "Calder");
        assert_eq!(body["AddressExtension"]["BillToAddress2"], "Veronica Costello");
        assert!(body["ContactPersonCode"].is_number(), "{root:?}");
        assert_eq!(body["ContactPersonCode"], world.sandbox.document("2").unwrap().body["ContactPersonCode"]);

        let found = world.agency.look_up_orders(&cx(), &references(["2", "none", "1"])).await.unwrap();
        let open = |key: &str| Found::Open(crate::common::found(key));
        assert_eq!(found, [open("537"), Found::Missing, open("536")]);

        let reference = references(["1"]).remove(0);
        let note = world.agency.cancel_orders(&cx(), &[(&reference, "536")]).await.unwrap().remove(0).unwrap();
        assert_eq!(note, "cancelled in SAP B1 (DocEntry 536)");
        let found = world.agency.look_up_orders(&cx(), std::slice::from_ref(&reference)).await.unwrap();
        assert_eq!(found, [Found::Cancelled(crate::common::found("536"))]);
        let again = world.agency.cancel_orders(&cx(), &[(&reference, "536")]).await.unwrap().remove(0).unwrap_err();
        assert_eq!(again.disposition(), Disposition::Rejected);
    }
}

#[tokio::test]
async fn a_hundred_numbers_take_one_request_and_text_of_any_kind_is_found() {
    for root in ROOTS {
        let world = plain(root).await;
        let mut docs = world.documents(3).await;
        for (doc, number) in docs.iter_mut().zip(["O'Neil & Söhne", "50% + #1 / \"x\" (é)", "''"]) {
            doc.reference = number.into();
            doc.set("NumAtCard", number);
        }
        assert!(world.insert(&docs).await.iter().all(Result::is_ok));
        let before = world.client.requests_sent();
        let mut numbers: Vec<String> = (0..97).map(|i| format!("none-{i}")).collect();
        numbers.extend(docs.iter().map(|doc| doc.reference.clone()));
        let found = world.client.look_up(&cx(), &references(numbers.iter().map(String::as_str))).await.unwrap();
        assert_eq!(found.iter().filter(|documents| documents.len() == 1).count(), 3);
        assert!(found[97..].iter().all(|documents| documents.len() == 1));
        assert_eq!(world.client.requests_sent() - before, 1);
    }
}

#[tokio::test]
async fn pages_are_followed_by_every_form_of_link() {
    for root in ROOTS {
        for next_link in
            [NextLink::Absolute, NextLink::Relative, NextLink::Encoded, NextLink::EmptyFirst, NextLink::Whole]
        {
            let expenses = (0..45).map(|i| format!("Expense {i}")).collect();
            let options = SandboxOptions { expenses, ..SandboxOptions::default() };
            let world = world(root, options, settings(""), |connection| connection.page_size = 2).await;
            world.faults(Faults { next_link, ..Faults::default() });
            assert_eq!(world.client.codes(&cx()).await.unwrap().expenses.len(), 45, "{next_link:?}");
            let doc = prepare_without_freight(&world).await;
            // More documents under one number than a page has.
            for _ in 0..5 {
                world.insert(std::slice::from_ref(&doc)).await.remove(0).unwrap();
            }
            let found = world.client.look_up(&cx(), &references(["1"])).await.unwrap();
            assert_eq!(found[0].len(), 5, "{root:?} {next_link:?}");
            // And a server that does not heed the size that is asked for.
            world.faults(Faults { next_link, ignore_page_size: true, ..Faults::default() });
            let found = world.client.look_up(&cx(), &references(["1"])).await.unwrap();
            assert_eq!(found[0].len(), 5, "{root:?} {next_link:?}");
        }
    }
}

async fn prepare_without_freight(world: &super::World) -> datawald_backoffice::NativeOrder {
    let items = vec![item("RACER", "1", "224", "0", "18.48")];
    prepare(&world.agency, &cx(), &order("1", items, "0")).await.unwrap()
}

#[tokio::test]
async fn a_user_defined_field_holds_the_number() {
    for root in ROOTS {
        let rules = settings("reference.udf = \"U_WebOrder\"");
        let world = world(root, few_customers(), rules, |_| {}).await;
        let docs = world.documents(1).await;
        world.insert(&docs).await.remove(0).unwrap();
        let reference = Reference { field: Some("U_WebOrder".into()), value: "1".into() };
        assert_eq!(world.client.look_up(&cx(), &[reference]).await.unwrap()[0].len(), 1);
        assert_eq!(world.client.look_up(&cx(), &references(["1"])).await.unwrap()[0].len(), 0);
    }
}

#[tokio::test]
async fn a_document_in_another_currency_comes_to_what_was_charged() {
    for root in ROOTS {
        let world = plain(root).await;
        let mut euros = plain_order("1");
        euros.currency = "EUR".into();
        let doc = prepare(&world.agency, &cx(), &euros).await.unwrap();
        world.insert(&[doc]).await.remove(0).unwrap();
        let made = world.sandbox.document("1").unwrap();
        assert_eq!((made.currency.as_str(), made.total), ("EUR", euros.grand_total));

        euros.currency = "CHF".into();
        let refused = prepare(&world.agency, &cx(), &euros).await.unwrap_err();
        assert_eq!(refused.disposition(), Disposition::Rejected);
        assert!(refused.message().contains("CHF") && refused.message().contains("EUR, GBP, USD"), "{refused}");
    }
}

#[tokio::test]
async fn tax_groups_of_other_countries() {
    for root in ROOTS {
        let world = world(root, SandboxOptions::default(), settings(""), |connection| {
            connection.tax_table = sapb1_connector::service_layer::TaxTable::VatGroups;
        })
        .await;
        let docs = world.documents(1).await;
        world.insert(&docs).await.remove(0).unwrap();
        let made = world.sandbox.document("1").unwrap();
        assert_eq!((&made.body["DocumentLines"][0]["VatGroup"], made.total), (&json!("CA"), money("396.87")));
    }
}

#[tokio::test]
async fn addresses_of_an_open_document_follow_the_shop() {
    for root in ROOTS {
        let world = world(root, SandboxOptions::default(), settings("changes = \"addresses\""), |_| {}).await;
        let docs = world.documents(2).await;
        assert!(world.insert(&docs).await.iter().all(Result::is_ok));
        let reference = references(["2"]).remove(0);
        world.agency.cancel_orders(&cx(), &[(&reference, "537")]).await.unwrap().remove(0).unwrap();
        let (mut moved, gone) = (plain_order("1"), plain_order("2"));
        moved.addresses.shipto.city = "Elsewhere".into();
        let notes = world.agency.update_orders(&cx(), &[(&moved, "536"), (&gone, "537"), (&gone, "draft 7")]).await;
        let notes: Vec<String> = notes.unwrap().into_iter().map(Result::unwrap).collect();
        assert!(notes[0].contains("brought up to date"), "{notes:?}");
        assert!(notes[1].contains("not open") && notes[2].contains("not open"), "{notes:?}");
        let made = world.sandbox.document("1").unwrap();
        assert_eq!(made.body["AddressExtension"]["ShipToCity"], "Elsewhere");
        assert_eq!(made.body["AddressExtension"]["BillToCity"], "Calder");
    }
}

#[tokio::test]
async fn without_a_rule_nothing_is_changed() {
    let world = plain(ROOTS[1]).await;
    let docs = world.documents(1).await;
    world.insert(&docs).await.remove(0).unwrap();
    let before = world.client.requests_sent();
    let note = world.agency.update_orders(&cx(), &[(&plain_order("1"), "536")]).await.unwrap().remove(0).unwrap();
    assert!(note.contains("not carried over"), "{note}");
    assert_eq!(world.client.requests_sent(), before);
}

#[tokio::test]
async fn customers_are_found_by_email_or_made_once() {
    for root in ROOTS {
        let mut rules = settings("");
        rules.customer.search = true;
        rules.customer.make = Some(sapb1_connector::settings::MakeCustomer { prefix: "W".into() });
        rules.check().unwrap();
        let world = world(root, few_customers(), rules, |_| {}).await;
        let mut known = plain_order("1");
        known.fe_customer_id = Some("77".into());
        let mut guest = plain_order("2");
        guest.addresses.billto.email = "o'guest@example.com".into();
        let mut other = plain_order("3");
        other.fe_customer_id = Some("77".into());
        other.addresses.billto.email = "RONI_COST@example.com".into();
        let mut moved = other.clone();
        moved.addresses.billto.email = "roni@example.org".into();
        let codes = world.agency.customer_codes(&cx(), &[&known, &guest, &other, &moved]).await.unwrap();
        let codes: Vec<String> = codes.into_iter().map(Result::unwrap).collect();
        assert_eq!(codes, ["W77", "C20000", "W77", "W77"], "{root:?}");
        assert_eq!(world.sandbox.counters().partners, 2, "the one that was there, and a new one");
        let before = world.sandbox.counters().writes;
        let codes = world.agency.customer_codes(&cx(), &[&known]).await.unwrap();
        assert_eq!(codes[0].as_ref().unwrap(), "W77");
        assert_eq!(world.sandbox.counters().writes - before, 1, "one batch that reads, and nothing is made");
        // The same code for another email is that of the same customer.
        let make = Some(NewPartner { card_code: "W77".into(), name: "Veronica".into(), ..NewPartner::default() });
        let wanted = [B1Partner { email: "new@example.com".into(), make }];
        let again = world.client.partners(&cx(), &wanted).await.unwrap().remove(0).unwrap();
        assert_eq!(again.as_deref(), Some("W77"));
        assert_eq!(world.sandbox.counters().partners, 2, "the one that was there, and a new one");
    }
}

#[tokio::test]
async fn customers_are_found_by_an_email_of_mixed_case_whether_the_database_heeds_case_or_not() {
    for (root, ignore_case) in ROOTS.into_iter().flat_map(|root| [(root, false), (root, true)]) {
        let mut rules = settings("");
        rules.customer.search = true;
        rules.customer.make = Some(sapb1_connector::settings::MakeCustomer { prefix: "W".into() });
        let world = world(root, SandboxOptions { ignore_case, ..few_customers() }, rules, |_| {}).await;
        let known =
            json!({ "CardCode": "C7", "CardName": "V", "CardType": "cCustomer", "EmailAddress": "Roni@Example.com" });
        world.add("BusinessPartners", known).await;
        let of = |number: &str, customer: Option<&str>, email: &str| {
            let mut order = plain_order(number);
            order.fe_customer_id = customer.map(str::to_owned);
            order.addresses.billto.email = email.into();
            order
        };
        // One that is there, and a new one, whose two orders differ by case.
        let orders = [
            of("1", None, " Roni@Example.com "),
            of("2", Some("8"), "Ada@Example.com"),
            of("3", Some("8"), "ada@EXAMPLE.com"),
        ];
        let codes = world.agency.customer_codes(&cx(), &orders.iter().collect::<Vec<_>>()).await.unwrap();
        let codes: Vec<String> = codes.into_iter().map(Result::unwrap).collect();
        assert_eq!(codes, ["C7", "W8", "W8"], "{root:?}, ignore_case: {ignore_case}");
        assert_eq!(world.sandbox.counters().partners, 3, "two that were there, and a new one");
        // As a guest in other case still.
        let guest = of("4", None, "ADA@example.com");
        let codes = world.agency.customer_codes(&cx(), &[&guest]).await.unwrap();
        assert_eq!(codes[0].as_ref().unwrap(), "W8", "{root:?}, ignore_case: {ignore_case}");
    }
}

#[tokio::test]
async fn contact_persons_are_made_once_or_left_out() {
    for root in ROOTS {
        let rules = settings("");
        let world = plain(root).await;
        add_customer(&world).await;
        let docs = world.documents(3).await;
        let before = world.client.requests_sent();
        assert!(world.insert(&docs).await.iter().all(Result::is_ok));
        assert_eq!(world.client.requests_sent() - before, 3, "who is there, who is new, the orders");
        let before = world.client.requests_sent();
        let mut other = plain_order("4");
        other.addresses.billto.email = "other@example.com".into();
        let doc = prepare(&world.agency, &cx(), &other).await.unwrap();
        world.insert(&[doc]).await.remove(0).unwrap();
        assert_eq!(world.client.requests_sent() - before, 2, "who is new, the order");
        let code = |number: &str| world.sandbox.document(number).unwrap().body["ContactPersonCode"].clone();
        assert_eq!(code("1"), code("3"));
        assert!(code("4").is_number() && code("4") != code("1"));

        let left = super::world(root, SandboxOptions::default(), rules, |it| it.contacts = Contacts::Leave).await;
        let docs = left.documents(1).await;
        left.insert(&docs).await.remove(0).unwrap();
        let code = left.sandbox.document("1").unwrap().body["ContactPersonCode"].clone();
        assert!(code.is_null() || code == 0, "{code}");
    }
}

/// An order of a person of her own, who orders for the first time.
fn of_person(i: usize) -> datawald_core::model::Order {
    let mut order = plain_order(&i.to_string());
    order.fe_customer_id = Some(i.to_string());
    order.addresses.billto.email = format!("person{i}@example.com");
    order.addresses.billto.lastname = format!("Costello {i}");
    order
}

#[tokio::test]
async fn a_customer_for_whom_many_order_gets_no_more_contact_persons() {
    for root in ROOTS {
        let world = world(root, SandboxOptions::default(), settings(""), |it| it.most_contacts = 2).await;
        add_customer(&world).await;
        let mut docs = Vec::new();
        for i in 1..=4 {
            docs.push(prepare(&world.agency, &cx(), &of_person(i)).await.unwrap());
        }
        assert!(world.insert(&docs).await.iter().all(Result::is_ok));
        let has_one = |number: &str| world.sandbox.document(number).unwrap().body["ContactPersonCode"].is_number();
        assert_eq!(["1", "2", "3", "4"].map(has_one), [true, true, false, false], "{root:?}");
        // It is known by now, so nothing is asked.
        let before = world.client.requests_sent();
        let doc = prepare(&world.agency, &cx(), &of_person(5)).await.unwrap();
        world.insert(&[doc]).await.remove(0).unwrap();
        assert_eq!(world.client.requests_sent() - before, 1, "the order");
    }
}

#[tokio::test]
async fn new_customers_come_with_their_contact_person() {
    for root in ROOTS {
        let mut rules = settings("");
        rules.customer.search = true;
        rules.customer.make = Some(sapb1_connector::settings::MakeCustomer { prefix: "W".into() });
        let world = world(root, few_customers(), rules, |_| {}).await;
        let orders: Vec<_> = (1..=10).map(of_person).collect();
        world.agency.api().codes(&cx()).await.unwrap();
        let before = world.client.requests_sent();
        let codes = world.agency.customer_codes(&cx(), &orders.iter().collect::<Vec<_>>()).await.unwrap();
        assert!(codes.iter().all(Result::is_ok));
        assert_eq!(world.client.requests_sent() - before, 2, "who is there, who is new");
        let mut docs = Vec::new();
        for order in &orders {
            docs.push(prepare(&world.agency, &cx(), order).await.unwrap());
        }
        let before = world.client.requests_sent();
        assert!(world.insert(&docs).await.iter().all(Result::is_ok));
        assert_eq!(world.client.requests_sent() - before, 1, "the orders");
        let contact = |i: usize| world.sandbox.document(&i.to_string()).unwrap().body["ContactPersonCode"].as_i64();
        assert!((1..=10).all(|i| contact(i).is_some()), "{root:?}");

        // Who is found by email comes with them too.
        let other = ServiceLayerClient::new(connection(&world.sandbox, &settings(""), root)).unwrap();
        let wanted = [B1Partner { email: "person3@example.com".into(), make: None }];
        assert_eq!(other.partners(&cx(), &wanted).await.unwrap().remove(0).unwrap().as_deref(), Some("W3"));
        other.codes(&cx()).await.unwrap();
        let before = other.requests_sent();
        let mut again = docs.remove(2);
        again.reference = "11".into();
        again.set(sapb1_connector::fields::NUM_AT_CARD, "11");
        other.insert(&cx(), &[again]).await.unwrap().remove(0).unwrap();
        assert_eq!(other.requests_sent() - before, 1, "the order");
        assert_eq!(contact(11), contact(3));
    }
}
