//! Writing the outcome of an entity.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::Value;
use tracing::Instrument;

use super::control;
use crate::api::Shared;
use crate::api::auth::Caller;
use crate::api::input::{Body, check_name};
use crate::api::problem::Problem;
use crate::api::views::{EntityView, NO_TARGET, OutcomeBody};
use crate::clock::later;
use crate::model::{Entity, EntityKey, Table, TxStatus};
use crate::store::{Claim, Outcome, Settled, Settlement};
use crate::{Error, ErrorKind};

const OPERATION: &str = "write outcome";

/// How long an entity is leased while an outcome is written that came without a lease.
const MOMENT: Duration = Duration::from_secs(30);

/// Writes the outcome of an order. With the `token` and `rev` of a lease, only if that lease still stands; without, the
/// order is leased for the moment, which is refused while a worker holds it. Writing the outcome that stands there
/// changes nothing.
#[utoipa::path(
    put, path = "/backoffice/orderstatus", tag = "orders", request_body = OutcomeBody,
    responses(
        (status = 200, description = "The order as it stands now", body = EntityView),
        (status = 404, description = "There is no such order"),
        (status = 409, description = "Somebody else holds it, or it has nothing to be done"),
    ),
)]
pub(crate) async fn put_outcome(
    table: Table,
    State(shared): State<Arc<Shared>>,
    Extension(Caller(caller)): Extension<Caller>,
    Body(body): Body<OutcomeBody>,
) -> Result<Json<EntityView>, Problem> {
    check_name("frontend", &body.frontend)?;
    let (id, target) = names(table, &body.keys)?;
    let key = EntityKey { table, frontend: body.frontend.clone(), id };
    let outcome = outcome(table, &body, target)?;
    let found = control::entity(&shared, &key).await?;
    let key = found.key.clone();
    match (body.token, body.rev) {
        // Sent again, since the answer was lost.
        (Some(_), Some(rev)) if rev == found.rev && is_what_stands(&found, &outcome) => {}
        (Some(token), Some(rev)) => {
            settle(&shared, Settlement { key: key.clone(), token, rev, reference: None, outcome }).await?
        }
        (Some(_), None) => {
            return Err(Problem::field(OPERATION, "rev", "is missing: give the version that the lease was of"));
        }
        (None, rev) => {
            // To its end even if the caller hangs up: what was opened for it is not to be left to the workers.
            let core = shared.clone();
            let writing = async move { without_lease(&core, &caller, &found, rev, outcome).await };
            let written = tokio::spawn(writing.in_current_span()).await;
            written.unwrap_or_else(|_| {
                Err(Error::store(OPERATION, "the core failed over it; its log says where").into())
            })?;
        }
    }
    Ok(Json(EntityView::of(control::entity(&shared, &key).await?, false)))
}

/// The keys under their own names; others are refused.
fn names(table: Table, keys: &BTreeMap<String, Value>) -> Result<(String, Option<String>), Problem> {
    let (source, target) = (table.source_key(), table.target_key());
    if let Some(other) = keys.keys().find(|name| *name != source && *name != target) {
        let name: String = other.chars().filter(|char| !char.is_control()).take(100).collect();
        return Err(Problem::field(
            OPERATION,
            name,
            format!("is not a field of an outcome; its keys are {source} and {target}"),
        ));
    }
    let text = |name: &str| match keys.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text == NO_TARGET => Ok(None),
        Some(Value::String(text)) => check_name(name, text).map(|()| Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(Problem::field(OPERATION, name, "is to be text")),
    };
    let id = text(source)?.ok_or_else(|| Problem::field(OPERATION, source, "is missing"))?;
    Ok((id, text(target)?))
}

fn outcome(table: Table, body: &OutcomeBody, target: Option<String>) -> Result<Outcome, Problem> {
    let note = body.tx_note.clone();
    match body.tx_status {
        TxStatus::Success => match target {
            Some(target_id) => Ok(Outcome::Success { target_id, note }),
            None => Err(Problem::field(
                OPERATION,
                table.target_key(),
                "is missing: a success has its key on the other side",
            )),
        },
        TxStatus::Failed if note.trim().is_empty() => {
            Err(Problem::field(OPERATION, "tx_note", "is missing: a failure has its reason"))
        }
        TxStatus::Failed => Ok(Outcome::Failed { note, class: ErrorKind::Refused.as_str().to_owned() }),
        TxStatus::Ignored => Ok(Outcome::Ignored { note }),
        TxStatus::Cancelled => Ok(Outcome::Cancelled { target_id: target, note }),
        TxStatus::New | TxStatus::InProcess | TxStatus::InDoubt => {
            Err(Problem::field(OPERATION, "tx_status", "is no outcome: one of S, F, I, X"))
        }
    }
}

async fn without_lease(
    shared: &Shared,
    caller: &str,
    found: &Entity,
    rev: Option<u64>,
    outcome: Outcome,
) -> Result<(), Problem> {
    if rev.is_some_and(|rev| rev != found.rev) {
        return Err(Problem::conflict(OPERATION, "newer content was staged since; read it and decide again"));
    }
    let mut now = shared.engine.now().await?;
    if found.status.is_final() {
        if is_what_stands(found, &outcome) {
            return Ok(());
        }
        // Somebody mends what came to its end otherwise. It is opened for later, and taken up as if it were later: no
        // worker is to find it meanwhile and carry it out once more.
        now.store = later(now.store, MOMENT);
        shared.engine.store().resync(&found.key, now).await?;
    }
    let keys = [found.key.id.clone()];
    let flow = found.key.flow();
    let claim = Claim {
        flow: &flow,
        keys: Some(&keys),
        limit: 1,
        owner: &format!("api {caller}"),
        lease: MOMENT,
        settle_delay: Duration::ZERO,
        now,
    };
    let Some(claimed) = shared.engine.store().claim(claim).await?.into_iter().next() else {
        let message = match found.due_at {
            _ if found.status.is_final() => {
                "it has nothing to be done, or a worker has taken it up; read it".to_owned()
            }
            Some(at) => format!("a worker holds it, or it waits: not before {at}"),
            None => "a worker has taken it up; read it".to_owned(),
        };
        return Err(Problem::conflict(OPERATION, message));
    };
    // Of the version that was decided on: what was staged since is still to be done.
    settle(shared, Settlement { key: claimed.key, token: claimed.token, rev: found.rev, reference: None, outcome })
        .await
}

async fn settle(shared: &Shared, settlement: Settlement) -> Result<(), Problem> {
    let (flow, id) = (settlement.key.flow(), settlement.key.id.clone());
    let settled = shared.engine.store().settle(shared.engine.now().await?, vec![settlement]).await?;
    match settled.first() {
        Some(Settled::Done) => Ok(()),
        Some(Settled::Superseded) => {
            shared.engine.dispatch_again(&flow, id).await;
            Ok(())
        }
        Some(Settled::Taken) => Err(Problem::conflict(
            OPERATION,
            "the document is recorded as that of another entity under the same reference; this one has failed, and its note \
             names the other",
        )),
        Some(Settled::Fenced) => {
            Err(Problem::conflict(OPERATION, "the lease has passed on to somebody else; nothing was written"))
        }
        None => Err(Error::store(OPERATION, "the store did not answer for this entity").into()),
    }
}

fn is_what_stands(found: &Entity, outcome: &Outcome) -> bool {
    let same_target = |target: &Option<String>| target.is_none() || *target == found.target_id;
    match outcome {
        Outcome::Success { target_id, note } => {
            found.status == TxStatus::Success && found.target_id.as_ref() == Some(target_id) && found.note == *note
        }
        Outcome::Failed { note, .. } => found.status == TxStatus::Failed && found.note == *note,
        Outcome::Ignored { note } => found.status == TxStatus::Ignored && found.note == *note,
        Outcome::Cancelled { target_id, note } => {
            found.status == TxStatus::Cancelled && same_target(target_id) && found.note == *note
        }
        Outcome::Retry { .. } | Outcome::InDoubt { .. } | Outcome::Release => false,
    }
}
