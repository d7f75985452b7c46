//! Carries a call out.

use axum::http::Method;
use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use super::error::{Refusal, Version};
use super::path::Target;
use super::read::type_of;
use super::schema::schema;
use super::state::Work;
use super::{actions, metadata, partners, read, write};

/// Carries out a call, alone or in a batch. One that is refused changes nothing.
pub(super) fn run(work: &mut Work<'_>, call: &Call) -> Answer {
    let alone = work.store.tables.begin();
    let answer = attempt(work, call);
    match (&answer, alone) {
        (Ok(_), true) => work.store.tables.commit(),
        (Err(_), true) => work.store.tables.roll_back(),
        // The change set's end decides.
        (_, false) => {}
    }
    let answer = answer.unwrap_or_else(|refusal| Answer::refusal(call.version, &refusal));
    if call.method != Method::GET && !answer.is_success() {
        work.store.counters.refused += 1;
    }
    answer
}

fn attempt(work: &mut Work<'_>, call: &Call) -> Result<Answer, Refusal> {
    if call.path.trim_matches('/').is_empty() && call.method == Method::GET {
        return Ok(service(call.version));
    }
    if call.path.trim_matches('/') == "$metadata" && call.method == Method::GET {
        return Ok(metadata::metadata(call.version, &work.user_fields));
    }
    let target = Target::parse(&call.path)?;
    let Some(set) = schema().set(&target.name) else {
        return match call.method {
            Method::POST if !target.has_key() && target.rest.is_none() => actions::global(work, call, &target.name),
            _ => Err(Refusal::new(400, 200, "Unrecognized resource path")),
        };
    };
    let of = type_of(set)?;
    count(work, call, set.name, &target);
    if target.has_key() {
        partners::any(work, set.name, target.key(of)?);
    }
    match (&call.method, target.has_key(), target.rest.as_deref()) {
        (&Method::GET, ..) => read::read(work, call, set, &target),
        (&Method::POST, false, None) => write::create(work, call, set),
        (&Method::POST, true, Some(action)) => actions::bound(work, call, set, &target.key(of)?, action),
        (&Method::PATCH, true, None) => write::update(work, call, set, &target.key(of)?),
        (&Method::DELETE, true, None) => write::delete(work, call, set, &target.key(of)?),
        _ => Err(Refusal::unsupported()),
    }
}

fn count(work: &mut Work<'_>, call: &Call, set: &str, target: &Target) {
    let counters = &mut work.store.counters;
    let orders = set == "Orders";
    match call.method {
        Method::GET if orders || set == "Drafts" => counters.lookups += 1,
        Method::GET => counters.reads += 1,
        Method::POST if orders && !target.has_key() => counters.inserts += 1,
        Method::POST if orders => counters.cancels += 1,
        Method::PATCH if orders => counters.updates += 1,
        _ => {}
    }
}

/// The sets that there are.
fn service(version: Version) -> Answer {
    let names = schema().set_names().iter();
    let sets: Vec<_> = names.map(|name| json!({ "name": name, "kind": "EntitySet", "url": name })).collect();
    Answer::json(version, 200, &json!({ "value": sets }))
}
