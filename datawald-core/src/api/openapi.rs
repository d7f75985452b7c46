//! The OpenAPI 3.1 document.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, InfoBuilder, Ref, RefOr, Response, SecurityRequirement};
use utoipa::{Modify, OpenApi};

use super::routes::{control, engine, entities, lists, outcomes, paths, schedules, service};
use crate::model::Table;
use crate::wire::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    paths(
        service::live, service::ready, service::metrics, service::openapi,
        control::get_cut, control::put_cut, control::put_sync_control, control::get_sync_task,
        control::close_sync_task, control::delete_sync_task, control::resync_task, control::resync_entity,
        control::task_status, control::task_result,
        lists::entities, lists::history, lists::sync_tasks,
        schedules::list, schedules::get, schedules::pause, schedules::run_now,
        entities::put_entity, entities::put_entities, entities::get_entity, outcomes::put_outcome,
        engine::acquire_pull, engine::release_pull, engine::stage_page, engine::push, engine::record_pushed,
        engine::get_entity, engine::claim, engine::due, engine::next_due, engine::renew, engine::bind, engine::settle,
        engine::store_now, engine::named, engine::cut, engine::set_cut, engine::create_sync_task, engine::finish_pull, engine::renew_pull, engine::resync_failed, engine::sync_task,
        engine::sync_task_counts, engine::close_sync_task, engine::delete_sync_task, engine::list_sync_tasks,
        engine::list_entities, engine::history, engine::resync, engine::resync_task,
        engine::record, engine::records, engine::write_record, engine::delete_record,
    ),
    components(schemas(ProblemBody)),
    modifiers(&Tables, &Common),
)]
struct Document;

pub(super) fn document() -> String {
    let mut document = Document::openapi();
    document.info = InfoBuilder::new()
        .title("datawald")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The core of datawald: staging, cuts, sync tasks and outcomes."))
        .build();
    document.to_pretty_json().unwrap_or_default()
}

/// What is said of orders holds for every other table under its own paths.
struct Tables;

impl Modify for Tables {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let (one, many, outcome) = paths(Table::Orders);
        for table in Table::ALL.iter().copied().filter(|table| *table != Table::Orders) {
            let (other_one, other_many, other_outcome) = paths(table);
            for (template, path) in [(&one, other_one), (&many, other_many), (&outcome, other_outcome)] {
                if let Some(item) = document.paths.paths.get(template) {
                    let item = renamed(item.clone(), table);
                    document.paths.paths.insert(path, item);
                }
            }
        }
    }
}

fn renamed(mut item: PathItem, table: Table) -> PathItem {
    for operation in operations(&mut item) {
        operation.tags = Some(vec![table.name().to_owned()]);
        operation.operation_id =
            operation.operation_id.take().map(|id| format!("{id}_{}", table.name().replace('-', "_")));
        for text in [&mut operation.summary, &mut operation.description] {
            *text = text.take().map(|text| {
                text.replace("several orders", &format!("several of {}", table.name()))
                    .replace("an order", &format!("one of {}", table.name()))
                    .replace("the order", "it")
                    .replace("The order", "It")
            });
        }
        for parameter in operation.parameters.iter_mut().flatten() {
            if let RefOr::T(parameter) = parameter {
                let told = parameter.description.take();
                parameter.description = told.map(|text| text.replace("fe_order_id", table.source_key()));
            }
        }
    }
    item
}

/// What every request may come to.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::builder().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
        for (path, item) in &mut document.paths.paths {
            let open = path.starts_with("/health/");
            for operation in operations(item) {
                if !open {
                    operation.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
                }
                let told: &[(&str, &str)] = if open { &[] } else { PROBLEMS };
                for (status, words) in told {
                    let problem = Response::builder()
                        .description(*words)
                        .content("application/problem+json", problem_content())
                        .build();
                    operation.responses.responses.entry((*status).to_owned()).or_insert(RefOr::T(problem));
                }
                // Where a route says itself what a refusal means, it has the same shape.
                for (status, response) in &mut operation.responses.responses {
                    if let RefOr::T(response) = response
                        && status.starts_with(['4', '5'])
                        && response.content.is_empty()
                    {
                        response.content.insert("application/problem+json".to_owned(), RefOr::T(problem_content()));
                    }
                }
            }
        }
    }
}

const PROBLEMS: &[(&str, &str)] = &[
    ("400", "The request cannot be understood"),
    ("401", "There is no token, or it is not known, has expired or was revoked"),
    ("403", "The token does not have the scope"),
    ("408", "The body did not arrive in time"),
    ("412", "Another version is there than the request asks for"),
    ("413", "The body is too large"),
    ("415", "The body is not JSON"),
    ("422", "A field is not acceptable; `errors` names it"),
    ("429", "Too many requests; `Retry-After` says when to try again"),
    ("500", "The core failed over this request; its log says where"),
    ("503", "The core cannot do it now"),
];

fn problem_content() -> Content {
    Content::new(Some(Ref::from_schema_name("ProblemBody")))
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete]
        .into_iter()
        .filter_map(|operation| operation.as_mut())
}
