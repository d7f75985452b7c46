//! Names and codes, as the company's tables have them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datawald_core::clock::later;
use datawald_core::model::parse_decimal;
use datawald_core::{Cx, Effect, Error, ErrorKind, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Number;

use super::currencies::AdminInfo;
use super::link::query;
use super::{ServiceLayerClient, TaxTable, currencies};
use crate::api::{B1Codes, B1Info};
use crate::settings::is_currency;

pub(super) const OPERATION: &str = "fetch names and codes from SAP B1";
const INFO: &str = "ask SAP B1 which company it is";

/// What was fetched, and when.
#[derive(Default)]
pub(super) struct Held {
    known: Option<(Timestamp, Arc<Codes>)>,
    /// Whether the log has it that the main currency is not checked.
    warned: bool,
}

/// Names and codes, with what each name stands for.
#[derive(Debug, Default)]
pub(super) struct Codes {
    /// Codes of expenses by name.
    pub(super) expenses: BTreeMap<String, i64>,
    /// Codes of ways of transport by name.
    pub(super) transports: BTreeMap<String, i64>,
    /// The company's codes of currencies by ISO code.
    pub(super) currencies: BTreeMap<String, String>,
    /// Whether rates of exchange tell what one of the main currency is worth in the other.
    pub(super) indirect_rates: bool,
    /// What the rules work with.
    pub(super) known: Arc<B1Codes>,
}

impl Codes {
    /// The ISO code of one of the company's own: as configured, else what documents are printed with if that looks like one,
    /// else the code itself.
    pub(super) fn iso_of(&self, configured: &BTreeMap<String, String>, code: &str) -> String {
        let named = configured.iter().find(|(_, own)| *own == code).map(|(iso, _)| iso);
        let printed = || self.currencies.iter().find(|(iso, own)| *own == code && *iso != code && is_currency(iso));
        named.or_else(|| printed().map(|(iso, _)| iso)).map_or_else(|| code.to_owned(), Clone::clone)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Expense {
    expens_code: i64,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Shipping {
    code: i64,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Payment {
    payment_method_code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SalesTax {
    pub(super) code: String,
    pub(super) rate: Option<Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VatGroup {
    code: String,
    #[serde(default, rename = "VatGroups_Lines")]
    lines: Vec<VatLine>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VatLine {
    effectivefrom: Option<String>,
    rate: Option<Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Company {
    company_name: Option<String>,
}

/// The codes, from memory while they are fresh.
pub(super) async fn held(client: &ServiceLayerClient, cx: &Cx) -> Result<Arc<Codes>> {
    no_older(client, cx, client.settings.requests.codes_fresh()).await
}

/// The codes for an order that fails by those that are held: asked for anew, but at most once a minute.
pub(super) async fn anew(client: &ServiceLayerClient, cx: &Cx) -> Result<Arc<Codes>> {
    no_older(client, cx, client.settings.requests.codes_anew()).await
}

/// The codes, from memory unless they are older than `age`. Whoever needs them while they are fetched waits for the same.
async fn no_older(client: &ServiceLayerClient, cx: &Cx, age: Duration) -> Result<Arc<Codes>> {
    let mut held = client.codes.lock().await;
    let now = cx.steady();
    if let Some((_, codes)) = held.known.as_ref().filter(|(asked_at, _)| now < later(*asked_at, age)) {
        return Ok(codes.clone());
    }
    let codes = Arc::new(fetch(client, cx, &mut held.warned).await?);
    held.known = Some((now, codes.clone()));
    Ok(codes)
}

async fn fetch(client: &ServiceLayerClient, cx: &Cx, warned: &mut bool) -> Result<Codes> {
    let path = |set: &str, select: &str, key: &str| query(set, &[("$select", select), ("$orderby", key)]);
    let (expenses, transports, payments, currencies) = (
        path("AdditionalExpenses", "ExpensCode,Name", "ExpensCode"),
        path("ShippingTypes", "Code,Name", "Code"),
        path("WizardPaymentMethods", "PaymentMethodCode", "PaymentMethodCode"),
        path("Currencies", "Code,DocumentsCode", "Code"),
    );
    let (expenses, transports, payments, currencies, taxes) = tokio::try_join!(
        client.rows::<Expense>(cx, OPERATION, &expenses),
        client.rows::<Shipping>(cx, OPERATION, &transports),
        client.rows::<Payment>(cx, OPERATION, &payments),
        client.rows::<currencies::Currency>(cx, OPERATION, &currencies),
        taxes(client, cx),
    )?;
    let expenses = named(expenses.into_iter().map(|row| (row.name, row.expens_code)));
    let transports = named(transports.into_iter().map(|row| (row.name, row.code)));
    let currencies = currencies::by_iso(&client.settings.currency_codes, &currencies);
    let company = currencies::company(client, cx).await?;
    let indirect_rates = company.as_ref().is_some_and(AdminInfo::has_indirect_rates);
    match company.as_ref().and_then(AdminInfo::main_currency) {
        Some(local) => currencies::check_main(&client.settings, &currencies, &local)?,
        None if *warned => {}
        None => {
            *warned = true;
            tracing::warn!(
                company_currency = client.settings.main_currency,
                "SAP B1 does not tell its main currency to this user, so the setting goes unchecked: see that it is right, \
                 since amounts of orders in it are written as ones of the main currency"
            );
        }
    }
    let known = Arc::new(B1Codes {
        expenses: expenses.keys().cloned().collect(),
        transports: transports.keys().cloned().collect(),
        payments: payments.into_iter().map(|row| row.payment_method_code).collect(),
        currencies: Some(currencies.keys().cloned().collect()),
        taxes,
    });
    Ok(Codes { expenses, transports, currencies, indirect_rates, known })
}

/// Codes by name; of two of the same name the lower code, as the tables are in the order of their codes.
pub(super) fn named(rows: impl Iterator<Item = (Option<String>, i64)>) -> BTreeMap<String, i64> {
    let mut named = BTreeMap::new();
    for (name, code) in rows {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            named.entry(name).or_insert(code);
        }
    }
    named
}

async fn taxes(client: &ServiceLayerClient, cx: &Cx) -> Result<BTreeMap<String, Decimal>> {
    let no_number = |code: &str| {
        let message = format!("the rate of the tax code `{code}` is no number");
        Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, OPERATION, message)
    };
    let rate = |code: &str, rate: Option<&Number>| match rate {
        // The database leaves the rate of some codes empty; that is no rate.
        None => Ok(Decimal::ZERO),
        Some(rate) => parse_decimal(&rate.to_string()).ok_or_else(|| no_number(code)),
    };
    match client.settings.tax_table {
        TaxTable::SalesTaxCodes => {
            let path = query("SalesTaxCodes", &[("$select", "Code,Rate"), ("$orderby", "Code")]);
            let rows: Vec<SalesTax> = client.rows(cx, OPERATION, &path).await?;
            rows.into_iter().map(|row| Ok((row.code.clone(), rate(&row.code, row.rate.as_ref())?))).collect()
        }
        TaxTable::VatGroups => {
            let today = TimeZone::UTC.to_datetime(cx.now()).date();
            let path = query("VatGroups", &[("$select", "Code,VatGroups_Lines"), ("$orderby", "Code")]);
            let rows: Vec<VatGroup> = client.rows(cx, OPERATION, &path).await?;
            rows.into_iter().map(|row| Ok((row.code.clone(), rate(&row.code, rate_of(&row, today))?))).collect()
        }
    }
}

/// The rate that is in force: that of the latest line that has begun.
pub(super) fn rate_of(group: &VatGroup, today: Date) -> Option<&Number> {
    let begun = group.lines.iter().filter_map(|line| {
        let from = line.effectivefrom.as_deref().and_then(|from| from.get(..10)?.parse::<Date>().ok());
        from.is_none_or(|from| from <= today).then_some((from, line))
    });
    begun.max_by_key(|(from, _)| *from).and_then(|(_, line)| line.rate.as_ref())
}

/// Asks for the company's name, which costs the server little.
pub(super) async fn info(client: &ServiceLayerClient, cx: &Cx) -> Result<B1Info> {
    let call = super::client::Call {
        operation: INFO,
        effect: Effect::Read,
        method: http::Method::POST,
        url: client.url("CompanyService_GetCompanyInfo")?,
        body: None,
        parts: 1,
    };
    let company: Company = client.call(cx, call).await?.json()?;
    let url = &client.settings.http.base_url;
    Ok(B1Info {
        company_db: client.settings.company_db.clone(),
        company_name: company.company_name.unwrap_or_default(),
        server: url.host_str().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_that_is_in_force() {
        let text = r#"{"Code": "A1", "VatGroups_Lines": [
            {"Effectivefrom": "2000-01-01T00:00:00Z", "Rate": 19.0},
            {"Effectivefrom": "2024-01-01", "Rate": 21.5},
            {"Effectivefrom": "2030-01-01", "Rate": 25}]}"#;
        let group: VatGroup = serde_json::from_str(text).unwrap();
        let at = |date: &str| rate_of(&group, date.parse().unwrap()).map(ToString::to_string);
        assert_eq!(at("2010-01-01").as_deref(), Some("19.0"));
        assert_eq!(at("2024-01-01").as_deref(), Some("21.5"));
        assert_eq!(at("1999-01-01"), None);
    }
}
