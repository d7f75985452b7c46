//! The rules, a test each.

use std::sync::Arc;

use datawald_backoffice::{AddressRole, Backoffice, Found, Freight, Reference};
use datawald_core::model::Order;
use datawald_core::{Disposition, Error, ErrorKind};
use rust_decimal::Decimal;
use sapb1_connector::sandbox::{B1Sandbox, Faults, Way};
use sapb1_connector::{B1Agency, B1Settings};

use crate::common::*;

sapb1_connector::over_both_ways! {
    due_date_is_days_from_today
    customer_by_email_then_group_then_default
    reference_with_prefix_in_number_or_user_field
    discount_percent_to_six_decimals
    discounts_off_lines_are_no_percentage
    transport_and_payment_by_map
    region_is_state_or_county
    control_characters_in_addresses_are_refused_without_quoting_them
    line_fields_and_their_limits
    tax_code_by_rate_and_area
    tax_by_the_bill_to_address
    the_told_rate_decides_between_codes_that_give_the_same
    a_code_of_rate_zero_for_an_area_goes_before_the_exempt_code
    untaxed_without_exempt_code
    freight_as_configured
    texts_that_are_cut_are_noted_by_name_only
    look_up_tells_missing_open_cancelled_and_several
    orders_that_are_there_stay_as_they_are
    cancellations_that_are_refused
    the_chain_ends_in_unsupported_and_dyn_works
}

/// An agency whose SAP B1 is never asked.
async fn agency_of(way: Way, more: &str) -> (B1Sandbox, B1Agency) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(settings(more)).unwrap();
    (sandbox, agency)
}

fn rejected<T: std::fmt::Debug>(result: Result<T, Error>) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Rejected, "{error:?}");
    error
}

async fn due_date_is_days_from_today(way: Way) {
    let clock = clock();
    let (_sandbox, agency) = agency_of(way, "due_days = 30").await;
    let due = agency.due_date(&cx_at(&clock), &plain_order("1")).await.unwrap();
    assert_eq!(due.to_string(), "2026-03-02");
}

async fn customer_by_email_then_group_then_default(way: Way) {
    let mut settings = settings("");
    settings.customer.by_email = [("Roni_Cost@Example.com".into(), "C-EMAIL".into())].into();
    settings.customer.by_group = [("4".into(), "C-GROUP".into())].into();
    let sandbox = sandbox(way).await;
    let mut orders = [plain_order("1"), plain_order("2"), plain_order("3")];
    orders[1].addresses.billto.email = "other@example.com".into();
    orders[1].fe_customer_group = "4".into();
    orders[2].addresses.billto.email = String::new();
    let orders: Vec<&Order> = orders.iter().collect();
    let codes = sandbox.agency(settings.clone()).unwrap().customer_codes(&cx(), &orders).await.unwrap();
    let codes: Vec<String> = codes.into_iter().map(Result::unwrap).collect();
    assert_eq!(codes, ["C-EMAIL", "C-GROUP", "C20000"]);

    settings.customer.default = None;
    let mut codes = sandbox.agency(settings).unwrap().customer_codes(&cx(), &orders).await.unwrap();
    let error = rejected(codes.remove(2));
    assert!(error.message().contains("customer.default"), "{error}");
}

async fn reference_with_prefix_in_number_or_user_field(way: Way) {
    let (_sandbox, agency) = agency_of(way, "[reference]\nprefix = { mage2 = \"M-\" }").await;
    let reference = agency.order_reference(&cx(), &plain_order("000000013-1")).await.unwrap();
    assert_eq!(reference, Reference { field: None, value: "M-000000013-1".into() });
    let mut other = plain_order("1");
    other.frontend = "other".into();
    assert_eq!(agency.order_reference(&cx(), &other).await.unwrap().value, "1");

    let (_sandbox, agency) = agency_of(way, "[reference]\nudf = \"U_WebOrder\"").await;
    let reference = agency.order_reference(&cx(), &plain_order("1")).await.unwrap();
    assert_eq!(reference.field.as_deref(), Some("U_WebOrder"));
    for bad in ["", " 1", "1\n", &"1".repeat(101)] {
        assert_eq!(rejected(agency.order_reference(&cx(), &plain_order(bad)).await).field_path(), Some("fe_order_id"));
    }
}

async fn discount_percent_to_six_decimals(way: Way) {
    let (_sandbox, agency) = agency_of(way, "").await;
    let mut order = plain_order("1");
    order.discount_amt = money("10");
    assert_eq!(agency.discount_percent(&cx(), &order).await.unwrap(), money("2.762431"));
    order.discount_amt = money("-10");
    assert_eq!(agency.discount_percent(&cx(), &order).await.unwrap(), money("2.762431"));
    order.discount_amt = money("400");
    assert_eq!(rejected(agency.discount_percent(&cx(), &order).await).field_path(), Some("discount_amt"));
    order.sub_total = Decimal::ZERO;
    rejected(agency.discount_percent(&cx(), &order).await);
}

async fn discounts_off_lines_are_no_percentage(way: Way) {
    let (_sandbox, agency) = agency_of(way, "discount = \"lines\"").await;
    let order = order("1", vec![item("A", "2", "10", "3", "0")], "0");
    assert_eq!(agency.discount_percent(&cx(), &order).await.unwrap(), Decimal::ZERO);
    let line = agency.map_line(&cx(), &order, &order.items[0], &Default::default()).await.unwrap();
    assert_eq!(line.get("LineTotal").unwrap(), "17.00");
    assert_eq!(line.get("UnitPrice").unwrap(), "10");
}

async fn transport_and_payment_by_map(way: Way) {
    let (_sandbox, agency) = agency_of(way, "").await;
    let mut order = plain_order("1");
    assert_eq!(agency.transport(&cx(), &order).await.unwrap().as_deref(), Some("Fedex ON"));
    order.shipment_method = "premium_UPS_ground".into();
    assert_eq!(agency.transport(&cx(), &order).await.unwrap().as_deref(), Some("UPS"));
    order.shipment_method = String::new();
    assert_eq!(agency.transport(&cx(), &order).await.unwrap().as_deref(), Some("Pickup"));
    assert_eq!(agency.payment(&cx(), &order).await.unwrap().as_deref(), Some("Check"));
    order.payment_method = "paypal".into();
    assert_eq!(agency.payment(&cx(), &order).await.unwrap(), None);
}

async fn region_is_state_or_county(way: Way) {
    let (_sandbox, agency) = agency_of(way, "states_countries = [\"US\"]").await;
    let mut order = plain_order("1");
    order.addresses.billto = address("GB", "Kent", "TN1 1AA");
    let ship = agency.address(&cx(), &order, AddressRole::ShipTo).await.unwrap();
    assert_eq!((ship.state.as_str(), ship.county.as_str()), ("CA", ""));
    let bill = agency.address(&cx(), &order, AddressRole::BillTo).await.unwrap();
    assert_eq!((bill.state.as_str(), bill.county.as_str()), ("", "Kent"));
}

async fn control_characters_in_addresses_are_refused_without_quoting_them(way: Way) {
    let (_sandbox, agency) = agency_of(way, "").await;
    let mut order = plain_order("1");
    order.addresses.billto.lastname = "Cost\u{7}ello".into();
    let error = rejected(agency.address(&cx(), &order, AddressRole::BillTo).await);
    assert_eq!(error.field_path(), Some("addresses.billto.lastname"));
    assert!(error.message().contains("U+0007") && !error.to_string().contains("ello"), "{error}");
    agency.address(&cx(), &order, AddressRole::ShipTo).await.unwrap();
}

async fn line_fields_and_their_limits(way: Way) {
    let (_sandbox, agency) = agency_of(way, "").await;
    let order = order("1", vec![item("A-1", "2.50", "10.1000", "0", "0")], "0");
    let line = agency.map_line(&cx(), &order, &order.items[0], &Default::default()).await.unwrap();
    let fields: Vec<_> =
        line.fields.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
    assert_eq!(fields, ["ItemCode=A-1", "LineTotal=25.25", "Quantity=2.5", "TaxCode=", "UnitPrice=10.1"]);
    for (sku, qty, field) in [
        ("", "1", "items[0].sku"),
        (&*"S".repeat(300), "1", "items[0].sku"),
        ("A\u{1}", "1", "items[0].sku"),
        ("A", "0", "items[0].qty"),
        ("A", "-1", "items[0].qty"),
    ] {
        let order = crate::common::order("1", vec![item(sku, qty, "1", "0", "0")], "0");
        let error = rejected(agency.map_line(&cx(), &order, &order.items[0], &Default::default()).await);
        assert_eq!(error.field_path(), Some(field));
    }
    let exact = crate::common::order("1", vec![item(&"S".repeat(50), "1", "1", "0", "0")], "0");
    agency.map_line(&cx(), &exact, &exact.items[0], &Default::default()).await.unwrap();
}

async fn tax_code_by_rate_and_area(way: Way) {
    let (_sandbox, agency) = agency_of(way, "").await;
    let code = async |order: &Order| agency.line_tax(&cx(), order, &order.items[0]).await.map(|tax| tax.code);
    assert_eq!(code(&plain_order("1")).await.unwrap(), "CA");
    assert_eq!(code(&order("1", vec![item("A", "1", "69", "13.8", "4.55")], "0")).await.unwrap(), "CA");
    assert_eq!(code(&order("1", vec![item("A", "1", "10", "0", "0")], "0")).await.unwrap(), "EX");

    let mut elsewhere = plain_order("1");
    elsewhere.addresses.shipto = address("US", "NV", "89101");
    let error = rejected(code(&elsewhere).await);
    assert_eq!(error.field_path(), Some("items[0].tax_amt"));
    let text = error.message();
    assert!(text.contains("11.39") && text.contains("US NV 89101") && text.contains("about 8.25 %"), "{text}");
    assert!(text.contains("the table has for there: none"), "{text}");

    let mut other_rate = plain_order("1");
    other_rate.items[0].tax_percent = Some(money("10"));
    other_rate.items[0].tax_amt = money("13.80");
    let error = rejected(code(&other_rate).await);
    assert!(error.message().contains("CA 8.25 %") && error.message().contains("a rate of 10 %"), "{error}");
}

async fn tax_by_the_bill_to_address(way: Way) {
    let (_sandbox, agency) = agency_of(way, "tax_address = \"bill-to\"").await;
    let mut order = plain_order("1");
    order.addresses.shipto = address("US", "NV", "89101");
    assert_eq!(agency.line_tax(&cx(), &order, &order.items[0]).await.unwrap().code, "CA");
}

async fn the_told_rate_decides_between_codes_that_give_the_same(way: Way) {
    let (_sandbox, agency) = agency_of(way, "").await;
    let mut settings = agency.settings().clone();
    let mut rule = settings.tax[0].clone();
    (rule.code, rule.rate) = ("CA8".into(), money("8"));
    settings.tax.insert(0, rule);
    let agency = B1Agency::new(agency.api().clone(), settings);
    let mut order = order("1", vec![item("A", "1", "1.00", "0", "0.08")], "0");
    assert_eq!(agency.line_tax(&cx(), &order, &order.items[0]).await.unwrap().code, "CA8");
    order.items[0].tax_percent = Some(money("8.25"));
    assert_eq!(agency.line_tax(&cx(), &order, &order.items[0]).await.unwrap().code, "CA");
}

async fn a_code_of_rate_zero_for_an_area_goes_before_the_exempt_code(way: Way) {
    let (_sandbox, agency) = agency_of(way, "").await;
    let mut settings = agency.settings().clone();
    let mut rule = settings.tax[0].clone();
    (rule.code, rule.rate, rule.region) = ("EXPORT".into(), Decimal::ZERO, Some("NV".into()));
    settings.tax.push(rule);
    let agency = B1Agency::new(agency.api().clone(), settings);
    let mut order = order("1", vec![item("A", "1", "10", "0", "0")], "0");
    assert_eq!(agency.line_tax(&cx(), &order, &order.items[0]).await.unwrap().code, "EX");
    order.addresses.shipto = address("US", "NV", "89101");
    assert_eq!(agency.line_tax(&cx(), &order, &order.items[0]).await.unwrap().code, "EXPORT");
}

async fn untaxed_without_exempt_code(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(B1Settings::default()).unwrap();
    let order = order("1", vec![item("A", "1", "10", "0", "0")], "0");
    let error = rejected(agency.line_tax(&cx(), &order, &order.items[0]).await);
    assert!(error.message().contains("exempt_code"), "{error}");
}

async fn freight_as_configured(way: Way) {
    let (_sandbox, agency) = agency_of(way, "").await;
    let mut order = plain_order("1");
    let Freight::Expense { name, amount, tax } = agency.freight(&cx(), &order).await.unwrap() else { panic!() };
    assert_eq!((name.as_str(), amount, tax.code.as_str()), ("Freight", money("5"), "EX"));
    order.shipping_tax_amt = money("0.41");
    let Freight::Expense { tax, .. } = agency.freight(&cx(), &order).await.unwrap() else { panic!() };
    assert_eq!(tax.code, "CA");
    order.shipping_tax_amt = money("2");
    assert_eq!(rejected(agency.freight(&cx(), &order).await).field_path(), Some("shipping_tax_amt"));
    (order.shipping_amt, order.shipping_tax_amt) = (Decimal::ZERO, Decimal::ZERO);
    assert_eq!(agency.freight(&cx(), &order).await.unwrap(), Freight::None);

    let mut settings = agency.settings().clone();
    settings.freight = Default::default();
    let agency = B1Agency::new(agency.api().clone(), settings);
    let error = rejected(agency.freight(&cx(), &plain_order("1")).await);
    assert_eq!(error.field_path(), Some("shipping_amt"));
}

async fn texts_that_are_cut_are_noted_by_name_only(way: Way) {
    let (_sandbox, agency) = agency_of(way, "").await;
    let mut order = plain_order("1");
    order.addresses.billto.telephone = "+49 (0) 30 1234567 ext. 8901".into();
    order.addresses.shipto.address = "x".repeat(101);
    let doc = prepare(&agency, &cx(), &order).await.unwrap();
    // The Service Layer cuts nothing: it refuses what is too long, by its field.
    let note = match way {
        Way::Restful => {
            "SAP B1 RESTful cuts the bill-to telephone (over 20 characters) and the ship-to street (over 100 characters)"
        }
        Way::ServiceLayer => "",
    };
    assert_eq!(doc.note, note);
}

async fn look_up_tells_missing_open_cancelled_and_several(way: Way) {
    let (sandbox, agency) = agency_of(way, "").await;
    let cx = cx();
    let doc = async |id: &str| prepare(&agency, &cx, &plain_order(id)).await.unwrap();
    let mut keys = Vec::new();
    for id in ["open", "cancelled", "several", "several"] {
        keys.push(agency.insert_orders(&cx, &[doc(id).await]).await.unwrap().remove(0).unwrap());
    }
    let reference = |value: &str| Reference { field: None, value: value.into() };
    let cancelled = reference("cancelled");
    let remarks = agency.cancel_orders(&cx, &[(&cancelled, keys[1].as_str())]).await.unwrap();
    assert_eq!(remarks[0].as_ref().unwrap(), &format!("cancelled in SAP B1 (DocEntry {})", keys[1]));
    let references = ["missing", "several", "open", "cancelled"].map(reference);
    let found = agency.look_up_orders(&cx, &references).await.unwrap();
    assert_eq!(
        found,
        [
            Found::Missing,
            Found::Several { target_ids: vec!["538".into(), "539".into()] },
            Found::Open(crate::common::found(&keys[0])),
            Found::Cancelled(crate::common::found(&keys[1])),
        ]
    );
    assert_eq!(sandbox.counters().cancelled, 1);
}

async fn orders_that_are_there_stay_as_they_are(way: Way) {
    let (sandbox, agency) = agency_of(way, "").await;
    let order = plain_order("1");
    let remarks = agency.update_orders(&cx(), &[(&order, "536")]).await.unwrap();
    assert!(remarks[0].as_ref().unwrap().contains("already in SAP B1 (DocEntry 536)"));
    assert_eq!(sandbox.counters().requests, 0);
}

async fn cancellations_that_are_refused(way: Way) {
    let (sandbox, agency) = agency_of(way, "").await;
    let missing = Reference { field: None, value: "none".into() };
    let error = rejected(agency.cancel_orders(&cx(), &[(&missing, "999")]).await.unwrap().remove(0));
    // The Service Layer has one code for what is not there and for much else that it refuses.
    let (kind, words) = match way {
        Way::Restful => (ErrorKind::NotFound, "is not in SAP B1 under this number"),
        Way::ServiceLayer => (ErrorKind::Refused, "999"),
    };
    assert_eq!(error.kind(), kind);
    assert!(error.message().contains(words), "{error}");
    let doc = prepare(&agency, &cx(), &plain_order("1")).await.unwrap();
    agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap();
    sandbox.set_faults(Faults { refuse_cancel: true, ..Faults::default() });
    let there = Reference { field: None, value: "1".into() };
    let error = rejected(agency.cancel_orders(&cx(), &[(&there, "536")]).await.unwrap().remove(0));
    // SAP B1 RESTful stumbles over its own report of the reason.
    let words = if way == Way::Restful { "does not tell why" } else { "SAP B1 refuses: " };
    assert!(error.message().contains(words), "{error}");
    assert_eq!(sandbox.counters().cancelled, 0);
}

async fn the_chain_ends_in_unsupported_and_dyn_works(way: Way) {
    let (_sandbox, agency) = agency_of(way, "").await;
    let chain: Arc<dyn Backoffice> = Arc::new(agency);
    let error = chain.base().due_date(&cx(), &plain_order("1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
