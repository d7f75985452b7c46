//! Handing entities over, and reading them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::control;
use crate::api::Shared;
use crate::api::documents;
use crate::api::input::{Body, Path, Query, check_name};
use crate::api::problem::Problem;
use crate::api::views::{BatchBody, EntityBody, EntityView, Staged, StagedBatch};
use crate::model::{EntityKey, FlowId, Intent, Table, TxStatus};
use crate::store::{Push, StageEntity, Staging};
use crate::{Disposition, Error, ErrorKind};

/// Whose entity.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfFrontend {
    /// The frontend's name.
    frontend: String,
}

/// Stages an order and dispatches its task. Staging the same content again changes nothing, but has one done again that
/// failed. What this installation has no flow of is refused (422), with the flows that there are. With `If-Match: "rev"` (or `If-None-Match: *`) only if that version (or none) is there.
#[utoipa::path(
    put, path = "/backoffice/order/{id}", tag = "orders",
    params(
        ("id" = String, Path, description = "The source key (`fe_order_id`)"),
        ("If-Match" = Option<String>, Header, description = "The version that is to be replaced, as its `ETag`"),
        ("If-None-Match" = Option<String>, Header, description = "`*`, if it is not to be there"),
    ),
    request_body = EntityBody,
    responses((status = 200, body = Staged), (status = 201, description = "It is new", body = Staged)),
)]
pub(crate) async fn put_entity(
    table: Table,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body<EntityBody>,
) -> Result<Response, Problem> {
    const OPERATION: &str = "stage";
    let if_rev = condition(&headers)?;
    let flow = FlowId::new(table, body.frontend.clone());
    shared.check_flow("frontend", &flow)?;
    let mut entity = documents::entity(table, &id, body, "")?;
    as_known(&shared, &flow, &mut entity).await??;
    let intent = entity.intent.clone();
    let staged = shared.engine.push(&flow, vec![Push { entity, if_rev }]).await?;
    match staged.first() {
        Some(Some(staging)) => {
            let status = if *staging == Staging::Inserted { StatusCode::CREATED } else { StatusCode::OK };
            Ok((status, Json(told(id, &intent, *staging))).into_response())
        }
        Some(None) => {
            let message = "another version is there than the request asks for; read it and decide again";
            let error = Error::new(ErrorKind::Fenced, Disposition::Rejected, OPERATION, message);
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, error))
        }
        None => Err(Error::store(OPERATION, "the store did not answer for this entity").into()),
    }
}

/// Stages several orders at once, in one durable write per frontend, and dispatches their tasks. Each is staged or refused
/// on its own; if the core cannot do it now, some may be staged, and all are to be sent again.
#[utoipa::path(
    put, path = "/backoffice/order", tag = "orders", request_body = BatchBody,
    responses((status = 200, body = StagedBatch)),
)]
pub(crate) async fn put_entities(
    table: Table,
    State(shared): State<Arc<Shared>>,
    Body(body): Body<BatchBody>,
) -> Result<Json<StagedBatch>, Problem> {
    const OPERATION: &str = "stage";
    let max = shared.settings.max_batch;
    if body.entities.len() > max {
        return Err(Problem::field(OPERATION, "entities", format!("are more than {max}; send several batches")));
    }
    let mut results: Vec<Option<Staged>> = Vec::with_capacity(body.entities.len());
    let mut flows: Vec<(FlowId, Vec<(usize, StageEntity)>)> = Vec::new();
    for (at, one) in body.entities.into_iter().enumerate() {
        let flow = FlowId::new(table, one.entity.frontend.clone());
        let path = format!("entities[{at}].entity");
        let known = shared.check_flow(&format!("{path}.frontend"), &flow);
        match known.and_then(|()| documents::entity(table, &one.id, one.entity, &path)) {
            Ok(entity) => {
                results.push(None);
                match flows.iter_mut().find(|(known, _)| *known == flow) {
                    Some((_, entities)) => entities.push((at, entity)),
                    None => flows.push((flow, vec![(at, entity)])),
                }
            }
            Err(problem) => results.push(Some(refused(one.id, &problem.into_error()))),
        }
    }
    for (flow, mut entities) in flows {
        let mut of_another = Vec::new();
        for (at, entity) in &mut entities {
            if let Err(problem) = as_known(&shared, &flow, entity).await? {
                of_another.push(*at);
                if let Some(place) = results.get_mut(*at) {
                    *place = Some(refused(entity.name.clone(), &problem.into_error()));
                }
            }
        }
        entities.retain(|(at, _)| !of_another.contains(at));
        let known: Vec<_> =
            entities.iter().map(|(at, entity)| (*at, entity.name.clone(), entity.intent.clone())).collect();
        let pushes = entities.into_iter().map(|(_, entity)| Push { entity, if_rev: None }).collect();
        // What was staged before this failed is there; sending all of it again is safe.
        let staged = shared.engine.push(&flow, pushes).await?;
        for (n, (at, id, intent)) in known.into_iter().enumerate() {
            let result = match staged.get(n) {
                Some(Some(staging)) => told(id, &intent, *staging),
                _ => return Err(Error::store(OPERATION, "the store did not answer for every entity").into()),
            };
            if let Some(place) = results.get_mut(at) {
                *place = Some(result);
            }
        }
    }
    Ok(Json(StagedBatch { results: results.into_iter().flatten().collect() }))
}

/// Reads an order. Its `ETag` is its version.
#[utoipa::path(
    get, path = "/backoffice/order/{id}", tag = "orders",
    params(("id" = String, Path, description = "The source key (`fe_order_id`)"), OfFrontend),
    responses(
        (status = 200, description = "The order", body = EntityView, headers(("ETag" = String, description = "Its version"))),
        (status = 404, description = "There is no such order"),
    ),
)]
pub(crate) async fn get_entity(
    table: Table,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(of): Query<OfFrontend>,
) -> Result<Response, Problem> {
    check_name("frontend", &of.frontend)?;
    check_name(table.source_key(), &id)?;
    let found = control::entity(&shared, &EntityKey { table, frontend: of.frontend, id }).await?;
    let tag = HeaderValue::from_str(&format!("\"{}\"", found.rev)).ok();
    let mut response = Json(EntityView::of(found, true)).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Whoever hands an entity over calls it by its name; if a pull has brought it before, it is the one that has this name.
///
/// Two stores of a shop may use one number: what is handed over for another store than the one that has it is refused.
async fn as_known(shared: &Shared, flow: &FlowId, entity: &mut StageEntity) -> Result<Result<(), Problem>, Problem> {
    let store = shared.engine.store();
    let Some(known) = store.named(flow, &entity.name).await? else { return Ok(Ok(())) };
    if known.id != entity.id {
        let staged = store.get(&known).await?;
        let stores = staged.and_then(|staged| store_of(&staged.doc)).zip(store_of(&entity.doc));
        if let Some((theirs, ours)) = stores.filter(|(theirs, ours)| theirs != ours) {
            let message = format!(
                "is an order of store {ours}, and the number {} is that of order {} of store {theirs}: hand it over under a                  number of its own",
                entity.name, known.id
            );
            return Ok(Err(Problem::conflict("stage", message)));
        }
        entity.id = known.id;
    }
    Ok(Ok(()))
}

/// The store of the shop that an order is of, if it tells.
fn store_of(doc: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct OfStore {
        fe_store_id: String,
    }
    let OfStore { fe_store_id } = serde_json::from_str(doc).ok()?;
    (!fe_store_id.is_empty()).then_some(fe_store_id)
}

/// The version that the request asks for; 0 for none.
fn condition(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default().trim());
    let wrong = |field: &str, message: &str| {
        Err(Problem::new(StatusCode::BAD_REQUEST, Error::invalid("read request", message).field(field)))
    };
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(None),
        (None, Some("*")) => Ok(Some(0)),
        (None, Some(_)) => wrong("If-None-Match", "is to be `*`"),
        (Some(tag), None) => match tag.trim_matches('"').parse::<u64>() {
            Ok(rev) if rev > 0 => Ok(Some(rev)),
            _ => wrong("If-Match", "is to be the `ETag` of a version, as in `\"3\"`"),
        },
        (Some(_), Some(_)) => wrong("If-Match", "and If-None-Match contradict each other"),
    }
}

fn told(id: String, intent: &Intent, staging: Staging) -> Staged {
    let (word, fresh) = match staging {
        Staging::Inserted => ("inserted", true),
        Staging::Restaged => ("restaged", true),
        Staging::Retried => ("retried", true),
        Staging::StillFailed | Staging::Unchanged => ("unchanged", false),
    };
    let tx_status = match (intent, fresh) {
        (Intent::Reject(_), true) => TxStatus::Failed,
        (Intent::Apply | Intent::Cancel, true) => TxStatus::New,
        _ => TxStatus::Ignored,
    };
    Staged { id, staging: word, tx_status, problem: None }
}

fn refused(id: String, error: &Error) -> Staged {
    Staged { id, staging: "refused", tx_status: TxStatus::Failed, problem: Some(error.note()) }
}
