//! Actions: `Orders(22)/Cancel`, `CompanyService_GetAdminInfo`.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::body::Style;
use super::call::Call;
use super::company;
use super::documents;
use super::error::Refusal;
use super::lines::text;
use super::read::type_of;
use super::schema::{EntitySet, schema};
use super::state::{Work, names};
use super::tables::{Key, Part};
use super::write::{current, value};

/// An action on an entity.
pub(super) fn bound(
    work: &mut Work<'_>,
    call: &Call,
    set: &'static EntitySet,
    key: &Key,
    name: &str,
) -> Result<Answer, Refusal> {
    if set.entity != "Document" || set.name == "Drafts" {
        return Err(Refusal::unsupported());
    }
    let mut values = current(work, call, set, type_of(set)?, key)?;
    let open = text(&values, "DocumentStatus") == "bost_Open";
    let cancelled = text(&values, "Cancelled") == "tYES";
    let rows = values.get("DocumentLines").and_then(Value::as_array);
    let delivered = rows.into_iter().flatten().any(|row| row.get("RemainingOpenQuantity") != row.get("Quantity"));
    let changes: &[(&str, &str)] = match name {
        "Cancel" if open && !delivered && !work.faults.refuse_cancel => {
            &[("Cancelled", "tYES"), ("CancelStatus", "csYes"), ("DocumentStatus", "bost_Close")]
        }
        "Close" if open => &[("DocumentStatus", "bost_Close")],
        "Reopen" if !open && !cancelled => &[("DocumentStatus", "bost_Open")],
        _ => return Err(Refusal::unsupported()),
    };
    for (name, value) in changes {
        values.insert((*name).to_owned(), json!(value));
    }
    let status = values.get("DocumentStatus").cloned().unwrap_or_default();
    let mut lines = documents::objects(&mut values, "DocumentLines");
    for line in &mut lines {
        line.insert("LineStatus".into(), status.clone());
    }
    values.insert("DocumentLines".into(), lines.into_iter().map(Value::Object).collect());
    documents::touch(work, &mut values);
    work.store.tables.put(set.name, key.clone(), &values);
    if set.name == "Orders" {
        work.orders += 1;
        work.store.counters.cancelled += u64::from(name == "Cancel");
    }
    Ok(Answer::no_content())
}

/// An action of the whole company.
pub(super) fn global(work: &mut Work<'_>, call: &Call, name: &str) -> Result<Answer, Refusal> {
    let options = &work.state.options;
    match work.faults.refuse_actions.get(name) {
        None => {}
        Some(status @ (404 | 503)) => return Ok(Answer { status: *status, headers: Vec::new(), body: Vec::new() }),
        Some(status) => return Err(Refusal::new(*status, -1, "You are not permitted to perform this action")),
    }
    let complex = |work: &Work<'_>, of: &str, kept: Value| {
        let of = schema().type_named(of).ok_or_else(|| Refusal::new(400, 200, "Unrecognized resource path"))?;
        let style = Style { version: call.version, names: names(&work.user_fields), long_dates: false };
        let kept = if let Value::Object(kept) = kept { kept } else { Map::new() };
        Ok(Answer::json(call.version, 200, &Value::Object(style.entity(of, kept, None))))
    };
    match name {
        "CompanyService_GetAdminInfo" => complex(work, "AdminInfo", company::admin_info(options)),
        "CompanyService_GetCompanyInfo" => complex(work, "CompanyInfo", company::info()),
        "SBOBobService_GetLocalCurrency" | "SBOBobService_GetSystemCurrency" => {
            Ok(value(call.version, &json!(options.currency)))
        }
        "SBOBobService_GetCurrencyRate" => {
            let asked = call.object()?;
            let sought = text(&asked, "Currency");
            let rate = work.store.rates.get(sought).copied();
            let rate = rate.ok_or_else(|| Refusal::new(400, -4006, "Update the exchange rate"))?;
            Ok(value(call.version, &super::decimal::number(rate)))
        }
        "DraftsService_SaveDraftToDocument" => {
            let sent = call.object()?;
            let entry = sent.get("Document").and_then(|document| document.get("DocEntry"));
            let entry = entry.and_then(|entry| entry.as_i64().or_else(|| entry.as_str()?.parse().ok()));
            let entry = entry.ok_or_else(|| Refusal::malformed("'DocEntry' of 'Document' is missing"))?;
            documents::approve(work, &vec![Part::Int(entry)])?;
            Ok(Answer::no_content())
        }
        _ => Err(Refusal::new(400, 200, "Unrecognized resource path")),
    }
}
