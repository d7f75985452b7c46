//! Lists of entities and sync tasks, and the history of an entity.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::control::{self, OfEntity};
use crate::api::Shared;
use crate::api::input::Query;
use crate::api::problem::Problem;
use crate::api::views::{EntityView, Page, SyncTaskView, VersionView};
use crate::model::{FlowId, SyncStatus, SyncTaskId, Table, TxStatus};
use crate::store::{EntityFilter, SyncTaskFilter};

const OPERATION: &str = "list";

/// Which entities.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntitiesQuery {
    /// The table; together with `frontend`.
    table: Option<Table>,
    /// The frontend's name; together with `table`.
    frontend: Option<String>,
    /// The letters of the statuses, as in `NF`; all if absent.
    #[param(pattern = "^[NPSFIX?]*$")]
    status: Option<String>,
    /// Failed in this way only: a kind of error, as in `failure` of an entity.
    failure: Option<String>,
    /// Only of this sync task.
    sync_task: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 1,000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Whether the documents are to come along.
    #[serde(default)]
    documents: bool,
}

/// Which sync tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SyncTasksQuery {
    /// The table; together with `frontend`.
    table: Option<Table>,
    /// The frontend's name; together with `table`.
    frontend: Option<String>,
    /// Where they stand.
    status: Option<SyncStatus>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 1,000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Lists entities by key.
#[utoipa::path(
    get, path = "/entities", tag = "entities", params(EntitiesQuery),
    responses((status = 200, body = Page<EntityView>)),
)]
pub(crate) async fn entities(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<EntitiesQuery>,
) -> Result<Json<Page<EntityView>>, Problem> {
    let filter = EntityFilter {
        flow: flow(query.table, query.frontend)?,
        statuses: statuses(query.status.as_deref().unwrap_or_default())?,
        failure: query.failure,
        sync_task: query.sync_task.map(SyncTaskId::from_stored),
        after: query.after,
        limit: limit(query.limit)?,
    };
    let mut listing = shared.engine.store().list(&filter).await?;
    control::by_wall_clock(&shared, &mut listing.items).await?;
    let items = listing.items.into_iter().map(|entity| EntityView::of(entity, query.documents)).collect();
    Ok(Json(Page { items, next: listing.next }))
}

/// The earlier versions of an entity, newest first.
#[utoipa::path(
    get, path = "/entities/history", tag = "entities", params(OfEntity),
    responses((status = 200, body = Page<VersionView>), (status = 404, description = "There is no such entity")),
)]
pub(crate) async fn history(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfEntity>,
) -> Result<Json<Page<VersionView>>, Problem> {
    let key = of.key()?;
    control::entity(&shared, &key).await?;
    let versions = shared.engine.store().history(&key).await?;
    Ok(Json(Page { items: versions.into_iter().map(VersionView::from).collect(), next: None }))
}

/// Lists sync tasks, newest first.
#[utoipa::path(
    get, path = "/control/synctasks", tag = "control", params(SyncTasksQuery),
    responses((status = 200, body = Page<SyncTaskView>)),
)]
pub(crate) async fn sync_tasks(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<SyncTasksQuery>,
) -> Result<Json<Page<SyncTaskView>>, Problem> {
    let filter = SyncTaskFilter {
        flow: flow(query.table, query.frontend)?,
        status: query.status,
        after: query.after,
        limit: limit(query.limit)?,
    };
    let listing = shared.engine.store().list_sync_tasks(&filter).await?;
    let items = listing.items.into_iter().map(|task| SyncTaskView::of(task, None)).collect();
    Ok(Json(Page { items, next: listing.next }))
}

fn flow(table: Option<Table>, frontend: Option<String>) -> Result<Option<FlowId>, Problem> {
    match (table, frontend) {
        (None, None) => Ok(None),
        (Some(table), Some(frontend)) => Ok(Some(FlowId::new(table, frontend))),
        (Some(_), None) => Err(Problem::field(OPERATION, "frontend", "is missing: name it together with the table")),
        (None, Some(_)) => Err(Problem::field(OPERATION, "table", "is missing: name it together with the frontend")),
    }
}

fn statuses(letters: &str) -> Result<Vec<TxStatus>, Problem> {
    let status = |letter: char| {
        TxStatus::from_letter(letter.encode_utf8(&mut [0; 4]))
            .ok_or_else(|| Problem::field(OPERATION, "status", "is to be letters out of N, P, S, F, I, X and ?"))
    };
    letters.chars().map(status).collect()
}

fn limit(limit: Option<usize>) -> Result<usize, Problem> {
    match limit {
        None => Ok(0),
        Some(limit @ 1..=1_000) => Ok(limit),
        Some(_) => Err(Problem::field(OPERATION, "limit", "is to be 1 to 1,000")),
    }
}
