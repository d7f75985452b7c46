//! What a look-up tells of the documents that it finds, and whether they are taken for an order's own.

use datawald_backoffice::{Backoffice, Found, FoundDocument, NativeOrder};
use datawald_core::Disposition;
use rust_decimal::Decimal;
use sapb1_connector::B1Agency;
use sapb1_connector::sandbox::{ByHand, Company, Way};

use crate::common::*;

sapb1_connector::over_both_ways! {
    total_currency_and_customer_are_told_in_as_many_requests_as_before
    a_document_in_another_currency_is_told_in_that_one
    what_comes_to_nothing_is_in_the_currency_that_it_says
    the_company_may_have_codes_of_its_own
    what_agrees_in_total_currency_and_customer_is_recognized_and_nothing_else
    whether_documents_have_a_field
}

async fn found(agency: &B1Agency, number: &str) -> FoundDocument {
    match agency.look_up_orders(&cx(), &references([number])).await.unwrap().remove(0) {
        Found::Open(document) | Found::Cancelled(document) => document,
        other => panic!("{number}: {other:?}"),
    }
}

fn told(document: &FoundDocument) -> (String, &str, &str) {
    let total = document.total.map(|total| total.to_string()).unwrap_or_default();
    (total, document.currency.as_deref().unwrap_or_default(), document.customer.as_deref().unwrap_or_default())
}

async fn total_currency_and_customer_are_told_in_as_many_requests_as_before(way: Way) {
    let sandbox = sandbox(way).await;
    let mut rules = settings("");
    let agency = sandbox.agency(rules.clone()).unwrap();
    // More documents than the sandbox of SAP B1 RESTful keeps names of.
    let ids: Vec<String> = (0..130).map(|i| format!("{i:09}")).collect();
    let mut docs = Vec::new();
    for id in &ids[..129] {
        docs.push(document(&agency, id).await);
    }
    rules.customer.default = Some("C30000".into());
    docs.push(document(&sandbox.agency(rules).unwrap(), &ids[129]).await);
    let keys: Vec<String> = agency.insert_orders(&cx(), &docs).await.unwrap().into_iter().map(Result::unwrap).collect();
    let before = agency.api().requests_sent();
    let found = agency.look_up_orders(&cx(), &references(ids.iter().map(String::as_str))).await.unwrap();
    // A hundred at a time. An answer of a hundred rows of SAP B1 RESTful may have been cut, so it is asked for in halves.
    assert_eq!(agency.api().requests_sent() - before, if way == Way::Restful { 4 } else { 2 });
    for (id, found) in ids.iter().zip(found) {
        let Found::Open(document) = found else { panic!("{id}: {found:?}") };
        let customer = if *id == ids[129] { "C30000" } else { "C20000" };
        assert_eq!(told(&document), ("396.87".to_owned(), "USD", customer), "{id}");
        assert_eq!(document.mark, None);
    }
    let cancelled = references([ids[0].as_str()]);
    agency.cancel_orders(&cx(), &[(&cancelled[0], keys[0].as_str())]).await.unwrap().remove(0).unwrap();
    let Found::Cancelled(document) = agency.look_up_orders(&cx(), &cancelled).await.unwrap().remove(0) else {
        panic!()
    };
    assert_eq!(told(&document), ("396.87".to_owned(), "USD", "C20000"));
}

async fn a_document_in_another_currency_is_told_in_that_one(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(settings("")).unwrap();
    // 10 in EUR are 11.00 of the main currency, which is what SAP B1 calls the document's total.
    let euro = ByHand { currency: "EUR".into(), rate: Decimal::new(11, 1), ..ByHand::new("1", money("10")) };
    let key = sandbox.enter(ByHand { customer: "C7".into(), ..euro });
    let document = found(&agency, "1").await;
    assert_eq!((document.target_id.clone(), told(&document)), (key.to_string(), ("10".to_owned(), "EUR", "C7")));
}

async fn what_comes_to_nothing_is_in_the_currency_that_it_says(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(settings("")).unwrap();
    sandbox.enter(ByHand { currency: "EUR".into(), ..ByHand::new("1", Decimal::ZERO) });
    sandbox.enter(ByHand::new("2", Decimal::ZERO));
    assert_eq!(told(&found(&agency, "1").await), ("0".to_owned(), "EUR", "C20000"));
    assert_eq!(told(&found(&agency, "2").await), ("0".to_owned(), "USD", "C20000"));
}

/// `$` is a code of SAP B1's, and no ISO code: the main currency is known by its amounts.
async fn the_company_may_have_codes_of_its_own(way: Way) {
    let sandbox = sandbox_of(way, Company { currency: "$".into(), ..Company::default() }).await;
    let agency = sandbox.agency(settings("")).unwrap();
    sandbox.enter(ByHand { currency: "$".into(), ..ByHand::new("1", money("10")) });
    assert_eq!(told(&found(&agency, "1").await), ("10".to_owned(), "USD", "C20000"));
}

async fn what_agrees_in_total_currency_and_customer_is_recognized_and_nothing_else(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(settings("")).unwrap();
    let order = plain_order("1");
    let made: NativeOrder = document(&agency, "1").await;
    let whole = |total: &str| ByHand::new("1", money(total));
    let one = |reference: &str, document: ByHand| ByHand { reference: reference.into(), ..document };
    let rate = Decimal::new(5, 1);
    for (number, entered, ours) in [
        ("a", whole("396.87"), true),
        ("b", whole("396.88"), false),
        ("c", ByHand { customer: "C30000".into(), ..whole("396.87") }, false),
        ("d", ByHand { currency: "EUR".into(), ..whole("396.87") }, false),
        // So much in the main currency, though it is another amount.
        ("e", ByHand { currency: "EUR".into(), rate, ..whole("793.74") }, false),
    ] {
        sandbox.enter(one(number, entered));
        let found = found(&agency, number).await;
        assert_eq!(agency.recognize_order(&cx(), &order, &made, &found).await.unwrap(), ours, "{number}: {found:?}");
    }
    // What is not told agrees with nothing.
    let whole = found(&agency, "a").await;
    let without: [fn(&mut FoundDocument); 3] = [|it| it.total = None, |it| it.currency = None, |it| it.customer = None];
    for without in without {
        let mut part = whole.clone();
        without(&mut part);
        assert!(!agency.recognize_order(&cx(), &order, &made, &part).await.unwrap(), "{part:?}");
    }
    // What an agent takes out of the document is not known of it either.
    for name in ["DocCurrency", "CardCode"] {
        let mut less = made.clone();
        less.header.remove(name);
        assert!(!agency.recognize_order(&cx(), &order, &less, &whole).await.unwrap(), "{name}");
    }
}

async fn whether_documents_have_a_field(way: Way) {
    let sandbox = sandbox(way).await;
    let api = sandbox.api(&settings("")).unwrap();
    // With documents there and without any.
    for _ in 0..2 {
        assert!(api.has_field(&cx(), "U_WebOrder").await.unwrap());
        assert!(!api.has_field(&cx(), "U_DatawaldKey").await.unwrap());
        sandbox.enter(ByHand::new("1", money("10")));
    }
    for name in ["NumAtCard", "U_a b", "U_x = 1 or 1"] {
        assert_eq!(api.has_field(&cx(), name).await.unwrap_err().disposition(), Disposition::Permanent);
    }
    let wrong = sandbox.api_with_password(&settings(""), "wrong").unwrap();
    assert_eq!(wrong.has_field(&cx(), "U_WebOrder").await.unwrap_err().disposition(), Disposition::Permanent);
    assert_eq!(sandbox.counters().writes, 0);
}
