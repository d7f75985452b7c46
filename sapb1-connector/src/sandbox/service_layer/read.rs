//! Calls that read.

use std::cmp::Ordering;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::body::{Style, value_of};
use super::call::Call;
use super::error::{Refusal, Version};
use super::faults::NextLink;
use super::filter::compare;
use super::partners;
use super::path::Target;
use super::query::Query;
use super::schema::{EntitySet, Type, schema};
use super::state::{Work, names};
use super::tables::{Key, Row};

/// The type of a set's entities.
pub(super) fn type_of(set: &EntitySet) -> Result<&'static Type, Refusal> {
    schema().type_named(set.entity).ok_or_else(|| Refusal::new(400, 200, "Unrecognized resource path"))
}

/// Whether entities of this type have ETags.
pub(super) fn has_etag(of: &Type) -> bool {
    matches!(of.name, "Document" | "BusinessPartner" | "Item")
}

pub(super) fn read(work: &mut Work<'_>, call: &Call, set: &EntitySet, target: &Target) -> Result<Answer, Refusal> {
    let of = type_of(set)?;
    match (target.has_key(), target.rest.as_deref()) {
        (false, None) => collection(work, call, set, of),
        (false, Some("$count")) => count(work, call, set, of),
        (true, None) => by_key(work, call, set, of, &target.key(of)?),
        (true, Some(name)) => property(work, call, set, of, &target.key(of)?, name),
        (false, Some(_)) => Err(Refusal::new(400, 200, "Unrecognized resource path")),
    }
}

fn style<'a>(work: &'a Work<'_>, version: Version) -> Style<'a> {
    Style { version, names: names(&work.user_fields), long_dates: work.faults.long_dates }
}

/// Where the metadata of what is answered stands.
fn context(work: &Work<'_>, version: Version, what: &str) -> (String, Value) {
    let name = match version {
        Version::V1 => "odata.metadata",
        Version::V2 => "@odata.context",
    };
    (name.to_owned(), format!("{}{}/$metadata#{what}", work.state.url, version.root()).into())
}

/// An entity with its annotations, as the answer to a call that reads or makes one.
pub(super) fn entity(
    work: &Work<'_>,
    version: Version,
    set: &EntitySet,
    of: &Type,
    row: &Row,
    select: Option<&[String]>,
) -> Value {
    let mut out = style(work, version).entity(of, row.values(), select);
    let kind = match version {
        Version::V1 => format!("{}/@Element", set.name),
        Version::V2 => format!("{}/$entity", set.name),
    };
    let (name, value) = context(work, version, &kind);
    out.insert(name, value);
    if has_etag(of) {
        out.insert(version.annotation("etag"), row.etag().into());
    }
    Value::Object(out)
}

fn by_key(work: &Work<'_>, call: &Call, set: &EntitySet, of: &Type, key: &Key) -> Result<Answer, Refusal> {
    let query = Query::read(call, of, &names(&work.user_fields))?;
    let row = work.store.tables.get(set.name, key).ok_or_else(Refusal::no_match)?;
    let answer = Answer::json(call.version, 200, &entity(work, call.version, set, of, row, query.select.as_deref()));
    Ok(if has_etag(of) { answer.with("ETag", row.etag()) } else { answer })
}

/// One property; of an entity that there is not it is null, and the answer is 200 all the same.
fn property(
    work: &Work<'_>,
    call: &Call,
    set: &EntitySet,
    of: &Type,
    key: &Key,
    name: &str,
) -> Result<Answer, Refusal> {
    let known = names(&work.user_fields).property(of, name);
    known.ok_or_else(|| Refusal::unknown_property(name, of.name))?;
    let select = [name.to_owned()];
    let value = work.store.tables.get(set.name, key).and_then(|row| {
        style(work, call.version).entity(of, row.values(), Some(&select)).remove(name).filter(|value| !value.is_null())
    });
    let body = match value {
        Some(value) => json!({ "value": value }),
        None => json!({ call.version.annotation("null"): true }),
    };
    Ok(Answer::json(call.version, 200, &body))
}

fn count(work: &mut Work<'_>, call: &Call, set: &EntitySet, of: &Type) -> Result<Answer, Refusal> {
    let query = Query::read(call, of, &names(&work.user_fields))?;
    partners::any_named(work, set.name, query.filter.as_ref());
    let count = matches(work, set, of, &query).len();
    let answer = Answer { status: 200, headers: Vec::new(), body: count.to_string().into_bytes() };
    Ok(answer.with("Content-Type", "text/plain;charset=utf-8"))
}

/// The rows that pass, in order.
fn matches<'a>(work: &'a Work<'_>, set: &EntitySet, of: &Type, query: &Query) -> Vec<&'a Row> {
    let tables = &work.store.tables;
    let ignore_case = work.state.options.ignore_case;
    let passes = |row: &Row| match &query.filter {
        None => true,
        Some(filter) => {
            let kept = row.values();
            filter.passes(&|name| value_of(of, &kept, name), ignore_case) == Some(true)
        }
    };
    let candidates = query.filter.as_ref().and_then(|filter| filter.candidates(tables, set.name));
    let mut rows: Vec<&Row> = match candidates {
        Some(keys) => keys.iter().filter_map(|key| tables.get(set.name, key)).filter(|row| passes(row)).collect(),
        None => tables.rows(set.name).map(|(_, row)| row).filter(|row| passes(row)).collect(),
    };
    if !query.order_by.is_empty() {
        let mut sorted: Vec<(Map<String, Value>, &Row)> = rows.into_iter().map(|row| (row.values(), row)).collect();
        sorted.sort_by(|(left, _), (right, _)| {
            let by = query.order_by.iter().map(|(name, down)| {
                let (left, right) = (value_of(of, left, name), value_of(of, right, name));
                let nulls = (!left.is_null()).cmp(&!right.is_null());
                let order = compare(&left, &right, ignore_case).unwrap_or(nulls);
                if *down { order.reverse() } else { order }
            });
            by.fold(Ordering::Equal, Ordering::then)
        });
        rows = sorted.into_iter().map(|(_, row)| row).collect();
    }
    rows
}

fn collection(work: &mut Work<'_>, call: &Call, set: &EntitySet, of: &Type) -> Result<Answer, Refusal> {
    let query = Query::read(call, of, &names(&work.user_fields))?;
    partners::any_named(work, set.name, query.filter.as_ref());
    let rows = matches(work, set, of, &query);
    let asked = call.page_size().filter(|_| !work.faults.ignore_page_size);
    let page = match asked.unwrap_or(work.state.options.page_size) {
        0 => usize::MAX,
        size => size,
    };
    let wanted = rows.len().saturating_sub(query.skip).min(query.top.unwrap_or(usize::MAX));
    let style = style(work, call.version);
    let entities = rows.iter().skip(query.skip).take(wanted.min(page)).map(|row| {
        let mut entity = style.entity(of, row.values(), query.select.as_deref());
        if has_etag(of) {
            entity.insert(call.version.annotation("etag"), row.etag().into());
        }
        Value::Object(entity)
    });
    let mut body = Map::new();
    let (name, value) = context(work, call.version, set.name);
    body.insert(name, value);
    if query.count {
        let count = match call.version {
            Version::V1 => Value::String(rows.len().to_string()),
            Version::V2 => rows.len().into(),
        };
        body.insert(call.version.annotation("count"), count);
    }
    body.insert("value".to_owned(), entities.collect());
    if wanted > page {
        let link = next_link(
            work,
            call,
            set.name,
            query.skip.saturating_add(page),
            query.top.map(|top| top.saturating_sub(page)),
        );
        body.insert(call.version.annotation("nextLink"), link.into());
    }
    let answer = Answer::json(call.version, 200, &Value::Object(body));
    Ok(match asked {
        Some(size) => answer.with("Preference-Applied", format!("odata.maxpagesize={size}")),
        None => answer,
    })
}

fn next_link(work: &Work<'_>, call: &Call, set: &str, skip: usize, top: Option<usize>) -> String {
    let form = work.faults.next_link;
    let mut pairs: Vec<String> = Vec::new();
    if form == NextLink::Encoded {
        for (name, value) in call.parameters().into_iter().filter(|(name, _)| name != "$skip" && name != "$top") {
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().replace("%20", "+");
            pairs.push(format!("{}={}", encode(&name), encode(&value)));
        }
    } else {
        let raw = call.query.split('&').filter(|pair| !pair.is_empty());
        let other = raw.filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default().replace("%24", "$");
            name != "$skip" && name != "$top"
        });
        pairs.extend(other.map(str::to_owned));
    }
    pairs.extend(top.map(|top| format!("$top={top}")));
    pairs.push(format!("$skip={skip}"));
    let query = pairs.join("&");
    let root = call.version.root();
    match form {
        NextLink::Absolute => format!("{root}/{set}?{query}"),
        NextLink::Relative | NextLink::Encoded => format!("{set}?{query}"),
        NextLink::EmptyFirst => format!("{set}?&{query}"),
        NextLink::Whole => format!("{}{root}/{set}?{query}", work.state.url),
    }
}
