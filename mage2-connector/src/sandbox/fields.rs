//! `fields=`: what is left of an answer. Magento makes the whole answer first and cuts it afterwards, so that what cannot be made
//! fails all the same.

use serde_json::{Map, Value};

/// A name, and what is left within it.
struct Field(String, Vec<Field>);

/// The answer without what `fields` in the query do not name; as it is, if the query has none. Characters that Magento does not
/// expect there make it `[]`.
pub(super) fn filtered(body: String, query: &str) -> String {
    let Some((_, wanted)) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "fields") else {
        return body;
    };
    let known = |c: char| c.is_ascii_alphanumeric() || "_[],".contains(c);
    if wanted.is_empty() || !wanted.chars().all(known) {
        return "[]".to_owned();
    }
    let mut rest = &*wanted;
    let fields = parse(&mut rest);
    match serde_json::from_str::<Value>(&body) {
        Ok(value) => keep(value, &fields).to_string(),
        Err(_) => body,
    }
}

fn parse(rest: &mut &str) -> Vec<Field> {
    let mut fields = Vec::new();
    loop {
        let end = rest.find(['[', ']', ',']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        *rest = after;
        let within = match rest.strip_prefix('[') {
            Some(inner) => {
                *rest = inner;
                parse(rest)
            }
            None => Vec::new(),
        };
        if !name.is_empty() {
            fields.push(Field(name.to_owned(), within));
        }
        if let Some(next) = rest.strip_prefix(',') {
            *rest = next;
            continue;
        }
        *rest = rest.strip_prefix(']').unwrap_or_default();
        return fields;
    }
}

fn keep(value: Value, fields: &[Field]) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(|one| keep(one, fields)).collect(),
        Value::Object(mut map) => {
            let mut kept = Map::new();
            for Field(name, within) in fields {
                if let Some(value) = map.remove(name) {
                    kept.insert(name.clone(), if within.is_empty() { value } else { keep(value, within) });
                }
            }
            Value::Object(kept)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_left() {
        let body = r#"{"items":[{"entity_id":1,"payment":{"method":"checkmo","po":1},"x":2}],"total_count":1}"#;
        for (query, wanted) in [
            ("searchCriteria=", body),
            ("fields=items[entity_id]", r#"{"items":[{"entity_id":1}]}"#),
            (
                "fields=items%5Bpayment%5Bmethod%5D,entity_id%5D,total_count",
                r#"{"items":[{"entity_id":1,"payment":{"method":"checkmo"}}],"total_count":1}"#,
            ),
            ("fields=nothing", "{}"),
            ("fields=items.entity_id", "[]"),
        ] {
            assert_eq!(filtered(body.to_owned(), query), wanted, "{query}");
        }
    }
}
