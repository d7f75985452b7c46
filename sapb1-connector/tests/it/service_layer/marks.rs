//! Our own mark in a user-defined field.

use datawald_backoffice::{Backoffice, Found, FoundDocument};
use datawald_core::{Disposition, ErrorKind};
use sapb1_connector::sandbox::service_layer::{SandboxOptions, UserField};
use sapb1_connector::sandbox::{ByHand, Way};
use sapb1_connector::{RestfulSettings, ServiceLayerSettings};

use super::*;
use crate::common::{money, references, sandbox};

const MARK: &str = "[reference]\nmark = \"U_DatawaldKey\"";

fn with_field() -> SandboxOptions {
    let mut options = SandboxOptions::default();
    options.user_fields.push(UserField { table: "ORDR".into(), name: "DatawaldKey".into(), size: 100 });
    options
}

async fn marked(root: Root, options: SandboxOptions, change: impl FnOnce(&mut ServiceLayerSettings)) -> World {
    world(root, options, settings(MARK), change).await
}

async fn found(world: &World, number: &str) -> FoundDocument {
    match world.agency.look_up_orders(&cx(), &references([number])).await.unwrap().remove(0) {
        Found::Open(document) => document,
        other => panic!("{number}: {other:?}"),
    }
}

#[tokio::test]
async fn documents_bear_it_and_are_known_by_it() {
    for root in ROOTS {
        let world = marked(root, with_field(), |_| {}).await;
        let docs = world.documents(2).await;
        for result in world.insert(&docs).await {
            result.unwrap();
        }
        for number in ["1", "2"] {
            let written = &world.sandbox.document(number).unwrap().body["U_DatawaldKey"];
            // As `prepare` hands it over: the frontend and the record.
            assert_eq!(*written, format!("mage2/record {number}"));
            assert_eq!(found(&world, number).await.mark.as_deref(), written.as_str());
        }
        // What people enter bears none, and what they copy bears that of the other.
        world.sandbox.enter(ByHand::new("3", money("10")));
        let field = ("U_DatawaldKey".to_owned(), "mage2/1".to_owned());
        world.sandbox.enter(ByHand { fields: vec![field], ..ByHand::new("4", money("10")) });
        assert_eq!(found(&world, "3").await.mark, None);
        assert_eq!(found(&world, "4").await.mark.as_deref(), Some("mage2/1"));
    }
}

#[tokio::test]
async fn a_draft_bears_it_too() {
    let world = marked(ROOTS[1], with_field(), |_| {}).await;
    let docs = world.documents(1).await;
    world.faults(Faults { approval_numbers: ["1".to_owned()].into(), ..Faults::default() });
    let key = world.insert(&docs).await.remove(0).unwrap();
    let document = found(&world, "1").await;
    assert_eq!((document.target_id, document.mark.as_deref()), (key, Some("mage2/record 1")));
    assert_eq!(document.total, Some(money("396.87")));
}

/// The mark is never taken for what the order is looked up by.
#[tokio::test]
async fn a_reference_that_reads_like_the_mark_is_none() {
    let options = SandboxOptions { user_fields: vec![], ..with_field() };
    let fields = ["DatawaldKey", "WebOrder"];
    let user_fields = fields.map(|name| UserField { table: "ORDR".into(), name: name.into(), size: 100 }).into();
    let rules = "[reference]\nmark = \"U_DatawaldKey\"\nudf = \"U_WebOrder\"\nprefix = { mage2 = \"mage2/\" }";
    let world = world(ROOTS[1], SandboxOptions { user_fields, ..options }, settings(rules), |_| {}).await;
    let mut docs = world.documents(1).await;
    assert_eq!(docs[0].reference, "mage2/1");
    docs[0].set("U_DatawaldKey", "mage2/1");
    world.faults(Faults { approval_numbers: ["mage2/1".to_owned()].into(), ..Faults::default() });
    // Its draft is looked for by the number.
    assert!(world.insert(&docs).await.remove(0).unwrap().starts_with("draft "));
}

#[tokio::test]
async fn a_field_that_is_not_there_is_named_and_nothing_is_written() {
    for root in ROOTS {
        let world = marked(root, SandboxOptions::default(), |_| {}).await;
        let error = world.agency.look_up_orders(&cx(), &references(["1"])).await.unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent), "{error}");
        assert_eq!(error.field_path(), Some("reference.mark"));
        assert!(error.message().contains("U_DatawaldKey"), "{error}");
        assert!(!world.agency.api().has_field(&cx(), "U_DatawaldKey").await.unwrap());

        let rules = settings("[reference]\nudf = \"U_None\"");
        let without = super::world(root, SandboxOptions::default(), rules, |_| {}).await;
        let mut reference = references(["1"]);
        reference[0].field = Some("U_None".into());
        let error = without.agency.look_up_orders(&cx(), &reference).await.unwrap_err();
        assert_eq!((error.kind(), error.field_path()), (ErrorKind::Config, Some("reference.udf")), "{error}");
    }
}

#[tokio::test]
async fn sap_b1_restful_cannot_write_it_and_says_so_at_once() {
    let sandbox = sandbox(Way::Restful).await;
    let error = RestfulSettings::new(&sandbox.url(), "u", "p".into(), &settings(MARK)).unwrap_err();
    assert_eq!((error.kind(), error.field_path()), (ErrorKind::Config, Some("reference.mark")));
    assert!(error.message().contains("Service Layer"), "{error}");
}

/// A company whose own code of a currency is another than ISO's: the document tells it by ISO's.
#[tokio::test]
async fn currencies_are_told_by_their_iso_codes() {
    let rate = money("0.75");
    let options = SandboxOptions { currencies: vec![("CAN".into(), rate), ("GBP".into(), rate)], ..with_field() };
    for (codes, iso) in [(vec![], "CAN"), (vec![("CAD".to_owned(), "CAN".to_owned())], "CAD")] {
        let world = marked(ROOTS[1], options.clone(), |it| it.currency_codes = codes.into_iter().collect()).await;
        for (number, currency, iso) in [("1", "CAN", iso), ("2", "GBP", "GBP"), ("3", "USD", "USD")] {
            let rate = if currency == "USD" { money("1") } else { rate };
            world.sandbox.enter(ByHand { currency: currency.into(), rate, ..ByHand::new(number, money("10")) });
            let document = found(&world, number).await;
            assert_eq!((document.currency.as_deref(), document.total), (Some(iso), Some(money("10"))), "{number}");
        }
    }
}
