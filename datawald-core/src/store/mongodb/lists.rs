//! Reading entities.

use std::cmp::Ordering;

use mongodb::bson::{Document, doc};
use mongodb::options::FindOptions;

use super::bson::read;
use super::commands::Commands;
use super::documents::{ENTITIES, EntityDoc, FLOWS, FlowDoc, HISTORY, VersionDoc};
use super::keys::{entity_id, entity_range, version_id};
use super::{members, names, tasks};
use crate::Result;
use crate::model::{Entity, EntityKey, FlowId, SyncTaskId, Version};
use crate::store::{EntityFilter, HISTORY_LIMIT, Listing, paging};

pub(super) async fn get(commands: &Commands, key: &EntityKey) -> Result<Option<Entity>> {
    const OPERATION: &str = "read entity";
    let found = commands.find_one(OPERATION, ENTITIES, doc! { "_id": entity_id(key) }).await?;
    Ok(found.map(|found| read::<EntityDoc>(OPERATION, ENTITIES, &found)).transpose()?.map(EntityDoc::entity))
}

pub(super) async fn named(commands: &Commands, flow: &FlowId, name: &str) -> Result<Option<EntityKey>> {
    let holders = names::holders(commands, "find entity", flow, &[name]).await?;
    Ok(holders.get(name).map(|id| EntityKey::new(flow, id.clone())))
}

pub(super) async fn history(commands: &Commands, key: &EntityKey) -> Result<Vec<Version>> {
    const OPERATION: &str = "read history";
    let Some(entity) = get(commands, key).await? else { return Ok(Vec::new()) };
    let id = entity_id(key);
    let rev = i64::try_from(entity.rev).unwrap_or(i64::MAX);
    // Only what the entity has moved on from: a version is written before the entity is.
    let ids = doc! { "$gte": version_id(&id, 0), "$lt": version_id(&id, rev) };
    let options = FindOptions::builder().sort(doc! { "_id": -1 }).limit(i64::from(HISTORY_LIMIT)).build();
    let found = commands.find(OPERATION, HISTORY, doc! { "_id": ids, "entity": id }, options).await?;
    found.iter().map(|found| read::<VersionDoc>(OPERATION, HISTORY, found).map(VersionDoc::version)).collect()
}

pub(super) async fn list(commands: &Commands, filter: &EntityFilter) -> Result<Listing<Entity>> {
    let size = paging::page_size(filter.limit);
    let after: Option<[String; 3]> = paging::after(filter.after.as_deref())?;
    let mut wanted = Document::new();
    if !filter.statuses.is_empty() {
        let letters: Vec<_> = filter.statuses.iter().map(|status| status.letter()).collect();
        wanted.insert("status", doc! { "$in": letters });
    }
    if let Some(class) = &filter.failure {
        wanted.insert("failure", class);
    }
    let mut found: Vec<EntityDoc> = Vec::new();
    for flow in flows(commands, filter).await? {
        let (mut first, end) = entity_range(&flow);
        if let Some([table, frontend, id]) = &after {
            match (flow.table.name(), &flow.frontend).cmp(&(table.as_str(), frontend)) {
                Ordering::Less => continue,
                Ordering::Equal => first.push_str(&format!("{id}\0")),
                Ordering::Greater => {}
            }
        }
        let room = size + 1 - found.len();
        let page = match &filter.sync_task {
            None => range(commands, &wanted, &first, &end, room).await?,
            Some(task) => of_task(commands, task, &wanted, &first, &end, room).await?,
        };
        found.extend(page);
        if found.len() > size {
            break;
        }
    }
    let page =
        paging::page(found, size, |found| [found.table.name().to_owned(), found.frontend.clone(), found.id.clone()])?;
    Ok(Listing { items: page.items.into_iter().map(EntityDoc::entity).collect(), next: page.next })
}

/// The flows that a list goes through, by key.
async fn flows(commands: &Commands, filter: &EntityFilter) -> Result<Vec<FlowId>> {
    const OPERATION: &str = "list flows";
    if let Some(task) = &filter.sync_task {
        // A sync task is of one flow.
        let flow = tasks::find(commands, OPERATION, task).await?.map(|task| FlowId::new(task.table, task.frontend));
        return Ok(flow.into_iter().filter(|flow| filter.flow.as_ref().is_none_or(|wanted| wanted == flow)).collect());
    }
    if let Some(flow) = &filter.flow {
        return Ok(vec![flow.clone()]);
    }
    let found = commands.find(OPERATION, FLOWS, doc! {}, FindOptions::default()).await?;
    let mut flows: Vec<FlowId> = found
        .iter()
        .map(|found| read::<FlowDoc>(OPERATION, FLOWS, found).map(|found| FlowId::new(found.table, found.frontend)))
        .collect::<Result<_>>()?;
    flows.sort_by(|a, b| (a.table.name(), &a.frontend).cmp(&(b.table.name(), &b.frontend)));
    Ok(flows)
}

/// Entities of a range of `_id`s, in their order.
async fn range(commands: &Commands, wanted: &Document, first: &str, end: &str, limit: usize) -> Result<Vec<EntityDoc>> {
    const OPERATION: &str = "list";
    let mut filter = wanted.clone();
    filter.insert("_id", doc! { "$gte": first, "$lt": end });
    let options =
        FindOptions::builder().sort(doc! { "_id": 1 }).limit(i64::try_from(limit).unwrap_or(i64::MAX)).build();
    let found = commands.find(OPERATION, ENTITIES, filter, options).await?;
    found.iter().map(|found| read(OPERATION, ENTITIES, found)).collect()
}

/// Entities of a sync task: those that tell so themselves, and those that were only seen.
async fn of_task(
    commands: &Commands,
    task: &SyncTaskId,
    wanted: &Document,
    first: &str,
    end: &str,
    limit: usize,
) -> Result<Vec<EntityDoc>> {
    const OPERATION: &str = "list";
    let mut filter = wanted.clone();
    filter.insert("passes.task", task.as_str());
    let mut found = range(commands, &filter, first, end, limit).await?;
    let mut from = Some(first.to_owned());
    let mut seen = 0;
    while let Some(start) = from {
        let (sightings, next) = members::sightings(commands, OPERATION, task, &start).await?;
        let ids: Vec<&str> = sightings.iter().map(|sighting| sighting.entity.as_str()).collect();
        if !ids.is_empty() {
            let mut filter = wanted.clone();
            filter.insert("_id", doc! { "$in": ids });
            for entity in commands.find(OPERATION, ENTITIES, filter, FindOptions::default()).await? {
                found.push(read(OPERATION, ENTITIES, &entity)?);
                seen += 1;
            }
        }
        from = next.filter(|_| seen < limit);
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    found.truncate(limit);
    Ok(found)
}
