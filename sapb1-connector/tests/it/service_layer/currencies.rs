//! The main currency and rates of exchange.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datawald_backoffice::NativeOrder;
use datawald_core::{Disposition, ErrorKind};
use jiff::SignedDuration;
use rust_decimal::Decimal;
use sapb1_connector::B1Api;
use sapb1_connector::sandbox::service_layer::{Faults, SandboxOptions};
use sapb1_connector::service_layer::Contacts;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::{ROOTS, plain, world};
use crate::common::*;

/// Counts the warnings of the thread that it is the log of.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicUsize>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A company that reckons in euros, and has dollars too.
fn in_euros() -> SandboxOptions {
    let currencies = vec![("USD".to_owned(), money("0.92"))];
    SandboxOptions { currency: "EUR".into(), currencies, ..SandboxOptions::default() }
}

#[tokio::test]
async fn another_main_currency_than_configured_stops_everything_before_an_order_is_sent() {
    for root in ROOTS {
        let docs = plain(root).await.documents(2).await;
        let world = world(root, in_euros(), settings(""), |_| {}).await;
        let of_codes = world.client.codes(&cx()).await.unwrap_err();
        let of_orders = world.client.insert(&cx(), &docs).await.unwrap_err();
        for error in [of_codes, of_orders] {
            assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent));
            assert_eq!(error.field_path(), Some("company_currency"));
            assert!(error.message().contains("USD") && error.message().contains("EUR"), "{error}");
        }
        assert_eq!(world.sandbox.counters().inserts, 0, "{root:?}");
    }
}

#[tokio::test]
async fn the_main_currency_goes_by_the_company_s_own_code() {
    for root in ROOTS {
        let options = || SandboxOptions { currency: "$".into(), ..SandboxOptions::default() };
        let docs = plain(root).await.documents(1).await;
        let named = world(root, options(), settings(""), |it| {
            it.currency_codes = [("USD".to_owned(), "$".to_owned())].into();
        })
        .await;
        named.insert(&docs).await.remove(0).unwrap();
        assert_eq!(named.sandbox.document("1").unwrap().currency, "$");
        let unnamed = world(root, options(), settings(""), |_| {}).await;
        let error = unnamed.client.insert(&cx(), &docs).await.unwrap_err();
        assert!(error.message().contains("`currency_codes`"), "{error}");
    }
}

#[tokio::test]
async fn where_the_main_currency_is_not_told_orders_go_and_the_log_says_so_once() {
    for (root, status) in ROOTS.into_iter().flat_map(|root| [(root, 403), (root, 400), (root, 404)]) {
        let clock = clock();
        let world = plain(root).await;
        let refuse_actions = [("CompanyService_GetAdminInfo".to_owned(), status)].into();
        world.faults(Faults { refuse_actions, ..Faults::default() });
        let warnings = Warnings::default();
        let _log = tracing::subscriber::set_default(warnings.clone());
        for _ in 0..3 {
            // The codes age, and are fetched again.
            clock.advance(SignedDuration::from_secs(7 * 24 * 3600));
            world.client.codes(&cx_at(&clock)).await.unwrap();
        }
        assert_eq!(warnings.0.load(Ordering::SeqCst), 1, "{root:?}, {status}");
        let docs = world.documents(1).await;
        world.insert(&docs).await.remove(0).unwrap();
    }
}

#[tokio::test]
async fn a_main_currency_that_cannot_be_asked_for_yet_is_asked_for_again() {
    for root in ROOTS {
        let world = plain(root).await;
        let refuse_actions = [("CompanyService_GetAdminInfo".to_owned(), 503)].into();
        world.faults(Faults { refuse_actions, ..Faults::default() });
        let error = world.client.codes(&cx()).await.unwrap_err();
        assert!(matches!(error.disposition(), Disposition::Retryable { .. }), "{error}");
        world.faults(Faults::default());
        world.client.codes(&cx()).await.unwrap();
    }
}

/// A document of an order in `currency`, with freight of 5.
async fn foreign(world: &super::World, number: &str, currency: &str) -> NativeOrder {
    let mut order = plain_order(number);
    order.currency = currency.into();
    prepare(&world.agency, &cx(), &order).await.unwrap()
}

#[tokio::test]
async fn the_rate_that_freight_was_converted_with_is_the_document_s() {
    for root in ROOTS {
        let world = plain(root).await;
        let docs = [foreign(&world, "1", "EUR").await, foreign(&world, "2", "EUR").await];
        world.insert(&docs[..1]).await.remove(0).unwrap();
        // It is corrected during the day, and the client still has the old one.
        world.sandbox.set_rate("EUR", Some(money("1.25")));
        world.insert(&docs[1..]).await.remove(0).unwrap();
        for number in ["1", "2"] {
            let made = world.sandbox.document(number).unwrap();
            assert_eq!((made.currency.as_str(), made.total), ("EUR", money("396.87")), "{root:?} {number}");
            assert_eq!(made.body["DocRate"].to_string(), "1.08", "{root:?} {number}");
            assert_eq!(made.body["DocumentAdditionalExpenses"][0]["LineTotalFC"].to_string(), "5", "{root:?}");
        }
    }
}

#[tokio::test]
async fn a_rate_of_an_agent_s_own_counts_for_freight_too() {
    for root in ROOTS {
        let world = plain(root).await;
        let mut doc = foreign(&world, "1", "EUR").await;
        doc.set("DocRate", "1.5");
        world.insert(&[doc]).await.remove(0).unwrap();
        let made = world.sandbox.document("1").unwrap();
        assert_eq!((made.total, made.body["DocRate"].to_string().as_str()), (money("396.87"), "1.5"), "{root:?}");
        assert_eq!(made.body["DocumentAdditionalExpenses"][0]["LineTotal"].to_string(), "7.5", "{root:?}");
    }
}

#[tokio::test]
async fn without_freight_to_convert_sap_b1_s_own_rate_is_left_to_it() {
    for root in ROOTS {
        let world = plain(root).await;
        let mut order = order("1", vec![item("RACER", "1", "224", "0", "18.48")], "0");
        order.currency = "EUR".into();
        let doc = prepare(&world.agency, &cx(), &order).await.unwrap();
        world.sandbox.set_rate("EUR", Some(money("1.25")));
        world.insert(&[doc]).await.remove(0).unwrap();
        let made = world.sandbox.document("1").unwrap();
        assert_eq!((made.total, made.body["DocRate"].to_string().as_str()), (money("242.48"), "1.25"), "{root:?}");
    }
}

/// They would have to be divided by, and no recorded company has them.
#[tokio::test]
async fn with_indirect_rates_freight_is_not_converted() {
    for root in ROOTS {
        let options = SandboxOptions { indirect_rates: true, ..SandboxOptions::default() };
        let world = world(root, options, settings(""), |_| {}).await;
        let docs = [foreign(&world, "1", "EUR").await, foreign(&world, "2", "USD").await];
        let results = world.insert(&docs).await;
        let error = results[0].as_ref().unwrap_err();
        assert_eq!((error.disposition(), error.field_path()), (Disposition::Rejected, Some("DocCurrency")));
        assert!(error.message().contains("indirect rates"), "{error}");
        assert!(results[1].is_ok(), "{root:?}: {results:?}");
        assert_eq!(world.sandbox.counters().documents, 1);
    }
}

#[tokio::test]
async fn a_rate_that_sap_b1_does_not_have_fails_its_own_orders_and_is_asked_for_once() {
    // Refused, not known, and answered by nothing.
    for (root, rate, status) in
        ROOTS.into_iter().flat_map(|root| [(root, None, 0), (root, None, 403), (root, Some(Decimal::ZERO), 0)])
    {
        let world = world(root, SandboxOptions::default(), settings(""), |it| it.contacts = Contacts::Leave).await;
        let mut docs = Vec::new();
        for (number, currency) in [("1", "EUR"), ("2", "GBP"), ("3", "EUR"), ("4", "USD"), ("5", "EUR")] {
            docs.push(foreign(&world, number, currency).await);
        }
        world.client.insert(&cx(), &docs[1..2]).await.unwrap().remove(0).unwrap();
        docs[1].reference = "6".into();
        docs[1].set("NumAtCard", "6");
        world.sandbox.set_rate("EUR", rate);
        let refused = (status > 0).then(|| ("SBOBobService_GetCurrencyRate".to_owned(), status));
        world.faults(Faults { refuse_actions: refused.into_iter().collect(), ..Faults::default() });
        let before = world.client.requests_sent();
        let today = jiff::tz::TimeZone::UTC.to_datetime(cx().now()).date();
        let results = world.insert(&docs).await;
        assert_eq!(world.client.requests_sent() - before, 2, "{root:?}: the rate, the orders that have one");
        for (i, result) in results.iter().enumerate() {
            let Err(error) = result else { continue };
            assert!([0, 2, 4].contains(&i), "{root:?}: {error}");
            assert_eq!((error.disposition(), error.field_path()), (Disposition::Rejected, Some("DocCurrency")));
            assert!(error.message().contains(&format!("EUR on {today}")), "{error}");
        }
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2, "{root:?}: {results:?}");
        // It is entered, and the next batch finds it.
        world.sandbox.set_rate("EUR", Some(money("1.1")));
        world.faults(Faults::default());
        docs.retain(|doc| ["1", "3", "5"].contains(&doc.reference.as_str()));
        assert!(world.insert(&docs).await.iter().all(Result::is_ok), "{root:?}");
    }
}

#[tokio::test]
async fn a_rate_that_cannot_be_asked_for_holds_its_orders_back_and_is_not_asked_for_by_each() {
    for root in ROOTS {
        let mut rules = settings("");
        rules.requests.read_timeout_s = 1;
        let world = world(root, SandboxOptions::default(), rules, |it| it.contacts = Contacts::Leave).await;
        let mut docs = vec![foreign(&world, "dollars", "USD").await];
        for number in 1..=20 {
            docs.push(foreign(&world, &number.to_string(), "EUR").await);
        }
        let refuse_actions = [("SBOBobService_GetCurrencyRate".to_owned(), 503)].into();
        // One that is not available is asked four times.
        for (faults, number, tries) in [
            (Faults { refuse_actions, ..Faults::default() }, "a", 4),
            (Faults { latency_ms: 1_500, ..Faults::default() }, "b", 1),
        ] {
            docs[0].reference = number.into();
            docs[0].set("NumAtCard", number);
            world.faults(faults);
            let before = world.client.requests_sent();
            let results = world.insert(&docs).await;
            assert!(results[0].is_ok(), "{root:?}: {results:?}");
            for result in &results[1..] {
                let error = result.as_ref().unwrap_err();
                assert!(matches!(error.disposition(), Disposition::Retryable { .. }), "{error}");
            }
            assert_eq!(world.client.requests_sent() - before, tries + 1, "{root:?} {number}");
        }
    }
}
