//! Cuts, sync tasks and the tasks of entities.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::flow_of;
use crate::api::Shared;
use crate::api::input::{Body, Path, Query, check_name};
use crate::api::problem::Problem;
use crate::api::views::{
    Again, CutView, EntityView, Recorded, SyncControlBody, SyncTaskView, TaskResult, TaskStatus, keys,
};
use crate::model::{Cut, Entity, EntityKey, FlowId, SyncTaskId, Table, TxStatus};
use crate::store::{Member, NewSyncTask, PushedSync};

/// Which of a task's tables.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfTable {
    /// The table, for a task that pulls several.
    table: Option<Table>,
}

/// Which sync task.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfSyncTask {
    /// Its id.
    id: String,
}

/// Which entity.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfEntity {
    /// The table.
    table: Table,
    /// The frontend's name.
    frontend: String,
    /// The source key.
    id: String,
}

impl OfEntity {
    pub(crate) fn key(self) -> Result<EntityKey, Problem> {
        check_name("frontend", &self.frontend)?;
        check_name("id", &self.id)?;
        Ok(EntityKey { table: self.table, frontend: self.frontend, id: self.id })
    }
}

/// What is to be done again: one entity, or all failures of a class.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Resync {
    /// The table.
    table: Table,
    /// The frontend's name.
    frontend: String,
    /// The source key, if it is one entity.
    id: Option<String>,
    /// The class of the failures, as in `failure` of an entity, if it is all of those.
    failure: Option<String>,
}

/// The last cut of a flow.
#[utoipa::path(
    get, path = "/control/cutdt/{app}/{task}", tag = "control",
    params(("app" = String, Path, description = "The frontend's name"), ("task" = String, Path), OfTable),
    responses((status = 200, body = CutView), (status = 404, description = "There is no such task")),
)]
pub(crate) async fn get_cut(
    State(shared): State<Arc<Shared>>,
    Path((app, task)): Path<(String, String)>,
    Query(of): Query<OfTable>,
) -> Result<Json<CutView>, Problem> {
    let flow = flow_of(&app, &task, of.table)?;
    Ok(Json(shared.engine.store().cut(&flow).await?.into()))
}

/// Sets the cut of a flow, backwards too, so that the next pull starts there; `null` for a pull of everything. A pull that
/// is running is fenced off.
#[utoipa::path(
    put, path = "/control/cutdt/{app}/{task}", tag = "control",
    params(("app" = String, Path, description = "The frontend's name"), ("task" = String, Path), OfTable),
    request_body = CutView,
    responses((status = 200, body = CutView), (status = 404, description = "There is no such task")),
)]
pub(crate) async fn put_cut(
    State(shared): State<Arc<Shared>>,
    Path((app, task)): Path<(String, String)>,
    Query(of): Query<OfTable>,
    Body(cut): Body<CutView>,
) -> Result<Json<CutView>, Problem> {
    let flow = flow_of(&app, &task, of.table)?;
    shared.not_ahead("cut_dt", cut.cut_dt)?;
    shared.engine.store().set_cut(&flow, cut.cut()).await?;
    Ok(Json(cut))
}

/// Records a sync task of entities that were handed over, moves the cut on (never back), and dispatches them. Refused (422)
/// for what this installation has no flow of.
#[utoipa::path(
    put, path = "/control/synccontrol/{app}/{task}", tag = "control",
    params(("app" = String, Path, description = "The frontend's name"), ("task" = String, Path), OfTable),
    request_body = SyncControlBody,
    responses((status = 200, body = Recorded), (status = 404, description = "There is no such task, or an entity is not staged")),
)]
pub(crate) async fn put_sync_control(
    State(shared): State<Arc<Shared>>,
    Path((app, task)): Path<(String, String)>,
    Query(of): Query<OfTable>,
    Body(body): Body<SyncControlBody>,
) -> Result<Json<Recorded>, Problem> {
    const OPERATION: &str = "record sync task";
    let flow = flow_of(&app, &task, of.table)?;
    shared.check_flow("app", &flow)?;
    shared.not_ahead("cut_dt", body.cut_dt)?;
    let max = shared.settings.max_batch;
    if body.entities.len() > max {
        return Err(Problem::field(OPERATION, "entities", format!("are more than {max}; record several sync tasks")));
    }
    let mut members = Vec::with_capacity(body.entities.len());
    for (at, entity) in body.entities.into_iter().enumerate() {
        check_name(&format!("entities[{at}].id"), &entity.id)?;
        let known = shared.engine.store().named(&flow, &entity.id).await?;
        let id = known.map_or(entity.id, |key| key.id);
        members.push(Member { id, unchanged: entity.tx_status == Some(TxStatus::Ignored) });
    }
    let id = match body.id {
        None => SyncTaskId::generate(),
        Some(id) => {
            check_name("id", &id)?;
            SyncTaskId::from_stored(id)
        }
    };
    let cut = body.cut_dt.map(|cut_dt| Cut { cut_dt, offset: body.offset });
    let cut_before = shared.engine.store().cut(&flow).await?;
    let now = shared.engine.clock().now();
    let task = NewSyncTask { id: id.clone(), flow, cut_before, now };
    shared.engine.record_pushed(PushedSync { task, members, cut }).await?;
    Ok(Json(Recorded { id: id.as_str().to_owned() }))
}

/// A sync task, and how many of its entities stand where.
#[utoipa::path(
    get, path = "/control/synctask", tag = "control", params(OfSyncTask),
    responses((status = 200, body = SyncTaskView), (status = 404, description = "There is no such sync task")),
)]
pub(crate) async fn get_sync_task(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfSyncTask>,
) -> Result<Json<SyncTaskView>, Problem> {
    sync_task(&shared, &SyncTaskId::from_stored(of.id)).await.map(Json)
}

/// Closes a sync task as its entities stand: `Completed`, `Fail`, or `Incompleted` if some have no outcome yet. One that is
/// still being pulled is not closed.
#[utoipa::path(
    put, path = "/control/synctask", tag = "control", params(OfSyncTask),
    responses(
        (status = 200, body = SyncTaskView),
        (status = 404, description = "There is no such sync task"),
        (status = 409, description = "It is still being pulled"),
    ),
)]
pub(crate) async fn close_sync_task(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfSyncTask>,
) -> Result<Json<SyncTaskView>, Problem> {
    let (store, id) = (shared.engine.store(), SyncTaskId::from_stored(of.id));
    let task = store.sync_task(&id).await?.ok_or_else(no_sync_task)?;
    if !task.pulled {
        let message = "is still being pulled, and more entities may join it; wait until its pull has come to its end";
        return Err(Problem::conflict("close sync task", message));
    }
    let counts = store.sync_task_counts(&id).await?;
    store.close_sync_task(&id, counts.sync_status(), "", shared.engine.clock().now()).await?;
    sync_task(&shared, &id).await.map(Json)
}

/// Removes a sync task, not its entities.
#[utoipa::path(
    delete, path = "/control/synctask", tag = "control", params(OfSyncTask),
    responses((status = 204), (status = 404, description = "There is no such sync task")),
)]
pub(crate) async fn delete_sync_task(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfSyncTask>,
) -> Result<StatusCode, Problem> {
    match shared.engine.store().delete_sync_task(&SyncTaskId::from_stored(of.id)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_sync_task()),
    }
}

/// Has the failed entities of a sync task done again, and opens it.
#[utoipa::path(
    post, path = "/control/synctask/resync", tag = "control", params(OfSyncTask),
    responses((status = 200, body = Again), (status = 404, description = "There is no such sync task")),
)]
pub(crate) async fn resync_task(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfSyncTask>,
) -> Result<Json<Again>, Problem> {
    let id = SyncTaskId::from_stored(of.id);
    if shared.engine.store().sync_task(&id).await?.is_none() {
        return Err(no_sync_task());
    }
    Ok(Json(Again { entities: shared.engine.resync_task(&id).await? }))
}

/// Has one entity done again, whatever became of it, or all of a flow that failed in one way, once its cause is gone. One that a
/// worker holds, or whose write is in doubt, is left alone.
#[utoipa::path(
    post, path = "/entities/resync", tag = "entities", params(Resync),
    responses((status = 200, body = Again), (status = 404, description = "There is no such entity")),
)]
pub(crate) async fn resync_entity(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<Resync>,
) -> Result<Json<Again>, Problem> {
    let Resync { table, frontend, id, failure } = of;
    let entities = match (id, failure) {
        (Some(id), None) => {
            let key = entity(&shared, &OfEntity { table, frontend, id }.key()?).await?.key;
            u64::from(shared.engine.resync(&key).await?)
        }
        (None, Some(class)) => {
            check_name("frontend", &frontend)?;
            shared.engine.resync_failed(&FlowId::new(table, frontend), &class).await?
        }
        _ => return Err(Problem::field("do again", "id", "name either an `id` or a `failure`")),
    };
    Ok(Json(Again { entities }))
}

/// Erases what an entity tells of a person: its documents, its notes, and those of its earlier versions. What it is accountable
/// by stays (its keys, its status, its times, the sync tasks that it is part of), and it is never applied again. If its source hands
/// it over or shows it as it was, it is left alone; what changes there is new data, and is staged. One that is still to be applied, or
/// whose write is in doubt, is refused, with what is to be done first.
#[utoipa::path(
    post, path = "/entities/erase", tag = "entities", params(OfEntity),
    responses((status = 200, body = EntityView), (status = 404, description = "There is no such entity")),
)]
pub(crate) async fn erase_entity(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfEntity>,
) -> Result<Json<EntityView>, Problem> {
    let key = entity(&shared, &of.key()?).await?.key;
    shared.engine.erase(&key).await?;
    Ok(Json(EntityView::of(entity(&shared, &key).await?, false)))
}

/// Whether the task of an entity is ready.
#[utoipa::path(
    get, path = "/control/taskstatus", tag = "control", params(OfEntity),
    responses((status = 200, body = TaskStatus), (status = 404, description = "There is no such entity")),
)]
pub(crate) async fn task_status(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfEntity>,
) -> Result<Json<TaskStatus>, Problem> {
    let found = entity(&shared, &of.key()?).await?;
    Ok(Json(TaskStatus { ready: found.status.is_final(), tx_status: found.status }))
}

/// What came of the task of an entity.
#[utoipa::path(
    get, path = "/control/task", tag = "control", params(OfEntity),
    responses((status = 200, body = TaskResult), (status = 404, description = "There is no such entity")),
)]
pub(crate) async fn task_result(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfEntity>,
) -> Result<Json<TaskResult>, Problem> {
    let found = entity(&shared, &of.key()?).await?;
    Ok(Json(TaskResult {
        ready: found.status.is_final(),
        tx_status: found.status,
        keys: keys(&found),
        tx_note: found.note,
        attempts: found.attempts,
        due_at: found.due_at,
    }))
}

async fn sync_task(shared: &Shared, id: &SyncTaskId) -> Result<SyncTaskView, Problem> {
    let store = shared.engine.store();
    let task = store.sync_task(id).await?.ok_or_else(no_sync_task)?;
    Ok(SyncTaskView::of(task, Some(store.sync_task_counts(id).await?)))
}

fn no_sync_task() -> Problem {
    Problem::not_found("find sync task", "there is no such sync task; list them for those that are there")
}

/// An entity by its key, or by what people call it; its times by the wall clock.
pub(super) async fn entity(shared: &Shared, key: &EntityKey) -> Result<Entity, Problem> {
    let store = shared.engine.store();
    let found = match store.get(key).await? {
        Some(found) => Some(found),
        None => match store.named(&key.flow(), &key.id).await? {
            Some(key) => store.get(&key).await?,
            None => None,
        },
    };
    let mut found = found.ok_or_else(|| Problem::not_found("find entity", format!("there is no {key}")))?;
    by_wall_clock(shared, std::slice::from_mut(&mut found)).await?;
    Ok(found)
}

/// Turns what the store's clock tells of entities into times that people can read.
pub(super) async fn by_wall_clock(shared: &Shared, entities: &mut [Entity]) -> Result<(), Problem> {
    if entities.iter().all(|entity| entity.due_at.is_none() && entity.lease_until.is_none()) {
        return Ok(());
    }
    let now = shared.engine.now().await?;
    let ahead = now.wall.duration_since(now.store);
    for entity in entities {
        for time in [&mut entity.due_at, &mut entity.lease_until].into_iter().flatten() {
            *time = time.checked_add(ahead).unwrap_or(*time);
        }
    }
    Ok(())
}
