//! Names, codes and the company, as the service tells them.

use std::sync::Arc;

use datawald_core::clock::later;
use datawald_core::http::HttpResponse;
use datawald_core::model::parse_decimal;
use datawald_core::{Cx, Effect, Error, ErrorKind, Result};
use futures::try_join;
use reqwest::Method;
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

/// The codes, from memory while they are fresh. Whoever needs them while they are fetched waits for the same.
pub(super) async fn codes(client: &RestfulClient, cx: &Cx) -> Result<Arc<B1Codes>> {
    let mut held = client.codes.lock().await;
    let now = cx.now();
    if let Some((_, codes)) = held.as_ref().filter(|(fresh_until, _)| now < *fresh_until) {
        return Ok(codes.clone());
    }
    let (expenses, transports, payments, taxes) = try_join!(
        get(client, cx, CODES, "v1/code?type=ExpnsName"),
        get(client, cx, CODES, "v1/code?type=TrnspName"),
        get(client, cx, CODES, "v1/code?type=PayMethCod"),
        get(client, cx, CODES, "v1/code?type=TaxCode"),
    )?;
    let mut codes = B1Codes {
        expenses: expenses.json()?,
        transports: transports.json()?,
        payments: payments.json()?,
        ..B1Codes::default()
    };
    for tax in taxes.json::<Vec<WireTax>>()? {
        // The database leaves the rate of some codes empty; that is no rate.
        let rate =
            if tax.rate.trim().is_empty() { Some(rust_decimal::Decimal::ZERO) } else { parse_decimal(&tax.rate) };
        let rate = rate.ok_or_else(|| {
            let message = format!("the rate of the tax code `{}` is no number", tax.code);
            Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, CODES, message)
        })?;
        codes.taxes.insert(tax.code, rate);
    }
    let codes = Arc::new(codes);
    *held = Some((later(now, client.settings.requests.codes_fresh()), codes.clone()));
    Ok(codes)
}

pub(super) async fn info(client: &RestfulClient, cx: &Cx) -> Result<B1Info> {
    let info: WireInfo = get(client, cx, INFO, "v1/info").await?.json()?;
    Ok(B1Info { company_db: info.company_db, company_name: info.company_name, server: info.server })
}

async fn get(client: &RestfulClient, cx: &Cx, operation: &'static str, path: &str) -> Result<HttpResponse> {
    client.call(cx, Call { operation, effect: Effect::Read, method: Method::GET, path, body: None }).await
}
