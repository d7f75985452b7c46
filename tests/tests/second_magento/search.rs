//! `searchCriteria` and `fields`, as Magento's collections take them: lenient where it is.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The parts of a query by the path of their names: `searchCriteria[pageSize]` is `searchCriteria/pageSize`.
pub type Query = BTreeMap<String, String>;

pub fn read(query: &str) -> Query {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .map(|(name, value)| (name.replace("][", "/").replace('[', "/").replace(']', ""), value.into_owned()))
        .collect()
}

/// What a search gives: the rows, how many match, or a status with which it fails.
pub fn search(rows: &BTreeMap<u64, Value>, query: &Query) -> Result<(Vec<Value>, usize), u16> {
    if !query.keys().any(|name| name.starts_with("searchCriteria")) {
        return Err(400);
    }
    let get = |name: String| query.get(&name).map(String::as_str);
    let mut groups = Vec::new();
    for group in 0..20 {
        let part =
            |filter: usize, part: &str| get(format!("searchCriteria/filter_groups/{group}/filters/{filter}/{part}"));
        let filters: Vec<[&str; 3]> = (0..20)
            .filter_map(|at| {
                let field = part(at, "field")?;
                Some([field, part(at, "condition_type").unwrap_or("eq"), part(at, "value").unwrap_or_default()])
            })
            .collect();
        groups.extend((!filters.is_empty()).then_some(filters));
    }
    let mut sorts = Vec::new();
    for at in 0..10 {
        let Some(field) = get(format!("searchCriteria/sortOrders/{at}/field")) else { continue };
        let direction = get(format!("searchCriteria/sortOrders/{at}/direction")).unwrap_or("DESC").to_uppercase();
        match direction.as_str() {
            "ASC" | "DESC" => sorts.push((field, direction == "ASC")),
            _ => return Err(400),
        }
    }
    // A column that the table does not have is an SQL error.
    let columns = columns_of(rows);
    let named = groups.iter().flatten().map(|filter| filter[0]).chain(sorts.iter().map(|sort| sort.0));
    if named.into_iter().any(|name| !columns.contains(&name)) {
        return Err(500);
    }
    // Without a sort order that tells all apart, a database gives rows in any order: here, backwards.
    let mut found: Vec<&Value> =
        rows.values().rev().filter(|row| groups.iter().all(|group| any_holds(row, group))).collect();
    for (field, ascending) in sorts.iter().rev() {
        found.sort_by(|one, other| {
            let order = compare(&text(one, field).unwrap_or_default(), &text(other, field).unwrap_or_default());
            if *ascending { order } else { order.reverse() }
        });
    }
    let number =
        |name: &str| get(format!("searchCriteria/{name}")).and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    let total = found.len();
    let (size, page) = (number("pageSize"), number("currentPage").max(1));
    let found: Vec<Value> = match size {
        0 => found.into_iter().cloned().collect(),
        size => found.into_iter().skip((page - 1) * size).take(size).cloned().collect(),
    };
    Ok((found, total))
}

fn columns_of(rows: &BTreeMap<u64, Value>) -> Vec<&str> {
    let fields = rows.values().next().and_then(Value::as_object).into_iter().flatten();
    fields.filter(|(_, value)| !value.is_object() && !value.is_array()).map(|(name, _)| name.as_str()).collect()
}

fn any_holds(row: &Value, group: &[[&str; 3]]) -> bool {
    group.iter().any(|filter| {
        let range = |name: &str| group.iter().find(|other| other[0] == filter[0] && other[1] == name);
        match filter[1] {
            "from" => holds(row, filter) && range("to").is_none_or(|to| holds(row, to)),
            "to" => holds(row, filter) && range("from").is_none_or(|from| holds(row, from)),
            _ => holds(row, filter),
        }
    })
}

fn holds(row: &Value, [field, condition, value]: &[&str; 3]) -> bool {
    let Some(held) = text(row, field) else { return *condition == "null" };
    let order = compare(&held, value);
    match *condition {
        "neq" => order.is_ne(),
        "gt" => order.is_gt(),
        "lt" => order.is_lt(),
        "gteq" | "from" => order.is_ge(),
        "lteq" | "to" => order.is_le(),
        "in" => value.split(',').any(|one| compare(&held, one).is_eq()),
        "nin" => !value.split(',').any(|one| compare(&held, one).is_eq()),
        "like" => like(&held.to_lowercase(), &value.to_lowercase()),
        "nlike" => !like(&held.to_lowercase(), &value.to_lowercase()),
        "null" => false,
        "notnull" => true,
        "finset" => held.split(',').any(|one| one == *value),
        // Whatever else is asked for becomes equality.
        _ => order.is_eq(),
    }
}

fn text(row: &Value, field: &str) -> Option<String> {
    match row.get(field)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn compare(one: &str, other: &str) -> Ordering {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.total_cmp(&other),
        _ => one.to_lowercase().cmp(&other.to_lowercase()),
    }
}

fn like(text: &str, pattern: &str) -> bool {
    match pattern.split_once('%') {
        None => text == pattern,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| like(&text[at..], rest))
        }),
    }
}

/// What `fields` leave of an answer.
pub fn cut(answer: Value, fields: &str) -> Value {
    if !fields.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '[' | ']' | ',')) {
        return Value::Array(Vec::new());
    }
    let mut depth = 0;
    let split = |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    };
    let parts: Vec<&str> = fields.split(split).collect();
    match answer {
        Value::Array(list) => list.into_iter().map(|one| cut(one, fields)).collect(),
        Value::Object(mut map) => {
            let mut left = Map::new();
            for part in parts {
                let (name, within) = part.split_once('[').unwrap_or((part, ""));
                let Some(value) = map.remove(name) else { continue };
                let within = within.strip_suffix(']').unwrap_or(within);
                left.insert(name.to_owned(), if within.is_empty() { value } else { cut(value, within) });
            }
            Value::Object(left)
        }
        other => other,
    }
}
