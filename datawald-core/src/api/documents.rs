//! Out of the body of a request, the entity that is staged.

use super::input::{check_name, parse, path_below};
use super::problem::Problem;
use super::views::{EntityBody, IntentWord};
use crate::model::{Fingerprint, Intent, Order, Table};
use crate::store::StageEntity;

const OPERATION: &str = "read entity";

/// Reads an entity of `table` under the key `id`; paths of errors begin with `prefix`.
pub(super) fn entity(table: Table, id: &str, body: EntityBody, prefix: &str) -> Result<StageEntity, Problem> {
    let at = |field: &str| path_below(prefix, field);
    check_name(&at(table.source_key()), id)?;
    check_name(&at("frontend"), &body.frontend)?;
    let intent = intent(&body, &at("reason"))?;
    if !body.data.get().starts_with('{') {
        return Err(Problem::field(OPERATION, at("data"), "is to be a JSON object"));
    }
    if body.raw.as_ref().is_some_and(|raw| !raw.get().starts_with('{')) {
        return Err(Problem::field(OPERATION, at("raw"), "is to be a JSON object"));
    }
    let raw = body.raw.as_ref().map(|raw| raw.get().to_owned()).unwrap_or_default();
    match table {
        Table::Orders => {
            let mut order: Order = strict(body.data.get(), &at("data"))?;
            agree(&mut order.fe_order_id, id, &at("data.fe_order_id"))?;
            agree(&mut order.frontend, &body.frontend, &at("data.frontend"))?;
            let source_status = body.status.unwrap_or_else(|| order.fe_order_status.clone());
            let source_updated_at = body.updated_at.or(order.fe_order_update_date);
            let (doc, fingerprint) = order.to_document()?;
            Ok(StageEntity {
                id: id.to_owned(),
                name: order.fe_order_id,
                intent,
                source_status,
                source_updated_at,
                fingerprint,
                doc,
                raw,
            })
        }
        _ => {
            let doc = body.data.get().to_owned();
            Ok(StageEntity {
                id: id.to_owned(),
                name: id.to_owned(),
                intent,
                source_status: body.status.unwrap_or_default(),
                source_updated_at: body.updated_at,
                fingerprint: Fingerprint::of(doc.as_bytes()),
                doc,
                raw,
            })
        }
    }
}

fn intent(body: &EntityBody, reason_at: &str) -> Result<Intent, Problem> {
    let reason = || match &body.reason {
        Some(reason) if !reason.trim().is_empty() => Ok(reason.clone()),
        _ => Err(Problem::field(OPERATION, reason_at, "say why it is to be ignored or rejected")),
    };
    Ok(match body.intent {
        IntentWord::Apply => Intent::Apply,
        IntentWord::Cancel => Intent::Cancel,
        IntentWord::Ignore => Intent::Ignore(reason()?),
        IntentWord::Reject => Intent::Reject(reason()?),
    })
}

/// Reads a canonical order. A field that it does not have is refused: it would be lost without a word.
fn strict(json: &str, at: &str) -> Result<Order, Problem> {
    let mut unknown = None;
    let mut reader = serde_json::Deserializer::from_str(json);
    // The first unknown field is enough to know that the order is not understood whole.
    let order = serde_ignored::deserialize::<_, _, Order>(&mut reader, |path| {
        unknown.get_or_insert_with(|| path.to_string());
    });
    match (order, unknown) {
        (Ok(_), Some(path)) => {
            let path = path_below(at, &path.chars().filter(|char| !char.is_control()).take(200).collect::<String>());
            let message = "is no field of the canonical order; put what is your own under `ext`";
            Err(Problem::field(OPERATION, path, message))
        }
        (Ok(order), None) => Ok(order),
        // Again, for the path of what is wrong.
        (Err(_), _) => parse(json.as_bytes(), at),
    }
}

/// What is said twice must be the same; what is left out is filled in.
fn agree(inside: &mut String, outside: &str, at: &str) -> Result<(), Problem> {
    if inside.is_empty() {
        outside.clone_into(inside);
    }
    match inside == outside {
        true => Ok(()),
        false => Err(Problem::field(OPERATION, at, "is not the one that the request names")),
    }
}
