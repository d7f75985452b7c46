//! The documents in SAP B1, as its sandbox has them, and documents of other people's making.

use axum::http::{HeaderMap, Method};
use datawald_core::http::Carried;
use rust_decimal::prelude::ToPrimitive;
use sapb1_connector::sandbox::{B1Sandbox, COMPANY_DB, LOGIN};
use serde_json::{Value, json};

use super::network::Peer;
use super::process::ANY;
use super::world::World;

/// A document, or a draft that waits for approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paper {
    pub(crate) entry: i64,
    pub(crate) reference: String,
    pub(crate) cents: u64,
    pub(crate) cancelled: bool,
    pub(crate) draft: bool,
    /// Where the way in tells it.
    pub(crate) street: Option<String>,
}

/// All of them.
pub(crate) fn all(b1: &B1Sandbox) -> Vec<Paper> {
    let cents = |total: rust_decimal::Decimal| (total * rust_decimal::Decimal::ONE_HUNDRED).to_u64().unwrap_or(0);
    match b1 {
        B1Sandbox::Restful(sandbox) => {
            let paper = |record: sapb1_connector::sandbox::restful::DocumentRecord| Paper {
                entry: record.doc_entry.into(),
                cents: cents(record.total),
                cancelled: record.cancelled,
                reference: record.reference,
                draft: false,
                street: None,
            };
            sandbox.documents().into_iter().map(paper).collect()
        }
        B1Sandbox::ServiceLayer(sandbox) => {
            let paper = |draft: bool, record: &sapb1_connector::sandbox::service_layer::DocumentRecord| Paper {
                entry: record.doc_entry,
                cents: cents(record.total),
                cancelled: record.cancelled,
                reference: record.num_at_card.clone().unwrap_or_default(),
                draft,
                street: record.body.pointer("/AddressExtension/ShipToStreet").and_then(Value::as_str).map(String::from),
            };
            let open = |record: &&sapb1_connector::sandbox::service_layer::DocumentRecord| !record.closed;
            let (documents, drafts) = (sandbox.documents(), sandbox.drafts());
            let documents = documents.iter().map(|record| paper(false, record));
            documents.chain(drafts.iter().filter(open).map(|record| paper(true, record))).collect()
        }
    }
}

/// Approves all drafts.
pub(crate) fn approve(world: &World) {
    let B1Sandbox::ServiceLayer(sandbox) = &*world.b1 else { return };
    for draft in sandbox.drafts().iter().filter(|draft| !draft.closed) {
        let entry = sandbox.approve(draft.doc_entry);
        world.approved.lock().unwrap().extend(entry);
        world.story.tell("approver", format!("approves draft {}: document {entry:?}", draft.doc_entry));
    }
}

/// Enters a document as a colleague does; its `DocEntry`, if SAP B1 takes it.
pub(crate) async fn enter(world: &World, reference: &str, cents: u64) -> Option<i64> {
    let total = format!("{}.{:02}", cents / 100, cents % 100);
    match &*world.b1 {
        B1Sandbox::Restful(_) => {
            let login = json!({ "username": LOGIN.0, "password": LOGIN.1 });
            let token = call(world, "/auth", login, None).await?["access_token"].as_str()?.to_owned();
            let parts = ["billto", "shipto"].into_iter().flat_map(|side| {
                ["address", "city", "country", "county", "state", "zipcode", "telephone"]
                    .map(|part| (format!("{side}_{part}"), Value::from("x")))
            });
            let mut order: serde_json::Map<String, Value> = parts.collect();
            let more = json!({
                "fe_order_id": reference, "card_code": "C20000", "doc_due_date": "2026-02-07",
                "billto_firstname": "A", "billto_lastname": "B", "billto_email": "c@example.com",
                "items": [{ "itemcode": "SKU-2", "quantity": "1", "price": total, "taxcode": "EX", "linetotal": total }],
            });
            order.extend(more.as_object()?.clone());
            let header = ("authorization", format!("JWT {token}"));
            let answer = call(world, "/v1/orders/insert", json!([order]), Some(header)).await?;
            // The answer names the first document under the number, which may be another.
            let made = |answer: &Value| answer[0]["tx_status"] == "S";
            made(&answer)
                .then(|| all(&world.b1).iter().filter(|paper| paper.cents == cents).map(|paper| paper.entry).max())?
        }
        B1Sandbox::ServiceLayer(_) => {
            let login = json!({ "CompanyDB": COMPANY_DB, "UserName": LOGIN.0, "Password": LOGIN.1 });
            let session = call(world, "/b1s/v2/Login", login, None).await?["SessionId"].as_str()?.to_owned();
            let amount: Value = serde_json::from_str(&total).ok()?;
            let order = json!({
                "CardCode": "C20000", "DocDueDate": "2026-02-07", "NumAtCard": reference,
                "DocumentLines": [{ "ItemCode": "SKU-2", "Quantity": 1, "UnitPrice": amount, "TaxCode": "EX" }],
            });
            let header = ("cookie", format!("B1SESSION={session}; ROUTEID=.node1"));
            call(world, "/b1s/v2/Orders", order, Some(header)).await?["DocEntry"].as_i64()
        }
    }
}

async fn call(world: &World, path: &str, body: Value, header: Option<(&'static str, String)>) -> Option<Value> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().ok()?);
    if let Some((name, value)) = header {
        headers.insert(name, value.parse().ok()?);
    }
    let url = format!("http://b1.sandbox{path}").parse().ok()?;
    let body = Some(body.to_string().into());
    let request = Carried { method: Method::POST, url, headers, body, timeout: ANY, max_body: usize::MAX };
    let answer = world.wires.ask(Peer::B1, request).await.ok()?;
    serde_json::from_slice(&answer.body).ok()
}
