//! What the tests share: settings, orders, and the steps in the order in which the flow calls them.

use std::sync::Arc;

use datawald_backoffice::{AddressRole, Backoffice, FoundDocument, Mapped, NativeOrder, OrderTerms, Reference};
use datawald_core::model::{Address, Addresses, FlowId, Money, Order, OrderItem, Table};
use datawald_core::{Clock, Cx, ManualClock, Result};
use sapb1_connector::sandbox::{B1Sandbox, Company, Way};
use sapb1_connector::{B1Agency, B1Settings};

pub(crate) const SETTINGS: &str = r#"
[customer]
default = "C20000"
[freight]
expense_name = "Freight"
[[tax]]
code = "CA"
rate = "8.25"
country = "US"
region = "CA"
[[tax]]
code = "VA"
rate = "5.3"
country = "US"
region = "VA"
[[tax]]
code = "PL23"
rate = "23"
country = "PL"
[transport]
default = "Pickup"
names = { "flatrate_flatrate" = "Fedex ON", "ups" = "UPS" }
[payment]
names = { "checkmo" = "Check" }
"#;

pub(crate) fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub(crate) fn settings(more: &str) -> B1Settings {
    B1Settings::from_toml(&format!("exempt_code = \"EX\"\n{more}\n{SETTINGS}")).unwrap()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-01-31T10:00:00Z".parse().unwrap()))
}

pub(crate) fn cx() -> Cx {
    Cx::new(FlowId::new(Table::Orders, "mage2"))
}

pub(crate) fn cx_at(clock: &Arc<ManualClock>) -> Cx {
    cx().with_clock(clock.clone() as Arc<dyn Clock>)
}

pub(crate) fn address(country: &str, region: &str, postcode: &str) -> Address {
    Address {
        firstname: "Veronica".into(),
        lastname: "Costello".into(),
        email: "roni_cost@example.com".into(),
        companyname: "Costello & Co".into(),
        address: "6146 Honey Bluff Parkway\nApartment 4".into(),
        city: "Calder".into(),
        region: region.into(),
        postcode: postcode.into(),
        country: country.into(),
        telephone: "(555) 229-3326".into(),
    }
}

/// A line: quantity, price, discount, tax.
pub(crate) fn item(sku: &str, qty: &str, price: &str, discount: &str, tax: &str) -> OrderItem {
    let (qty, price) = (money(qty), money(price));
    OrderItem {
        sku: sku.into(),
        name: sku.into(),
        qty,
        price,
        original_price: price,
        discount_amt: money(discount),
        tax_amt: money(tax),
        sub_total: qty * price,
        ..OrderItem::default()
    }
}

/// An order of `items` with freight, whose totals are computed as shops do.
pub(crate) fn order(id: &str, items: Vec<OrderItem>, shipping: &str) -> Order {
    let sum = |of: fn(&OrderItem) -> Money| items.iter().map(of).sum::<Money>();
    let (sub_total, discount_amt, tax_amt) = (sum(|it| it.sub_total), sum(|it| it.discount_amt), sum(|it| it.tax_amt));
    let shipping_amt = money(shipping);
    let at = address("US", "CA", "90089");
    Order {
        frontend: "mage2".into(),
        fe_order_id: id.into(),
        fe_order_status: "processing".into(),
        fe_customer_group: "1".into(),
        shipment_method: "flatrate_flatrate".into(),
        payment_method: "checkmo".into(),
        currency: "USD".into(),
        sub_total,
        discount_amt,
        shipping_amt,
        tax_amt,
        grand_total: sub_total - discount_amt + tax_amt + shipping_amt,
        addresses: Addresses { billto: at.clone(), shipto: at },
        items,
        ..Order::default()
    }
}

/// 138 + 224 at 8.25 % and freight of 5: 396.87.
pub(crate) fn plain_order(id: &str) -> Order {
    let items = vec![item("MH09-XS-Blue", "2", "69", "0", "11.39"), item("RACER", "1", "224", "0", "18.48")];
    let mut order = order(id, items, "5");
    order.grand_total = money("396.87");
    order
}

/// What is found of the document of a [`plain_order`].
pub(crate) fn found(key: &str) -> FoundDocument {
    FoundDocument {
        target_id: key.into(),
        total: Some(money("396.87")),
        currency: Some("USD".into()),
        customer: Some("C20000".into()),
        mark: None,
    }
}

/// The steps up to a document that is ready to be sent, in the order of the flow.
pub(crate) async fn prepare(backoffice: &dyn Backoffice, cx: &Cx, order: &Order) -> Result<NativeOrder> {
    let customer = backoffice.customer_codes(cx, &[order]).await?.remove(0)?;
    let terms = OrderTerms {
        customer_code: customer,
        due_date: backoffice.due_date(cx, order).await?,
        reference: backoffice.order_reference(cx, order).await?,
        freight: backoffice.freight(cx, order).await?,
        discount_percent: backoffice.discount_percent(cx, order).await?,
        transport: backoffice.transport(cx, order).await?,
        payment: backoffice.payment(cx, order).await?,
        billto: backoffice.address(cx, order, AddressRole::BillTo).await?,
        shipto: backoffice.address(cx, order, AddressRole::ShipTo).await?,
        mark: format!("{}/record {}", order.frontend, order.fe_order_id),
    };
    let Mapped::Ready(mut doc) = backoffice.map_order(cx, order, &terms).await? else { panic!("ignored") };
    backoffice.extend_order(cx, order, &mut doc).await?;
    for item in &order.items {
        let tax = backoffice.line_tax(cx, order, item).await?;
        let mut line = backoffice.map_line(cx, order, item, &tax).await?;
        backoffice.extend_line(cx, order, item, &mut line).await?;
        doc.lines.push(line);
    }
    backoffice.reconcile_order(cx, order, &mut doc).await?;
    Ok(doc)
}

/// A sandbox with a company like any other.
pub(crate) async fn sandbox(way: Way) -> B1Sandbox {
    sandbox_of(way, Company::default()).await
}

pub(crate) async fn sandbox_of(way: Way, company: Company) -> B1Sandbox {
    B1Sandbox::start(way, company).await.unwrap()
}

/// A document as the agency makes it of [`plain_order`].
pub(crate) async fn document(agency: &B1Agency, id: &str) -> NativeOrder {
    prepare(agency, &cx(), &plain_order(id)).await.unwrap()
}

pub(crate) fn references<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<Reference> {
    ids.into_iter().map(|id| Reference { field: None, value: id.to_owned() }).collect()
}
