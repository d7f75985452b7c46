//! Currencies: the company's codes of them, which of them is its main one, and their rates.

use std::collections::{BTreeMap, HashMap};

use datawald_core::{Cx, Effect, Error, ErrorKind, Result};
use http::Method;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Call;
use super::codes::OPERATION;
use super::error::has_code;
use super::{ServiceLayerClient, ServiceLayerSettings};
use crate::fields;
use crate::number::decimal;

const RATE: &str = "ask SAP B1 for a rate of exchange";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Currency {
    code: String,
    documents_code: Option<String>,
}

/// What is read of the company's own settings.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AdminInfo {
    local_currency: Option<String>,
    direct_indirect_rate: Option<String>,
}

impl AdminInfo {
    /// Whether rates tell what one of the main currency is worth in the other, and not the other way round.
    pub(super) fn has_indirect_rates(&self) -> bool {
        self.direct_indirect_rate.as_deref() == Some("tNO")
    }

    /// The company's code of its main currency, if it has one yet.
    pub(super) fn main_currency(&self) -> Option<String> {
        self.local_currency.as_ref().map(|code| code.trim().to_owned()).filter(|code| !code.is_empty())
    }
}

/// The company's codes by ISO code: as configured, else where the code is the ISO code itself, else where that is what
/// documents are printed with.
pub(super) fn by_iso(configured: &BTreeMap<String, String>, rows: &[Currency]) -> BTreeMap<String, String> {
    let mut codes: BTreeMap<String, String> = BTreeMap::new();
    for row in rows {
        if let Some(printed) = row.documents_code.as_ref().filter(|printed| !printed.is_empty()) {
            codes.entry(printed.clone()).or_insert_with(|| row.code.clone());
        }
    }
    codes.extend(rows.iter().map(|row| (row.code.clone(), row.code.clone())));
    codes.extend(configured.clone());
    codes
}

/// The company's own settings; `None` where the user is not told.
pub(super) async fn company(client: &ServiceLayerClient, cx: &Cx) -> Result<Option<AdminInfo>> {
    let call = Call {
        operation: OPERATION,
        effect: Effect::Read,
        method: Method::POST,
        url: client.url("CompanyService_GetAdminInfo")?,
        body: None,
        parts: 1,
    };
    match client.call(cx, call).await {
        Ok(response) => Ok(Some(response.json()?)),
        // By SAP, or by what stands before it and lets few calls through.
        Err(error) if matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound) => Ok(None),
        Err(error) if [403, 404, 405].iter().any(|status| has_code(&error, *status)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the main currency is the one that is configured. If it were not, amounts of orders in the configured one would be
/// written as ones of the company's.
pub(super) fn check_main(settings: &ServiceLayerSettings, codes: &BTreeMap<String, String>, local: &str) -> Result<()> {
    let configured = &settings.main_currency;
    if codes.get(configured).is_some_and(|code| code == local) {
        return Ok(());
    }
    let message = format!(
        "is {configured}, but the company's main currency in SAP B1 is {local}: set it to that currency, or, if {local} is \
         SAP B1's code of {configured}, say so in `currency_codes`"
    );
    Err(Error::config(OPERATION, message).field("company_currency"))
}

/// The rates that a batch of orders needs. Each is asked for once, whatever comes of it; the next batch asks again.
#[derive(Default)]
pub(super) struct Rates(HashMap<String, Result<Decimal>>);

impl Rates {
    /// What one of a currency (by the company's code) is worth in the main one today.
    ///
    /// # Errors
    /// Rejected where SAP B1 has none, so that other orders go; retryable where it cannot be asked.
    pub(super) async fn of(&mut self, client: &ServiceLayerClient, cx: &Cx, currency: &str) -> Result<Decimal> {
        if let Some(asked) = self.0.get(currency) {
            return asked.clone();
        }
        let rate = rate(client, cx, currency).await;
        self.0.insert(currency.to_owned(), rate.clone());
        rate
    }
}

/// The rate of today. Held until tomorrow.
async fn rate(client: &ServiceLayerClient, cx: &Cx, currency: &str) -> Result<Decimal> {
    let today = TimeZone::UTC.to_datetime(cx.now()).date();
    let mut rates = client.rates.lock().await;
    if let Some((_, rate)) = rates.get(currency).filter(|(date, _)| *date == today) {
        return Ok(*rate);
    }
    let body = json!({ "Currency": currency, "Date": today.strftime("%Y%m%d").to_string() }).to_string();
    let call = Call {
        operation: RATE,
        effect: Effect::Read,
        method: Method::POST,
        url: client.url("SBOBobService_GetCurrencyRate")?,
        body: Some(("application/json", body.into())),
        parts: 1,
    };
    let rate = match client.call(cx, call).await {
        Ok(response) => rate_in(&response.json()?).ok_or_else(|| {
            Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, RATE, "the answer is no rate of exchange")
        })?,
        Err(error) if matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound) => {
            let missing = no_rate(currency, today, &format!(" ({})", error.message()));
            return Err(missing.code(error.code_text().unwrap_or_default().to_owned()));
        }
        Err(error) => return Err(error),
    };
    if rate <= Decimal::ZERO {
        return Err(no_rate(currency, today, ""));
    }
    rates.insert(currency.to_owned(), (today, rate));
    Ok(rate)
}

fn no_rate(currency: &str, day: Date, said: &str) -> Error {
    let message = format!(
        "SAP B1 gives no rate of exchange for {currency} on {day}{said}: enter it there, then sync the order again"
    );
    Error::refused(RATE, message).field(fields::DOC_CURRENCY)
}

/// The rate in an answer: a number alone, or as the value of an object, by version.
pub(super) fn rate_in(answered: &Value) -> Option<Decimal> {
    decimal(answered.get("value").unwrap_or(answered))
}
