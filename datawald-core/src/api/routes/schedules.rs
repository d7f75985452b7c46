//! What is scheduled, and what an operator does about it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Shared;
use crate::api::input::{Body, Query};
use crate::api::problem::Problem;
use crate::api::views::{Page, Recorded};
use crate::schedule::{ScheduleControl, ScheduleState};

/// Which schedule.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfSchedule {
    /// Its name.
    name: String,
}

/// Whether a schedule is to be paused.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pause {
    /// Paused: what runs goes on, and nothing more is started but what is asked for.
    paused: bool,
}

fn control(shared: &Shared) -> ScheduleControl {
    ScheduleControl::new(shared.engine.store().clone(), shared.engine.shared_clock())
}

/// Every schedule that a leading host ever had, with its next run, the run that runs, and those that ended last.
#[utoipa::path(get, path = "/control/schedules", tag = "schedules", responses((status = 200, body = Page<ScheduleState>)))]
pub(crate) async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Page<ScheduleState>>, Problem> {
    Ok(Json(Page { items: control(&shared).list().await?, next: None }))
}

/// One schedule.
#[utoipa::path(
    get, path = "/control/schedule", tag = "schedules", params(OfSchedule),
    responses((status = 200, body = ScheduleState), (status = 404, description = "There is no such schedule")),
)]
pub(crate) async fn get(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfSchedule>,
) -> Result<Json<ScheduleState>, Problem> {
    Ok(Json(control(&shared).get(&of.name).await?))
}

/// Pauses or resumes a schedule. Doing it again changes nothing.
#[utoipa::path(
    put, path = "/control/schedule", tag = "schedules", params(OfSchedule), request_body = Pause,
    responses((status = 200, body = ScheduleState), (status = 404, description = "There is no such schedule")),
)]
pub(crate) async fn pause(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfSchedule>,
    Body(Pause { paused }): Body<Pause>,
) -> Result<Json<ScheduleState>, Problem> {
    let control = control(&shared);
    match paused {
        true => control.pause(&of.name).await?,
        false => control.resume(&of.name).await?,
    };
    Ok(Json(control.get(&of.name).await?))
}

/// Has a schedule run now, once. Answers the id of the run, which is that of its sync task; that of the run which is asked
/// for already, if one is.
#[utoipa::path(
    post, path = "/control/schedule/run", tag = "schedules", params(OfSchedule),
    responses((status = 200, body = Recorded), (status = 404, description = "There is no such schedule")),
)]
pub(crate) async fn run_now(
    State(shared): State<Arc<Shared>>,
    Query(of): Query<OfSchedule>,
) -> Result<Json<Recorded>, Problem> {
    let id = control(&shared).run_now(&of.name).await?;
    Ok(Json(Recorded { id: id.as_str().to_owned() }))
}
