//! How a merchant books the orders: SAP B1's company, the rules, and both ways in, without sockets.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use datawald_backoffice::OrdersTarget;
use datawald_core::engine::{Done, Target};
use datawald_core::http::{Answered, Broken, Carried, Transport};
use datawald_core::model::{EntityKey, FlowId, Intent, Order, Table, TxStatus};
use datawald_core::store::Claimed;
use datawald_core::{Cx, Result};
use datawald_frontend::{Frontend, RawDoc};
use jiff::Timestamp;
use mage2_connector::{Mage2Agency, Mage2Settings};
use rust_decimal::Decimal;
use sapb1_connector::sandbox::restful::TaxRounding;
use sapb1_connector::sandbox::{B1Sandbox, Company, Document, Way};
use sapb1_connector::settings::{DiscountMode, PrepaidRule, TaxRule};
use sapb1_connector::{B1Agency, B1Settings};
use tower::ServiceExt;

use crate::cart::{Case, RATES};
use crate::dice::Dice;
use crate::judge::Tally;
use crate::magento;
use crate::shop::{FixedTax, Shop};
use crate::write;

/// What an order is booked with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Books {
    pub(crate) currency: &'static str,
    /// The decimals that SAP B1 has for it.
    pub(crate) decimals: u32,
    /// What one of the currency is worth in the main one, if that is US dollars.
    pub(crate) rate: Option<Decimal>,
    pub(crate) tax_per_line: bool,
    pub(crate) document_discount: bool,
    /// Freight is a line and no expense.
    pub(crate) freight_line: bool,
    /// Gift card, store credit and points are booked as payments.
    pub(crate) prepaid: bool,
    /// There is an item for fixed product taxes.
    pub(crate) fixed_taxes: bool,
}

impl Books {
    pub(crate) fn generate(shop: &Shop, dice: &mut Dice) -> Self {
        let document_discount = dice.percent(30);
        // Companies have their currencies as ISO 4217 does; some keep yen with sen, and dinars with two decimals.
        let (decimals, odd) = match shop.currency {
            "JPY" => (0, 2),
            "KWD" => (3, 2),
            _ => (2, 2),
        };
        let foreign = shop.currency != "USD" && dice.percent(30);
        let rate = match shop.currency {
            "EUR" => Decimal::new(108_345, 5),
            "KWD" => Decimal::new(32_571, 4),
            _ => Decimal::new(64_312, 7),
        };
        Self {
            currency: shop.currency,
            decimals: if dice.percent(10) { odd } else { decimals },
            rate: foreign.then_some(rate),
            tax_per_line: dice.percent(50),
            document_discount,
            freight_line: !document_discount && dice.percent(25),
            prepaid: !dice.percent(10),
            fixed_taxes: shop.fixed_tax == FixedTax::None || !dice.percent(10),
        }
    }

    fn company(&self) -> Company {
        let mut company = Company::default();
        if let Some(rate) = self.rate {
            company.currencies = vec![(self.currency.to_owned(), rate)];
        } else {
            company.currency = self.currency.to_owned();
        }
        company.decimals.insert(self.currency.to_owned(), self.decimals);
        company.rounding = if self.tax_per_line { TaxRounding::PerLine } else { TaxRounding::PerCode };
        company.tax_codes = table().into_iter().map(|rule| (rule.code, rule.rate)).collect();
        company.tax_codes.push(("EX".to_owned(), Decimal::ZERO));
        company
    }

    fn rules(&self) -> B1Settings {
        let mut rules = B1Settings::default();
        if self.rate.is_none() {
            rules.company_currency = self.currency.to_owned();
        }
        rules.currency_decimals.insert(self.currency.to_owned(), self.decimals);
        if self.tax_per_line {
            rules.rounding = sapb1_connector::settings::TaxRounding::PerLine;
        }
        rules.discount = if self.document_discount { DiscountMode::Document } else { DiscountMode::Lines };
        rules.customer.default = Some("C20000".to_owned());
        rules.exempt_code = Some("EX".to_owned());
        rules.tax = table();
        *(if self.freight_line { &mut rules.freight.item_code } else { &mut rules.freight.expense_name }) =
            Some("Freight".to_owned());
        if self.prepaid {
            rules.prepaid = PrepaidRule::Payment;
        }
        rules
    }

    /// Applies cases over both ways, and has what comes of them judged.
    pub(crate) async fn apply(&self, cases: &[Case], tally: &mut Tally) {
        let mapped = self.map(cases).await;
        for way in [Way::Restful, Way::ServiceLayer] {
            // SAP B1 RESTful makes documents in the main currency only.
            if way == Way::Restful && self.rate.is_some() {
                continue;
            }
            let world = World::new(self, way);
            let claimed: Vec<Claimed> = mapped.iter().filter_map(|mapped| mapped.as_ref().ok()).map(claimed).collect();
            let mut applied = world.target.apply(&cx(), &claimed).await.into_iter();
            for (case, mapped) in cases.iter().zip(&mapped) {
                let outcome = match mapped {
                    Err(error) => Err(error.to_string()),
                    Ok(_) => match applied.next().unwrap().result {
                        Err(error) => Err(error.to_string()),
                        Ok(Done::Applied { .. }) => Ok(world.document(&case.id())),
                        Ok(other) => panic!("{}: {other:?}", case.id()),
                    },
                };
                tally.judge(case, way, outcome);
            }
            world.close().await;
        }
    }

    /// From Magento's text to valid canonical orders.
    async fn map(&self, cases: &[Case]) -> Vec<Result<Order>> {
        let mut settings = Mage2Settings::bearer("http://127.0.0.1:9", "t");
        settings.orders.fixed_tax_sku = self.fixed_taxes.then(|| "FPT".to_owned());
        let agency = Mage2Agency::new(settings).unwrap();
        let mut mapped = Vec::with_capacity(cases.len());
        for case in cases {
            let raw = RawDoc::new(write::order(case));
            let order = match agency.map_order(&cx(), &raw).await {
                Ok(order) => agency.validate_order(&cx(), &order).await.map(|()| order),
                Err(error) => Err(error),
            };
            mapped.push(order);
        }
        mapped
    }
}

/// SAP B1's tax codes: one for each sum of rates, but the last.
fn table() -> Vec<TaxRule> {
    let known = RATES.iter().take(RATES.len() - 1).filter(|rates| !rates.is_empty());
    known
        .map(|names| {
            let rate: Decimal = magento::rates(names).iter().sum();
            let code = format!("T{}", rate.normalize()).replace('.', "");
            TaxRule { code, rate, country: None, region: None, postcodes: Vec::new() }
        })
        .collect()
}

fn flow() -> FlowId {
    FlowId::new(Table::Orders, "mage2")
}

fn cx() -> Cx {
    Cx::new(flow())
}

/// An order as a worker takes it up for the first time.
fn claimed(order: &Order) -> Claimed {
    Claimed {
        written_docs: Vec::new(),
        key: EntityKey::new(&flow(), order.fe_order_id.as_str()),
        name: order.fe_order_id.clone(),
        token: 1,
        rev: 1,
        intent: Intent::Apply,
        doc: order.clone().to_document().unwrap().0,
        target_id: None,
        reference: None,
        written: None,
        missed: false,
        attempts: 1,
        lost_leases: 0,
        was: TxStatus::New,
        lease_until: Timestamp::UNIX_EPOCH,
    }
}

/// A company, and who applies orders to it.
struct World {
    sandbox: B1Sandbox,
    agency: Arc<B1Agency>,
    target: OrdersTarget,
}

impl World {
    fn new(books: &Books, way: Way) -> Self {
        let (sandbox, router) = B1Sandbox::in_process(way, books.company());
        let rules = books.rules();
        let transport = Arc::new(InProcess(Mutex::new(router)));
        let api = sandbox.api_with_http(&rules, |http| http.transport = Some(transport)).unwrap();
        let agency = Arc::new(B1Agency::new(api, rules));
        let target = OrdersTarget::new(agency.clone());
        Self { sandbox, agency, target }
    }

    fn document(&self, number: &str) -> Document {
        let [document] = &*self.sandbox.documents_of(number) else { panic!("{number}: not one document") };
        document.clone()
    }

    async fn close(&self) {
        self.agency.api().close().await;
    }
}

/// Hands requests to the sandbox within this process.
#[derive(Debug)]
struct InProcess(Mutex<Router>);

#[async_trait]
impl Transport for InProcess {
    async fn exchange(&self, request: Carried) -> std::result::Result<Answered, Broken> {
        let router = self.0.lock().unwrap().clone();
        let target = request.url[url::Position::BeforePath..].to_owned();
        let mut call = axum::http::Request::builder().method(request.method).uri(target);
        *call.headers_mut().unwrap() = request.headers;
        let call = call.body(request.body.map_or_else(Body::empty, Body::from)).unwrap();
        let (parts, body) = router.oneshot(call).await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.map_err(|_| Broken::Cut(None))?;
        Ok(Answered { status: parts.status, headers: parts.headers, body })
    }
}
