//! The loop by hand: fetch a page, map it, look it up, insert it in batches. No store, no engine, no retries; it loses and
//! doubles orders whenever anything goes wrong.

use std::time::Instant;

use datawald_examples::sample_company;
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use sapb1_connector::sandbox::{B1Sandbox, LOGIN, Way};
use serde_json::{Value, json};

use crate::Failure;

/// Syncs `count` orders between two sandboxes and tells how quickly.
pub(crate) async fn orders_per_second(count: u64) -> Result<f64, Failure> {
    let options = SandboxOptions { orders: OrderSet::Synthetic(count), ..SandboxOptions::default() };
    let token = options.token.clone();
    let magento = Sandbox::start(options).await?;
    let b1 = B1Sandbox::start(Way::Restful, sample_company()).await?;
    let http =
        reqwest::Client::builder().tls_backend_preconfigured(datawald_core::tls::tls_config(None, None)?).build()?;
    let b1_url = b1.url();
    let (username, password) = LOGIN;
    let login = json!({"username": username, "password": password});
    let login: Value = send(http.post(format!("{b1_url}/auth")).body(login.to_string())).await?;
    let jwt = format!("JWT {}", login["access_token"].as_str().unwrap_or_default());

    let started = Instant::now();
    let (mut page, mut seen) = (1, 0);
    while seen < count {
        let url = format!(
            "{}/rest/V1/orders?searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[sortOrders][0][direction]=ASC\
             &searchCriteria[pageSize]=100&searchCriteria[currentPage]={page}",
            magento.url()
        );
        let answer = send(http.get(url).bearer_auth(&token)).await?;
        let docs: Vec<Value> =
            answer["items"].as_array().map(|orders| orders.iter().map(map).collect()).unwrap_or_default();
        let ids: Vec<&Value> = docs.iter().map(|doc| &doc["fe_order_id"]).collect();
        let query = json!({"columns": ["DocEntry", "NumAtCard"], "params": {"NumAtCard": {"op": "in", "value": ids}}});
        let request = http.put(format!("{b1_url}/v1/orders/fetch?num=100")).header("Authorization", &jwt);
        send(request.body(query.to_string())).await?;
        for batch in docs.chunks(50) {
            let request = http.post(format!("{b1_url}/v1/orders/insert")).header("Authorization", &jwt);
            let outcomes = send(request.body(serde_json::to_string(batch)?)).await?;
            let outcomes = outcomes.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(failed) = outcomes.iter().find(|outcome| outcome["tx_status"] != "S") {
                return Err(format!("the loop by hand failed: {}", failed["tx_note"]).into());
            }
            seen += outcomes.len() as u64;
        }
        page += 1;
    }
    #[allow(clippy::cast_precision_loss)]
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

async fn send(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    Ok(serde_json::from_slice(&request.send().await?.error_for_status()?.bytes().await?)?)
}

fn map(order: &Value) -> Value {
    let bill = &order["billing_address"];
    let ship = &order["extension_attributes"]["shipping_assignments"][0]["shipping"]["address"];
    let ship = if ship.is_object() { ship } else { bill };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let street = |address: &Value| {
        address["street"].as_array().map(|lines| lines.iter().map(text).collect::<Vec<_>>().join(" "))
    };
    let item = |item: &Value| {
        json!({"itemcode": item["sku"], "quantity": item["qty_ordered"].to_string(), "price": item["price"].to_string(),
            "taxcode": "EX", "linetotal": item["row_total"].to_string()})
    };
    let lines = order["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<Value> = lines.iter().filter(|line| line["parent_item_id"].is_null()).map(item).collect();
    json!({
        "doc_due_date": "2030-01-01", "card_code": "C20000", "fe_order_id": order["increment_id"], "transport_name": "Standard",
        "payment_method": "Check", "expenses_freightname": "Freight", "expenses_taxcode": "EX",
        "expenses_linetotal": order["shipping_amount"].to_string(),
        "billto_firstname": text(&bill["firstname"]), "billto_lastname": text(&bill["lastname"]), "billto_email": text(&bill["email"]),
        "billto_city": text(&bill["city"]), "billto_country": text(&bill["country_id"]), "billto_state": text(&bill["region_code"]),
        "billto_address": street(bill).unwrap_or_default(), "billto_zipcode": text(&bill["postcode"]),
        "billto_telephone": text(&bill["telephone"]), "billto_county": "", "billto_companyname": text(&bill["company"]),
        "shipto_city": text(&ship["city"]), "shipto_country": text(&ship["country_id"]), "shipto_county": "",
        "shipto_state": text(&ship["region_code"]), "shipto_address": street(ship).unwrap_or_default(),
        "shipto_zipcode": text(&ship["postcode"]), "items": lines,
    })
}
