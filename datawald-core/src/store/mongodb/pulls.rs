//! The right to pull a flow, and its cut.

use jiff::Timestamp;
use mongodb::bson::{Bson, doc};

use super::bson::{bson, count, date, document, number, read, time};
use super::change::{busy, mark};
use super::commands::Commands;
use super::documents::{CutDoc, FLOWS, FlowDoc};
use super::keys::flow_id;
use crate::model::{Cut, FlowId};
use crate::store::PullLease;
use crate::{Error, Result};

/// How often a right is tried for while others try for it, too.
const TRIES: usize = 10;

pub(super) async fn acquire(
    commands: &Commands,
    flow: &FlowId,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<PullLease>> {
    const OPERATION: &str = "acquire pull";
    let id = flow_id(flow);
    let op = mark();
    for _ in 0..TRIES {
        let Some(found) = find(commands, OPERATION, flow).await? else {
            commands.insert(OPERATION, FLOWS, vec![document(OPERATION, &unknown(flow))?]).await?;
            continue;
        };
        if found.op.as_deref() == Some(&op) {
            return Ok(Some(PullLease { flow: flow.clone(), owner: owner.to_owned(), token: count(found.token) }));
        }
        let held = found.owner.as_deref().is_some_and(|holder| holder != owner)
            && found.lease_until.is_some_and(|until| time(until) > now);
        if held {
            return Ok(None);
        }
        let token = found.token.saturating_add(1);
        let statement = doc! {
            "q": { "_id": &id, "token": found.token },
            "u": { "$set": { "token": token, "owner": owner, "lease_until": date(until), "op": &op } },
        };
        if commands.update(OPERATION, FLOWS, vec![statement]).await?.matched > 0 {
            return Ok(Some(PullLease { flow: flow.clone(), owner: owner.to_owned(), token: count(token) }));
        }
    }
    // Somebody else was quicker each time.
    Ok(None)
}

pub(super) async fn release(commands: &Commands, lease: &PullLease) -> Result<()> {
    let statement = doc! {
        "q": { "_id": flow_id(&lease.flow), "token": number(lease.token) },
        "u": { "$set": { "owner": Bson::Null, "lease_until": Bson::Null } },
    };
    commands.update("release pull", FLOWS, vec![statement]).await.map(drop)
}

/// Prolongs the right to pull; `false` if it has passed on.
pub(super) async fn prolong(commands: &Commands, lease: &PullLease, until: Timestamp) -> Result<bool> {
    let statement = doc! {
        "q": { "_id": flow_id(&lease.flow), "token": number(lease.token), "owner": { "$ne": Bson::Null } },
        "u": { "$set": { "lease_until": date(until) } },
    };
    Ok(commands.update("renew pull", FLOWS, vec![statement]).await?.matched > 0)
}

/// Renews the right to pull and takes `places` places in the order of staging: the first of them, and the cut.
pub(super) async fn renew(
    commands: &Commands,
    operation: &'static str,
    lease: &PullLease,
    until: Timestamp,
    places: usize,
) -> Result<(i64, Option<CutDoc>)> {
    let places = number(places as u64);
    let filter = doc! { "_id": flow_id(&lease.flow), "token": number(lease.token), "owner": { "$ne": Bson::Null } };
    let update = doc! { "$set": { "lease_until": date(until) }, "$inc": { "seq": places } };
    match commands.find_and_update(operation, FLOWS, filter, update).await? {
        Some(found) => {
            let found: FlowDoc = read(operation, FLOWS, &found)?;
            Ok((found.seq, found.cut))
        }
        None => Err(fenced(operation, lease)),
    }
}

/// Takes `places` places in the order of staging without a right to pull: the first of them, and the token of the last
/// right.
pub(super) async fn places(
    commands: &Commands,
    operation: &'static str,
    flow: &FlowId,
    places: usize,
) -> Result<(i64, i64)> {
    for _ in 0..TRIES {
        let update = doc! { "$inc": { "seq": number(places as u64) } };
        match commands.find_and_update(operation, FLOWS, doc! { "_id": flow_id(flow) }, update).await? {
            Some(found) => {
                let found: FlowDoc = read(operation, FLOWS, &found)?;
                return Ok((found.seq, found.token));
            }
            None => commands.insert(operation, FLOWS, vec![document(operation, &unknown(flow))?]).await.map(drop)?,
        }
    }
    Err(busy(operation))
}

/// Moves the cut on under a right to pull, unless it stands there or further; answers where it stands.
pub(super) async fn advance(
    commands: &Commands,
    operation: &'static str,
    lease: &PullLease,
    before: Option<CutDoc>,
    cut: CutDoc,
) -> Result<CutDoc> {
    let mut before = before;
    for _ in 0..TRIES {
        let stands = before.filter(|before| !cut.is_after(*before)).unwrap_or(cut);
        if move_cut(commands, operation, &lease.flow, number(lease.token), before, stands).await? {
            return Ok(stands);
        }
        // The right has passed on, or what was pushed has moved the cut.
        match find(commands, operation, &lease.flow).await? {
            Some(found) if found.token == number(lease.token) => before = found.cut,
            _ => return Err(fenced(operation, lease)),
        }
    }
    Err(busy(operation))
}

/// As [`advance`], without a right to pull.
pub(super) async fn advance_pushed(
    commands: &Commands,
    operation: &'static str,
    flow: &FlowId,
    cut: CutDoc,
) -> Result<CutDoc> {
    for _ in 0..TRIES {
        let Some(found) = find(commands, operation, flow).await? else {
            commands.insert(operation, FLOWS, vec![document(operation, &unknown(flow))?]).await?;
            continue;
        };
        match found.cut {
            Some(stands) if !cut.is_after(stands) => return Ok(stands),
            before if move_cut(commands, operation, flow, found.token, before, cut).await? => return Ok(cut),
            _ => {}
        }
    }
    Err(busy(operation))
}

/// Sets the cut if token and cut are those; `false` if they are not.
async fn move_cut(
    commands: &Commands,
    operation: &'static str,
    flow: &FlowId,
    token: i64,
    before: Option<CutDoc>,
    cut: CutDoc,
) -> Result<bool> {
    let statement = doc! {
        "q": { "_id": flow_id(flow), "token": token, "cut": bson(operation, &before)? },
        "u": { "$set": { "cut": bson(operation, &cut)? } },
    };
    Ok(commands.update(operation, FLOWS, vec![statement]).await?.matched > 0)
}

pub(super) async fn cut(commands: &Commands, flow: &FlowId) -> Result<Option<Cut>> {
    Ok(find(commands, "read cut", flow).await?.and_then(|found| found.cut).map(CutDoc::cut))
}

pub(super) async fn set_cut(commands: &Commands, flow: &FlowId, cut: Option<Cut>) -> Result<()> {
    const OPERATION: &str = "set cut";
    let cut = bson(OPERATION, &cut.map(CutDoc::of))?;
    let statement = doc! {
        "q": { "_id": flow_id(flow) },
        "u": {
            "$set": { "cut": cut, "owner": Bson::Null, "lease_until": Bson::Null },
            "$inc": { "token": 1_i64 },
            "$setOnInsert": { "table": flow.table.name(), "frontend": &flow.frontend, "seq": 0_i64, "op": Bson::Null },
        },
        "upsert": true,
    };
    // Two that insert the flow at the same time: one finds it there, and comes again.
    for _ in 0..TRIES {
        if commands.update(OPERATION, FLOWS, vec![statement.clone()]).await?.matched > 0 {
            return Ok(());
        }
    }
    Err(busy(OPERATION))
}

/// Sets the cut under a right to pull.
pub(super) async fn move_back(commands: &Commands, lease: &PullLease, cut: Option<Cut>) -> Result<()> {
    const OPERATION: &str = "move cut";
    let statement = doc! {
        "q": { "_id": flow_id(&lease.flow), "token": number(lease.token), "owner": { "$ne": Bson::Null } },
        "u": { "$set": { "cut": bson(OPERATION, &cut.map(CutDoc::of))? } },
    };
    match commands.update(OPERATION, FLOWS, vec![statement]).await?.matched > 0 {
        true => Ok(()),
        false => Err(fenced(OPERATION, lease)),
    }
}

/// A flow of which nothing is known yet.
fn unknown(flow: &FlowId) -> FlowDoc {
    FlowDoc {
        id: flow_id(flow),
        table: flow.table,
        frontend: flow.frontend.clone(),
        token: 0,
        owner: None,
        lease_until: None,
        cut: None,
        seq: 0,
        op: None,
    }
}

async fn find(commands: &Commands, operation: &'static str, flow: &FlowId) -> Result<Option<FlowDoc>> {
    let found = commands.find_one(operation, FLOWS, doc! { "_id": flow_id(flow) }).await?;
    found.map(|found| read(operation, FLOWS, &found)).transpose()
}

fn fenced(operation: &'static str, lease: &PullLease) -> Error {
    Error::fenced(operation, format!("the right to pull {} has passed on to another process", lease.flow))
}
