//! Calls that add, change and remove.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::documents::{self, Added};
use super::error::{Refusal, Version};
use super::lines::text;
use super::partners;
use super::path::written;
use super::read::{entity, has_etag, type_of};
use super::schema::{EntitySet, Kind, Type};
use super::state::{Work, names};
use super::tables::{Key, Part};

/// POST to a set.
pub(super) fn create(work: &mut Work<'_>, call: &Call, set: &'static EntitySet) -> Result<Answer, Refusal> {
    let of = type_of(set)?;
    let values = names(&work.user_fields).read(of, Value::Object(call.object()?))?;
    let key = match (set.name, set.entity) {
        ("Drafts", _) => return Err(Refusal::unsupported()),
        (_, "Document") => match documents::add(work, set.name, values)? {
            Added::Document(key) => key,
            Added::Draft if no_content(work, call) => {
                return Ok(Answer::no_content().with("Preference-Applied", "return-no-content"));
            }
            // Something was saved all the same.
            Added::Draft => return Ok(Answer::refusal(call.version, &Refusal::no_match())),
        },
        (_, "BusinessPartner") => partners::add_partner(work, values)?,
        (_, "Item") => partners::add_item(work, &values)?,
        _ => add_other(work, set, of, values)?,
    };
    created(work, call, set, of, &key)
}

/// Whether nothing but the place of what is made is to be answered.
fn no_content(work: &Work<'_>, call: &Call) -> bool {
    call.wants_no_content() && !work.faults.ignore_no_content
}

fn created(work: &Work<'_>, call: &Call, set: &EntitySet, of: &Type, key: &Key) -> Result<Answer, Refusal> {
    let row = work.store.tables.get(set.name, key).ok_or_else(Refusal::no_match)?;
    let path = format!("{}/{}({})", call.version.root(), set.name, written(of, key));
    if no_content(work, call) {
        let answer = Answer::no_content().with("Location", path);
        return Ok(answer.with("Preference-Applied", "return-no-content"));
    }
    let answer = Answer::json(call.version, 201, &entity(work, call.version, set, of, row, None));
    let answer = answer.with("Location", format!("{}{path}", work.state.url));
    Ok(if has_etag(of) { answer.with("ETag", row.etag()) } else { answer })
}

/// An entity without rules of its own: a key that is a text is given, one that is a number is the next.
fn add_other(work: &mut Work<'_>, set: &EntitySet, of: &Type, mut values: Map<String, Value>) -> Result<Key, Refusal> {
    let mut key = Key::new();
    for name in &of.key {
        let kind = of.property(name).map(|property| property.kind);
        let part = match (kind, values.get(*name)) {
            (Some(Kind::Text), Some(Value::String(text))) if !text.is_empty() => Part::Text(text.clone()),
            (Some(Kind::Text), _) => {
                return Err(Refusal::data(format!("Code undefined  [{}.{name}]", set.table)));
            }
            (_, _) if set.name == "UserFieldsMD" => Part::Int(next_field(work, &values)),
            (_, Some(number)) if number.is_i64() => Part::Int(number.as_i64().unwrap_or_default()),
            _ => Part::Int(work.store.tables.next(set.name, 1)),
        };
        let value = match &part {
            Part::Int(number) => json!(number),
            Part::Text(text) => json!(text),
        };
        values.insert((*name).to_owned(), value);
        key.push(part);
    }
    if work.store.tables.get(set.name, &key).is_some() {
        return Err(Refusal::new(400, -10, format!("This entry already exists  [{}]", set.table)));
    }
    if set.name == "UserFieldsMD" {
        let size = values.get("Size").cloned().unwrap_or_else(|| json!(10));
        values.entry("EditSize").or_insert(size);
    }
    work.store.tables.put(set.name, key.clone(), &values);
    Ok(key)
}

/// The next field's number in its table.
fn next_field(work: &Work<'_>, values: &Map<String, Value>) -> i64 {
    let table = text(values, "TableName");
    let rows = work.store.tables.rows("UserFieldsMD").filter_map(|(key, _)| match &key[..] {
        [Part::Text(of), Part::Int(id)] if of == table => Some(*id),
        _ => None,
    });
    rows.max().map_or(0, |last| last.saturating_add(1))
}

/// A row that a change or an action is about, if `If-Match` allows it.
pub(super) fn current(
    work: &Work<'_>,
    call: &Call,
    set: &EntitySet,
    of: &Type,
    key: &Key,
) -> Result<Map<String, Value>, Refusal> {
    let row =
        work.store.tables.get(set.name, key).ok_or_else(|| {
            Refusal::new(404, -2028, format!("Entity with value({}) does not exist", written(of, key)))
        })?;
    let stale = |wanted: &str| wanted != "*" && !wanted.split(',').any(|etag| etag.trim() == row.etag());
    match call.header("if-match") {
        Some(wanted) if has_etag(of) && stale(wanted) => Err(Refusal::changed()),
        _ => Ok(row.values()),
    }
}

/// PATCH.
pub(super) fn update(work: &mut Work<'_>, call: &Call, set: &'static EntitySet, key: &Key) -> Result<Answer, Refusal> {
    let of = type_of(set)?;
    let before = current(work, call, set, of, key)?;
    let changes = names(&work.user_fields).read(of, Value::Object(call.object()?))?;
    let replace = call.header("b1s-replacecollectionsonpatch").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let mut values = before.clone();
    for (name, change) in changes {
        if of.key.contains(&name.as_str()) {
            continue;
        }
        merge(&mut values, name, change, replace);
    }
    match (set.name, set.entity) {
        (_, "Document") => {
            if !allowed(&before, &values) {
                return Err(Refusal::new(400, -1029, "Field cannot be updated (ODBC -1029)"));
            }
            let entry = match &key[..] {
                [Part::Int(entry)] => *entry,
                _ => 0,
            };
            documents::reckon(work, &mut values, entry)?;
            documents::touch(work, &mut values);
            work.orders += u64::from(set.name == "Orders");
        }
        (_, "BusinessPartner") => {
            let code = text(&values, "CardCode").to_owned();
            partners::complete_partner(work, &code, &mut values);
        }
        _ => {}
    }
    work.store.tables.put(set.name, key.clone(), &values);
    Ok(Answer::no_content())
}

/// Whether a document may be changed so: the customer stays, and of a closed one only remarks and user-defined fields
/// change.
fn allowed(before: &Map<String, Value>, after: &Map<String, Value>) -> bool {
    if text(before, "CardCode") != text(after, "CardCode") {
        return false;
    }
    let open = text(before, "DocumentStatus") != "bost_Close";
    let free = |name: &str| name == "Comments" || name.starts_with("U_");
    open || after.iter().all(|(name, value)| free(name) || before.get(name) == Some(value))
}

fn merge(values: &mut Map<String, Value>, name: String, change: Value, replace: bool) {
    match (values.get_mut(&name), change) {
        (Some(Value::Object(values)), Value::Object(changes)) => {
            for (name, change) in changes {
                values.insert(name, change);
            }
        }
        (Some(Value::Array(values)), Value::Array(changes)) if !replace => {
            for change in changes {
                merge_row(values, &name, change);
            }
        }
        (_, change) => {
            values.insert(name, change);
        }
    }
}

/// Changes the row of a list that has the same number, or adds one.
fn merge_row(rows: &mut Vec<Value>, list: &str, change: Value) {
    let id = match list {
        "ContactEmployees" => "InternalCode",
        "BPAddresses" => "RowNum",
        _ => "LineNum",
    };
    let number = |row: &Value| row.get(id).and_then(Value::as_i64);
    let last = rows.iter().filter_map(number).max();
    let at = number(&change).and_then(|sought| rows.iter().position(|row| number(row) == Some(sought)));
    match (at.and_then(|at| rows.get_mut(at)), change) {
        (Some(Value::Object(row)), Value::Object(changes)) => {
            forget_amounts(row, &changes);
            for (name, change) in changes {
                row.insert(name, change);
            }
        }
        (_, Value::Object(mut added)) => {
            if list == "DocumentLines" {
                added.entry(id).or_insert_with(|| json!(last.map_or(0, |last| last.saturating_add(1))));
            }
            rows.push(Value::Object(added));
        }
        _ => {}
    }
}

/// Forgets what SAP B1 reckons anew from what is changed.
fn forget_amounts(row: &mut Map<String, Value>, changes: &Map<String, Value>) {
    // What is delivered stays so.
    if changes.contains_key("Quantity") && row.get("RemainingOpenQuantity") == row.get("Quantity") {
        row.remove("RemainingOpenQuantity");
    }
    let changed = |names: &[&str]| names.iter().any(|name| changes.contains_key(*name));
    let forget: &[&str] = if changed(&["RowTotalFC"]) {
        &["LineTotal", "UnitPrice", "Price"]
    } else if changed(&["LineTotal"]) {
        &["RowTotalFC", "UnitPrice", "Price"]
    } else if changed(&["UnitPrice", "Price"]) {
        &["RowTotalFC", "LineTotal", "UnitPrice", "Price"]
    } else if changed(&["Quantity", "DiscountPercent"]) {
        &["RowTotalFC", "LineTotal"]
    } else {
        &[]
    };
    for name in forget {
        row.remove(*name);
    }
}

/// DELETE.
pub(super) fn delete(work: &mut Work<'_>, call: &Call, set: &'static EntitySet, key: &Key) -> Result<Answer, Refusal> {
    let of = type_of(set)?;
    if set.entity == "Document" && set.name != "Drafts" {
        return Err(Refusal::unsupported());
    }
    current(work, call, set, of, key)?;
    work.store.tables.remove(set.name, key);
    Ok(Answer::no_content())
}

/// The answer's version, for what is the same in both.
pub(super) fn value(version: Version, value: &Value) -> Answer {
    Answer::json(version, 200, &json!({ "value": value }))
}
