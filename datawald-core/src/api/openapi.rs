//! The OpenAPI 3.1 document.

use utoipa::openapi::info::{ContactBuilder, LicenseBuilder};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Content, Header, InfoBuilder, Object, Ref, RefOr, Response, SecurityRequirement, Server};
use utoipa::{Modify, OpenApi};

use super::routes::{control, engine, entities, lists, outcomes, paths, schedules, service};
use crate::ErrorKind;
use crate::model::Table;
use crate::wire::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    paths(
        service::live, service::ready, service::metrics, service::openapi,
        control::get_cut, control::put_cut, control::put_sync_control, control::get_sync_task,
        control::close_sync_task, control::delete_sync_task, control::resync_task, control::resync_entity, control::erase_entity,
        control::task_status, control::task_result,
        lists::entities, lists::history, lists::sync_tasks,
        schedules::list, schedules::get, schedules::pause, schedules::run_now,
        entities::put_entity, entities::put_entities, entities::get_entity, outcomes::put_outcome,
        engine::acquire_pull, engine::release_pull, engine::stage_page, engine::push, engine::record_pushed,
        engine::get_entity, engine::claim, engine::due, engine::next_due, engine::overview, engine::renew, engine::bind, engine::settle,
        engine::store_now, engine::named, engine::cut, engine::set_cut, engine::move_cut, engine::create_sync_task, engine::finish_pull, engine::renew_pull, engine::sync_task,
        engine::sync_task_counts, engine::close_sync_task, engine::delete_sync_task, engine::list_sync_tasks,
        engine::list_entities, engine::history, engine::resync, engine::resync_task, engine::resync_failed,
        engine::failures, engine::prune, engine::erase,
        engine::record, engine::records, engine::write_record, engine::note_clock, engine::delete_record,
    ),
    components(schemas(ProblemBody)),
    modifiers(&Tables, &Common, &Words),
)]
struct Document;

pub(super) fn document() -> String {
    let mut document = Document::openapi();
    document.info = InfoBuilder::new()
        .title("datawald")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The core of datawald: staging, cuts, sync tasks and outcomes. JSON in and out is I-JSON (RFC 7493) as to what \
             two readers could take differently: no name stands twice in an object, no surrogate is alone, no number is \
             beyond a double. Anything else is refused with 422, so that all that is taken can be given back.",
        ))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build()))
        .contact(Some(ContactBuilder::new().name(Some("datawald")).build()))
        .build();
    document.servers = Some(vec![Server::new("/")]);
    without_unused(document)
}

/// As JSON, without the schemas that nothing refers to: those of generic answers stand within the answers.
fn without_unused(mut document: utoipa::openapi::OpenApi) -> String {
    loop {
        let text = document.to_pretty_json().unwrap_or_default();
        let Some(components) = &mut document.components else { return text };
        let before = components.schemas.len();
        components.schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if components.schemas.len() == before {
            return text;
        }
    }
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
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", scheme);
        for (status, words) in PROBLEMS {
            let mut problem = Response::builder().description(*words).build();
            complete(status, &mut problem);
            components.responses.insert(problem_name(status), RefOr::T(problem));
        }
        for (path, item) in &mut document.paths.paths {
            let open = path.starts_with("/health/");
            for operation in operations(item) {
                if !open {
                    operation.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
                }
                // Where a route says itself what a refusal means, that stands.
                for (status, response) in &mut operation.responses.responses {
                    if let RefOr::T(response) = response {
                        complete(status, response);
                    }
                }
                for (status, _) in PROBLEMS.iter().filter(|(status, _)| !open || *status == "405") {
                    let problem = Ref::from_response_name(problem_name(status));
                    operation.responses.responses.entry((*status).to_owned()).or_insert(RefOr::Ref(problem));
                }
                if operation.description.as_ref().is_none_or(String::is_empty) {
                    operation.description.clone_from(&operation.summary);
                }
            }
        }
    }
}

fn problem_name(status: &str) -> String {
    format!("Problem{status}")
}

/// What every answer of a status has.
fn complete(status: &str, response: &mut Response) {
    if status.starts_with(['4', '5']) && response.content.is_empty() {
        response.content.insert("application/problem+json".to_owned(), RefOr::T(problem_content()));
    }
    if response.description.is_empty() {
        response.description = if status == "204" { "It is done" } else { "The answer" }.to_owned();
    }
    for (_, name, words) in HEADERS.iter().filter(|(of, ..)| *of == status || *of == "any") {
        let mut header = Header::new(Object::with_type(Type::String));
        header.description = Some((*words).to_owned());
        response.headers.insert((*name).to_owned(), header.into());
    }
}

/// The headers of answers, by their status.
const HEADERS: &[(&str, &str, &str)] = &[
    ("any", "Cache-Control", "`no-store`: what is answered is true for the moment"),
    ("401", "WWW-Authenticate", "`Bearer`, with the realm"),
    ("405", "Allow", "The methods of this path"),
    ("408", "Retry-After", "After how many seconds to try again"),
    ("429", "Retry-After", "After how many seconds to try again"),
    ("503", "Retry-After", "After how many seconds to try again, if that is known"),
];

/// What words may stand where, and what each group of routes is about.
struct Words;

impl Modify for Words {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let tables = Table::ALL.iter().map(|table| (table.name(), "Handing over, reading, and writing outcomes"));
        let tags = TAGS.iter().copied().chain(tables);
        let tag = |(name, words)| TagBuilder::new().name(name).description(Some(words)).build();
        document.tags = Some(tags.map(tag).collect());
        let kinds: Vec<&str> = ErrorKind::ALL.into_iter().map(ErrorKind::as_str).chain(["other"]).collect();
        let words: [(&str, &str, &[&str]); 4] = [
            ("ProblemBody", "kind", &kinds),
            ("ProblemBody", "disposition", &["retryable", "uncertain", "rejected", "permanent"]),
            ("Staged", "staging", &["inserted", "restaged", "retried", "unchanged", "refused"]),
            ("Health", "status", &["ok", "degraded", "missing"]),
        ];
        let Some(components) = &mut document.components else { return };
        for (schema, property, words) in words {
            if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(schema)
                && let Some(RefOr::T(Schema::Object(property))) = object.properties.get_mut(property)
            {
                property.enum_values = Some(words.iter().map(|word| (*word).into()).collect());
            }
        }
    }
}

const TAGS: &[(&str, &str)] = &[
    ("control", "Cuts, sync tasks and the tasks of entities"),
    ("entities", "Entities of all tables: lists, history, doing again"),
    ("schedules", "What is pulled when"),
    ("engine", "The operations of the staging store, for engines on other machines"),
    ("service", "What the core tells of itself"),
    ("health", "Whether it lives and is ready, without a token"),
];

const PROBLEMS: &[(&str, &str)] = &[
    ("400", "The request cannot be understood"),
    ("401", "There is no token, or it is not known, has expired or was revoked"),
    ("403", "The token does not have the scope"),
    ("405", "The path has no such method"),
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
