//! Writing outcomes.

use std::collections::{HashMap, HashSet};

use mongodb::bson::{Bson, Document, doc};

use super::bind;
use super::bson::{count, date, number};
use super::change::{ROUNDS, busy, carried_out, known, mark, standing};
use super::commands::Commands;
use super::documents::{ENTITIES, EntityDoc, IntentWord};
use super::keys::entity_id;
use crate::model::{EntityKey, TxStatus};
use crate::store::transition::{self, After, Held};
use crate::store::{Outcome, Settled, Settlement};
use crate::{Now, Result};

const OPERATION: &str = "settle";

pub(super) async fn settle(commands: &Commands, now: Now, settlements: Vec<Settlement>) -> Result<Vec<Settled>> {
    let ids: Vec<String> = settlements.iter().map(|settlement| entity_id(&settlement.key)).collect();
    let mut answers: Vec<Option<Settled>> = vec![None; settlements.len()];
    let op = mark();
    for at in successes(commands, now, &settlements, &ids).await? {
        if let Some(place) = answers.get_mut(at) {
            *place = Some(Settled::Done);
        }
    }
    // Those whose documents are recorded as others'.
    let mut taken: HashMap<usize, EntityKey> = HashMap::new();
    for _ in 0..ROUNDS {
        // Each entity once a round, so that two outcomes of one are taken in order.
        let mut once = HashSet::new();
        let turn: Vec<(usize, &Settlement, &String)> = settlements
            .iter()
            .zip(&ids)
            .enumerate()
            .filter(|(at, (_, id))| answers.get(*at).is_some_and(Option::is_none) && once.insert(id.as_str()))
            .map(|(at, (settlement, id))| (at, settlement, id))
            .collect();
        if turn.is_empty() {
            return Ok(answers.into_iter().flatten().collect());
        }
        let round: Vec<&String> = turn.iter().map(|(.., id)| *id).collect();
        let known = known(commands, OPERATION, &round).await?;
        let mut statements = Vec::new();
        let mut settled = Vec::new();
        let mut wanted = Vec::new();
        for (at, settlement, id) in &turn {
            let held = known
                .get(*id)
                .filter(|known| known.status == TxStatus::InProcess && known.token == number(settlement.token));
            match held {
                Some(held) => {
                    let (after, told) = match taken.get(at) {
                        None => (
                            transition::settle(leased(held, settlement), settlement.outcome.clone(), now.store),
                            settlement.reference.as_ref(),
                        ),
                        Some(by) => {
                            (transition::taken(leased(held, settlement), &settlement.outcome, by, now.store), None)
                        }
                    };
                    let After { standing: after, target_id, attempts, written, missed, settled: answer } = after;
                    let may_be_there = written.is_some() || target_id.is_some();
                    let mut set = doc! {
                        "op": &op,
                        "target_id": target_id,
                        "reference": held.reference.as_ref().or(told).filter(|_| may_be_there),
                        "written": written.map(number),
                        "missed": missed,
                        "attempts": i64::from(attempts),
                        "lost_leases": if released(settlement) { held.lost_leases } else { 0 },
                        "was": TxStatus::New.letter(),
                        "lease_owner": Bson::Null,
                        "lease_until": Bson::Null,
                        "updated_at": date(now.wall),
                    };
                    let mut unset = Document::new();
                    standing(after, &mut set, &mut unset);
                    let mut update = doc! { "$set": set };
                    if !unset.is_empty() {
                        update.insert("$unset", unset);
                    }
                    statements.push(doc! { "q": { "_id": id, "op": &held.op }, "u": update });
                    settled.push((*at, *id, answer));
                    wanted.push((*at, held, *settlement));
                }
                None => {
                    if let Some(answer) = answers.get_mut(*at) {
                        *answer = Some(Settled::Fenced);
                    }
                }
            }
        }
        let all = statements.len() as u64;
        let written = commands.update(OPERATION, ENTITIES, statements).await?;
        if written.matched < all {
            for (at, held, settlement) in written.duplicates.iter().filter_map(|place| wanted.get(*place)) {
                let (reference, target_id) = (settlement.reference.as_deref(), settlement.outcome.target_id());
                let by = bind::holder(commands, OPERATION, held, reference, target_id).await?;
                taken.extend(by.map(|by| (*at, by)));
            }
            let ids: Vec<&String> = settled.iter().map(|(_, id, _)| *id).collect();
            let ours = carried_out(commands, OPERATION, &ids, &op).await?;
            settled.retain(|(_, id, _)| ours.contains(*id));
        }
        for (at, _, answer) in settled {
            if let Some(place) = answers.get_mut(at) {
                *place = Some(answer);
            }
        }
    }
    Err(busy(OPERATION))
}

fn released(settlement: &Settlement) -> bool {
    matches!(settlement.outcome, crate::store::Outcome::Release)
}

fn leased(held: &EntityDoc, settlement: &Settlement) -> Held {
    Held {
        note: held.note.clone(),
        target_id: held.target_id.clone(),
        intent: held.intent(),
        attempts: u32::try_from(held.attempts).unwrap_or_default(),
        written: held.written.map(count),
        claimed: settlement.rev,
        was_in_doubt: held.was != TxStatus::New,
        superseded: held.rev != number(settlement.rev),
    }
}

/// A success and its place among the settlements.
struct Success<'a> {
    at: usize,
    id: &'a str,
    target_id: &'a str,
    note: &'a str,
    reference: Option<&'a str>,
}

/// Writes the successes whose entities stand as they were claimed, in one statement per token and version: most of all
/// outcomes, and nothing of them has to be read before. Answers the places of those that it has written.
async fn successes(
    commands: &Commands,
    now: Now,
    settlements: &[Settlement],
    ids: &[String],
) -> Result<HashSet<usize>> {
    let mut outcomes: HashMap<&str, u32> = HashMap::new();
    for id in ids {
        *outcomes.entry(id).or_default() += 1;
    }
    let mut groups: HashMap<(u64, u64), Vec<Success<'_>>> = HashMap::new();
    for (at, (settlement, id)) in settlements.iter().zip(ids).enumerate() {
        // Two outcomes of one entity are taken in order.
        if let Outcome::Success { target_id, note } = &settlement.outcome
            && outcomes.get(id.as_str()) == Some(&1)
        {
            let success = Success { at, id, target_id, note, reference: settlement.reference.as_deref() };
            groups.entry((settlement.token, settlement.rev)).or_default().push(success);
        }
    }
    let op = mark();
    let mut written = HashSet::new();
    for ((token, rev), group) in groups {
        let statement = together(token, rev, &group, now, &op);
        let matched = commands.update(OPERATION, ENTITIES, vec![statement]).await?.matched;
        if matched == group.len() as u64 {
            written.extend(group.iter().map(|success| success.at));
            continue;
        }
        // Some stand otherwise, or an earlier try was carried out without an answer.
        let ids: Vec<String> = group.iter().map(|success| success.id.to_owned()).collect();
        let ours = carried_out(commands, OPERATION, &ids.iter().collect::<Vec<_>>(), &op).await?;
        written.extend(group.iter().filter(|success| ours.contains(success.id)).map(|success| success.at));
    }
    Ok(written)
}

/// One statement for many successes: each entity finds its own target id and note by its place among the ids.
fn together(token: u64, rev: u64, group: &[Success<'_>], now: Now, op: &str) -> Document {
    let all = |text: fn(&Success<'_>) -> String| group.iter().map(text).collect::<Vec<_>>();
    let ids = all(|success| success.id.to_owned());
    let place = doc! { "$indexOfArray": [{ "$literal": ids.clone() }, "$_id"] };
    // Literal: what begins with a dollar sign would be taken for a field.
    let own = |texts: Vec<String>| doc! { "$arrayElemAt": [{ "$literal": texts }, place.clone()] };
    let references: Vec<Bson> = group.iter().map(|success| success.reference.into()).collect();
    let mut set = doc! {
        "op": op,
        "status": TxStatus::Success.letter(),
        "note": own(all(|success| success.note.to_owned())),
        "target_id": own(all(|success| success.target_id.to_owned())),
        "written": number(rev),
        "missed": false,
        "was": TxStatus::New.letter(),
        "lost_leases": 0_i64,
        "lease_owner": Bson::Null,
        "lease_until": Bson::Null,
        "updated_at": date(now.wall),
    };
    if references.iter().any(|reference| *reference != Bson::Null) {
        // The first stays.
        let own = doc! { "$arrayElemAt": [{ "$literal": references }, place.clone()] };
        set.insert("reference", doc! { "$ifNull": ["$reference", own] });
    }
    doc! {
        "q": {
            "_id": { "$in": ids },
            "status": TxStatus::InProcess.letter(),
            "token": number(token),
            "rev": number(rev),
            // Of what is not to be written, a success says that an earlier version is there.
            "intent": { "$in": [IntentWord::Apply.word(), IntentWord::Cancel.word()] },
        },
        "u": [
            { "$set": set },
            { "$unset": ["due_at", "failure"] },
        ],
        "multi": true,
    }
}
