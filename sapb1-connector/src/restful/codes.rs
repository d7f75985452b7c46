//! Names, codes and the company, as the service tells them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datawald_core::clock::later;
use datawald_core::http::HttpResponse;
use datawald_core::model::parse_decimal;
use datawald_core::{Cx, Effect, Error, ErrorKind, Result};
use futures::join;
use http::Method;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::RestfulClient;
use super::client::Call;
use crate::api::{B1Codes, B1Info};

const CODES: &str = "fetch names and codes from SAP B1";
const INFO: &str = "ask SAP B1 which company it is";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireTax {
    code: String,
    rate: String,
}

#[derive(Deserialize)]
struct WireInfo {
    #[serde(default)]
    company_db: String,
    #[serde(default)]
    company_name: String,
    #[serde(default)]
    server: String,
}

/// What was fetched. A list that came is kept although another failed, so that a service that fails now and then is asked
/// for the missing one only, and gets there.
#[derive(Default)]
pub(super) struct Held {
    /// When they were asked for, and what there was.
    known: Option<(Timestamp, Arc<B1Codes>)>,
    expenses: Option<Vec<String>>,
    transports: Option<Vec<String>>,
    payments: Option<Vec<String>>,
    taxes: Option<BTreeMap<String, Decimal>>,
}

/// The codes, from memory unless they are older than `age`. Whoever needs them while they are fetched waits for the same.
pub(super) async fn codes(client: &RestfulClient, cx: &Cx, age: Duration) -> Result<Arc<B1Codes>> {
    let mut held = client.codes.lock().await;
    let now = cx.steady();
    if let Some((_, codes)) = held.known.as_ref().filter(|(asked_at, _)| now < later(*asked_at, age)) {
        return Ok(codes.clone());
    }
    let list = async |kind| get(client, cx, CODES, kind).await?.json::<Vec<String>>();
    let taxes = async { rates(get(client, cx, CODES, "v1/code?type=TaxCode").await?.json()?) };
    let (expenses, transports, payments, taxes) = join!(
        missing(&held.expenses, list("v1/code?type=ExpnsName")),
        missing(&held.transports, list("v1/code?type=TrnspName")),
        missing(&held.payments, list("v1/code?type=PayMethCod")),
        missing(&held.taxes, taxes),
    );
    // Whatever came is kept before the first failure is told.
    let kept = [
        keep(&mut held.expenses, expenses),
        keep(&mut held.transports, transports),
        keep(&mut held.payments, payments),
        keep(&mut held.taxes, taxes),
    ];
    kept.into_iter().collect::<Result<()>>()?;
    // All four are there; taking them makes the next fetch, when these have aged, a whole one.
    let codes = Arc::new(B1Codes {
        expenses: held.expenses.take().unwrap_or_default(),
        transports: held.transports.take().unwrap_or_default(),
        payments: held.payments.take().unwrap_or_default(),
        currencies: None,
        taxes: held.taxes.take().unwrap_or_default(),
    });
    held.known = Some((now, codes.clone()));
    Ok(codes)
}

/// Fetches what is not held.
async fn missing<T>(held: &Option<T>, fetch: impl Future<Output = Result<T>>) -> Option<Result<T>> {
    if held.is_some() { None } else { Some(fetch.await) }
}

fn keep<T>(held: &mut Option<T>, fetched: Option<Result<T>>) -> Result<()> {
    if let Some(fetched) = fetched {
        *held = Some(fetched?);
    }
    Ok(())
}

fn rates(taxes: Vec<WireTax>) -> Result<BTreeMap<String, Decimal>> {
    let rate = |tax: WireTax| {
        // The database leaves the rate of some codes empty; that is no rate.
        let rate = if tax.rate.trim().is_empty() { Some(Decimal::ZERO) } else { parse_decimal(&tax.rate) };
        match rate {
            Some(rate) => Ok((tax.code, rate)),
            None => {
                let message = format!("the rate of the tax code `{}` is no number", tax.code);
                Err(Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, CODES, message))
            }
        }
    };
    taxes.into_iter().map(rate).collect()
}

pub(super) async fn info(client: &RestfulClient, cx: &Cx) -> Result<B1Info> {
    let info: WireInfo = get(client, cx, INFO, "v1/info").await?.json()?;
    Ok(B1Info { company_db: info.company_db, company_name: info.company_name, server: info.server })
}

async fn get(client: &RestfulClient, cx: &Cx, operation: &'static str, path: &str) -> Result<HttpResponse> {
    client.call(cx, Call { operation, effect: Effect::Read, method: Method::GET, path, body: None }).await
}
