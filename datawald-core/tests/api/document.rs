//! The OpenAPI document.

use serde_json::Value;

use crate::world::Core;

const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

/// With the environment variable UPDATE set, it is written anew.
#[test]
fn what_is_checked_in_is_what_is_served() {
    let document = datawald_core::api::openapi();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(CHECKED_IN, format!("{document}\n")).unwrap();
    }
    let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap();
    assert!(checked_in.trim_end() == document, "openapi.json is out of date: run this test with UPDATE=1");
}

#[tokio::test]
async fn every_documented_route_is_there_and_asks_for_a_token() {
    let core = Core::start().await;
    let token = core.any_scope("reader").await;
    let document = core.json(&token, "GET", "/openapi.json", None).await.body();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{app}", "mage2").replace("{task}", "sync_orders").replace("{id}", "1");
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            let open = path.starts_with("/health/");
            let answer = core.raw(&method.to_uppercase(), &path, &[], b"").await;
            assert_eq!(answer.status == 401, !open, "{method} {path}: {answer:?}");
            let answer = core.json(&token, &method.to_uppercase(), &path, None).await;
            assert!(answer.status != 405 && !answer.text.contains("find route"), "{method} {path}: {answer:?}");
            assert!(
                operation["responses"].get(answer.status.to_string()).is_some(),
                "{method} {path}: {}",
                answer.status
            );
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path}");
        }
    }
    // 15 tables of four operations, those of the engine, and the rest.
    assert_eq!(operations, 15 * 4 + 39 + 22, "a route was added or lost: is it documented?");
    let ids: Vec<&Value> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| &operation["operationId"])
        .collect();
    let different: std::collections::HashSet<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(different.len(), ids.len(), "an operation id is there twice");
}

/// What linters ask for, so that clients can be generated from it.
#[test]
fn every_answer_header_group_and_word_is_described() {
    let document: Value = serde_json::from_str(&datawald_core::api::openapi()).unwrap();
    let tags: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(
                operation["tags"].as_array().unwrap().iter().all(|tag| tags.contains(&tag.as_str().unwrap())),
                "{place}"
            );
            assert!(operation["description"].as_str().is_some_and(|text| !text.is_empty()), "{place}");
            let resolved = |response: &Value| match response["$ref"].as_str() {
                Some(name) => document.pointer(name.strip_prefix('#').unwrap()).unwrap().clone(),
                None => response.clone(),
            };
            let responses = operation["responses"].as_object().unwrap();
            let responses: std::collections::BTreeMap<&str, Value> =
                responses.iter().map(|(status, response)| (status.as_str(), resolved(response))).collect();
            for (status, response) in &responses {
                assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{place}: {status}");
                assert!(response["headers"]["Cache-Control"].is_object(), "{place}: {status}");
            }
            assert!(responses["405"]["headers"]["Allow"].is_object(), "{place}");
            for status in ["408", "429", "503"].into_iter().filter(|status| responses.contains_key(*status)) {
                assert!(responses[status]["headers"]["Retry-After"].is_object(), "{place}: {status}");
            }
        }
    }
    let order = &document["paths"]["/backoffice/order/{id}"]["get"]["responses"]["200"];
    assert!(order["headers"]["ETag"].is_object());
    let schemas = &document["components"]["schemas"];
    for (schema, property) in
        [("ProblemBody", "kind"), ("ProblemBody", "disposition"), ("Staged", "staging"), ("Health", "status")]
    {
        assert!(schemas[schema]["properties"][property]["enum"].is_array(), "{schema}.{property}");
    }
    let text = document.to_string();
    for name in schemas.as_object().unwrap().keys() {
        assert!(text.contains(&format!("#/components/schemas/{name}\"")), "nothing refers to {name}");
    }
}
