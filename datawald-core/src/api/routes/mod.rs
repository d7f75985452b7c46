//! Which request goes where, and what it asks of its token.

pub(super) mod control;
pub(super) mod engine;
pub(super) mod entities;
pub(super) mod lists;
pub(super) mod outcomes;
pub(super) mod schedules;
pub(super) mod service;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use super::auth::authorize;
use super::problem::Problem;
use super::tokens::Scope;
use super::{Shared, input};
use crate::model::{Direction, FlowId, Table};
use crate::{Disposition, Error, ErrorKind};

type Routes = MethodRouter<Arc<Shared>>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let guard = |scope: Option<Scope>, routes: Routes| {
        routes.route_layer(middleware::from_fn_with_state((shared.clone(), scope), authorize))
    };
    let read = |routes| guard(Some(Scope::Read), routes);
    let stage = |routes| guard(Some(Scope::Stage), routes);
    let operate = |routes| guard(Some(Scope::Operate), routes);

    let mut router = Router::new()
        .route("/health/live", get(service::live))
        .route("/health/ready", get(service::ready))
        .route("/metrics", read(get(service::metrics)))
        .route("/openapi.json", guard(None, get(service::openapi)))
        .route("/control/cutdt/{app}/{task}", read(get(control::get_cut)))
        .route("/control/cutdt/{app}/{task}", operate(put(control::put_cut)))
        .route("/control/synccontrol/{app}/{task}", stage(put(control::put_sync_control)))
        .route("/control/synctask", read(get(control::get_sync_task)))
        .route("/control/synctask", stage(put(control::close_sync_task)))
        .route("/control/synctask", operate(delete(control::delete_sync_task)))
        .route("/control/synctask/resync", operate(post(control::resync_task)))
        .route("/control/synctasks", read(get(lists::sync_tasks)))
        .route("/control/taskstatus", read(get(control::task_status)))
        .route("/control/task", read(get(control::task_result)))
        .route("/control/schedules", read(get(schedules::list)))
        .route("/control/schedule", read(get(schedules::get)))
        .route("/control/schedule", operate(put(schedules::pause)))
        .route("/control/schedule/run", operate(post(schedules::run_now)))
        .route("/entities", read(get(lists::entities)))
        .route("/entities/history", read(get(lists::history)))
        .route("/entities/resync", operate(post(control::resync_entity)))
        .route("/entities/erase", operate(post(control::erase_entity)));
    for table in Table::ALL.iter().copied() {
        let (one, many, outcome) = paths(table);
        router = router
            .route(&one, stage(put(move |s, p, h, b| entities::put_entity(table, s, p, h, b))))
            .route(&one, read(get(move |s, p, q| entities::get_entity(table, s, p, q))))
            .route(&many, stage(put(move |s, b| entities::put_entities(table, s, b))))
            .route(&outcome, operate(put(move |s, c, b| outcomes::put_outcome(table, s, c, b))));
    }
    router = engine::routes()
        .into_iter()
        .fold(router, |router, (path, scope, routes)| router.route(path, guard(Some(scope), routes)));
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(another_method)
        .layer(middleware::from_fn_with_state(shared.clone(), in_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(traced))
        .with_state(shared)
}

/// The paths of a table: one entity, many at once, an outcome.
pub(super) fn paths(table: Table) -> (String, String, String) {
    let side = match table.direction() {
        Direction::ToBackoffice => "backoffice",
        Direction::ToFrontend => "frontend",
    };
    let one = segment(table);
    (format!("/{side}/{one}/{{id}}"), format!("/{side}/{one}"), format!("/{side}/{one}status"))
}

/// What a table is called in paths.
fn segment(table: Table) -> &'static str {
    match table {
        Table::Orders => "order",
        Table::CustomersBo | Table::CustomersFe => "customer",
        Table::ItemReceipts => "itemreceipt",
        Table::Products => "product",
        Table::ProductsInventory => "product-inventory",
        Table::ProductsPriceLevels => "product-pricelevel",
        Table::ProductsCategories => "product-category",
        Table::ProductsLinks => "product-link",
        Table::ProductsImageGallery => "product-imagegallery",
        Table::ProductsCustomOption => "product-customoption",
        Table::ProductsVariants => "product-variant",
        Table::Shipments => "shipment",
        Table::Invoices => "invoice",
        Table::PurchaseOrders => "purchaseorder",
    }
}

/// The flow that `app` and `task` name; a task that pulls several tables needs one of them named.
pub(super) fn flow_of(app: &str, task: &str, table: Option<Table>) -> Result<FlowId, Problem> {
    const OPERATION: &str = "find flow";
    input::check_name("app", app)?;
    let tables: Vec<Table> = Table::ALL.iter().copied().filter(|table| table.task() == task).collect();
    let names = || tables.iter().map(|table| table.name()).collect::<Vec<_>>().join(", ");
    match (tables.as_slice(), table) {
        ([], _) => {
            let mut tasks: Vec<_> = Table::ALL.iter().map(|table| table.task()).collect();
            tasks.dedup();
            Err(Problem::not_found(OPERATION, format!("there is no such task; one of {}", tasks.join(", "))))
        }
        (_, Some(table)) if tables.contains(&table) => Ok(FlowId::new(table, app)),
        (_, Some(_)) => {
            Err(Problem::field(OPERATION, "table", format!("is not pulled by this task; one of {}", names())))
        }
        ([table], None) => Ok(FlowId::new(*table, app)),
        (_, None) => Err(Problem::field(OPERATION, "table", format!("name the table: one of {}", names()))),
    }
}

/// What is not there is not told to those who may not ask.
async fn nothing_here(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let check = Router::<()>::new()
        .fallback(|| async { Problem::not_found("find route", "there is nothing here; see /openapi.json") })
        .layer(middleware::from_fn_with_state((shared, None), authorize));
    answer(check, request).await
}

async fn another_method(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let told = || async {
        let error = Error::invalid("find route", "this method is not for this path; see /openapi.json");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, error)
    };
    let check = Router::<()>::new().fallback(told).layer(middleware::from_fn_with_state((shared, None), authorize));
    answer(check, request).await
}

async fn answer(router: Router, request: Request) -> Response {
    use tower::ServiceExt;
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn in_time(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    // A body has its own time.
    let limit = Duration::from_millis(shared.settings.timeout_ms.saturating_add(shared.settings.body_timeout_ms));
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = "the work took too long; it may have been done all the same, and doing it again is safe";
            let wait = Duration::from_secs(1);
            Problem::wait(StatusCode::SERVICE_UNAVAILABLE, "answer request", message, wait).into_response()
        }
    }
}

async fn traced(request: Request, next: Next) -> Response {
    // Neither the path as it came nor its query: they hold keys, and whatever somebody likes to write there.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let span = tracing::debug_span!("request", method = %request.method(), route);
    async move {
        let started = std::time::Instant::now();
        let mut response = next.run(request).await;
        let took = started.elapsed();
        tracing::debug!(status = response.status().as_u16(), ?took, "answered");
        response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        response
    }
    .instrument(span)
    .await
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a request to the API panicked; the lines before tell where");
    let error = Error::new(
        ErrorKind::Store,
        Disposition::Uncertain,
        "answer request",
        "the core failed over this request, and its log says where; what it did so far stands",
    );
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error).into_response()
}
