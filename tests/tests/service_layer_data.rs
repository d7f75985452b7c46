//! The sandbox Service Layer against the reference data, which nobody in this project wrote: its table of names against
//! the metadata, and every recorded request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use datawald_core::Effect;
use datawald_core::http::{Http, HttpRequest, HttpResponse, HttpSettings};
use datawald_tests::{elements, service_layer_folder};
use http::header::{HeaderName, HeaderValue};
use rust_decimal::Decimal;
use sapb1_connector::sandbox::service_layer::{Faults, NextLink, SCHEMA, Sandbox, SandboxOptions};
use serde_json::{Value, json};

/// Of each type its properties, with what they hold, whether they are written, and what they are from the start.
type Types = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug, Default)]
struct Names {
    types: Types,
    keys: BTreeMap<String, Vec<String>>,
    enumerations: BTreeMap<String, Vec<(String, String)>>,
    sets: BTreeMap<String, (String, String)>,
}

fn metadata(xml: &str) -> Names {
    let mut names = Names::default();
    let mut current = String::new();
    let mut defaults: Vec<(String, String, String, String)> = Vec::new();
    for (element, mut with) in elements(xml) {
        let mut take = |name: &str| with.remove(name).unwrap_or_default();
        match element {
            "EnumType" | "ComplexType" | "EntityType" => {
                current = take("Name");
                if element == "EnumType" {
                    names.enumerations.insert(current.clone(), Vec::new());
                } else {
                    names.types.insert(current.clone(), BTreeSet::new());
                }
            }
            "Member" => {
                let member = (take("Name").trim().to_owned(), take("Value"));
                names.enumerations.get_mut(&current).unwrap().push(member);
            }
            "PropertyRef" => names.keys.entry(current.clone()).or_default().push(take("Name")),
            "EntitySet" => {
                let entity = take("EntityType").replace("SAPB1.", "");
                names.sets.insert(take("Name"), (entity, take("TableName")));
            }
            // User-defined fields are the company's.
            "Property" if take("UserField") != "true" => {
                let given = take("Type");
                let (kind, list) = match given.strip_prefix("Collection(") {
                    Some(kind) => (kind.trim_end_matches(')').to_owned(), true),
                    None => (given, false),
                };
                let kind = match kind.as_str() {
                    "Edm.Int32" => "int",
                    "Edm.Double" => "num",
                    "Edm.String" => "text",
                    "Edm.DateTime" => "date",
                    "Edm.Time" => "time",
                    other => other.strip_prefix("SAPB1.").unwrap(),
                };
                let shown = if list { format!("[{kind}]") } else { kind.to_owned() };
                let read_only = if take("Writable") == "false" { "-" } else { "" };
                let property = format!("{}:{shown}{read_only}", take("Name"));
                defaults.push((current.clone(), property, kind.to_owned(), take("DefaultValue")));
            }
            _ => {}
        }
    }
    for (of, property, kind, value) in defaults {
        let members = names.enumerations.get(&kind).filter(|_| !property.contains('['));
        let default = members.and_then(|members| members.iter().find(|(_, stored)| *stored == value));
        let property = match default {
            Some((name, _)) if !value.is_empty() => format!("{property}={name}"),
            _ => property,
        };
        names.types.get_mut(&of).unwrap().insert(property);
    }
    names
}

#[test]
fn the_table_of_names_is_that_of_the_metadata() {
    let Some(folder) = service_layer_folder() else { return };
    let metadata = metadata(&std::fs::read_to_string(folder.join("metadata.xml")).unwrap());
    let mut heads: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for line in SCHEMA.lines().filter(|line| !line.starts_with('#')) {
        let words = line.split_whitespace();
        match heads.last_mut() {
            Some((_, body)) if line.starts_with(' ') => body.extend(words),
            _ => heads.push((words.collect(), Vec::new())),
        }
    }
    let mut compared = 0;
    for (head, body) in &heads {
        match head[..] {
            ["set", name, entity, table] => {
                assert_eq!(metadata.sets[name], (entity.to_owned(), table.to_owned()), "{name}");
            }
            ["enum", name] => {
                let members: Vec<String> =
                    metadata.enumerations[name].iter().map(|(name, value)| format!("{name}={value}")).collect();
                assert_eq!(*body, members, "{name}");
            }
            ["entity" | "complex", name, ref key @ ..] => {
                let properties: BTreeSet<String> = body.iter().map(|word| (*word).to_owned()).collect();
                assert_eq!(properties, metadata.types[name], "{name}");
                let keys = metadata.keys.get(name).cloned().unwrap_or_default();
                assert_eq!(key, &keys[..], "{name}");
                compared += properties.len();
            }
            _ => panic!("{head:?}"),
        }
    }
    assert!(heads.len() > 150 && compared > 2000, "{} {compared}", heads.len());
}

/// What the sandbox answers at `$metadata` is a part of the real one, with the same names, keys, types and tables.
#[tokio::test]
async fn the_metadata_of_the_sandbox_is_part_of_the_real_one() {
    let Some(folder) = service_layer_folder() else { return };
    let real = metadata(&std::fs::read_to_string(folder.join("metadata.xml")).unwrap());
    let options = SandboxOptions::default();
    let sandbox = Sandbox::start(options.clone()).await.unwrap();
    let caller = Caller::new(&sandbox, &options).await;
    let told = caller.send("GET", "/b1s/v1/$metadata", &[], String::new()).await;
    let told = metadata(std::str::from_utf8(&told.body).unwrap());
    assert!(told.sets.len() > 15 && told.types.len() > 80, "{} {}", told.sets.len(), told.types.len());
    for (name, set) in &told.sets {
        assert_eq!(Some(set), real.sets.get(name), "{name}");
    }
    for (name, properties) in &told.types {
        assert_eq!(Some(properties), real.types.get(name), "{name}");
        assert_eq!(told.keys.get(name), real.keys.get(name), "{name}");
    }
    for (name, members) in &told.enumerations {
        assert_eq!(Some(members), real.enumerations.get(name), "{name}");
    }
}

struct Caller {
    http: Http,
    cookies: String,
}

impl Caller {
    async fn new(sandbox: &Sandbox, options: &SandboxOptions) -> Self {
        let http = Http::new(HttpSettings::new(&sandbox.url()).unwrap()).unwrap();
        let mut caller = Self { http, cookies: String::new() };
        let body = json!({ "CompanyDB": options.company_db, "UserName": options.user, "Password": options.password });
        let got = caller.send("POST", "/b1s/v1/Login", &[], body.to_string()).await;
        assert_eq!(got.status, 200);
        let cookies = got.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
        caller.cookies = cookies.map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ");
        caller
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> HttpResponse {
        let url = self.http.url(path.trim_start_matches('/')).unwrap();
        let mut request = HttpRequest::new("test", Effect::Read, method.parse().unwrap(), url);
        for (name, value) in headers {
            request.headers.insert(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        if !self.cookies.is_empty() {
            request.headers.insert("cookie", HeaderValue::from_str(&self.cookies).unwrap());
        }
        request.body = (!body.is_empty()).then(|| body.into());
        self.http.send(request).await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> HttpResponse {
        self.send("POST", path, &[], body.to_string()).await
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A company that has what the recorded requests refer to.
fn options() -> SandboxOptions {
    let mut options = SandboxOptions { first_doc_entry: 22, ..SandboxOptions::default() };
    options.tax_codes.extend([("T1".into(), Decimal::TEN), ("NT".into(), Decimal::ZERO)]);
    options
}

#[tokio::test]
async fn every_recorded_request_is_taken() {
    let Some(folder) = service_layer_folder() else { return };
    let mut taken = 0;
    for entry in std::fs::read_dir(folder.join("requests")).unwrap() {
        let path = entry.unwrap().path();
        let options = SandboxOptions { first_doc_entry: 39, ..options() };
        let sandbox = Sandbox::start(options.clone()).await.unwrap();
        let caller = Caller::new(&sandbox, &options).await;
        // The order that the invoice is copied from.
        let base = json!({
            "CardCode": "010001", "DocDueDate": "2023-08-25", "DocumentLines": [{ "ItemCode": "0010", "Quantity": 9 }],
        });
        assert_eq!(caller.post("/b1s/v1/Orders", &base).await.status, 201);
        let request = read(&path);
        let name = path.file_name().unwrap().to_str().unwrap();
        // Others are of what is not asked for here: changes, series, webhooks, agreements.
        let invoice = name == "uz-invoice-from-order-v2.json";
        if !invoice && (!name.contains("post") || name.contains("agreement")) {
            continue;
        }
        let (target, body) = match request.get("path").and_then(Value::as_str) {
            Some(target) => (target, &request["body"]),
            None if name.contains("down-payment") => ("/b1s/v1/DownPayments", &request),
            None => ("/b1s/v1/IncomingPayments", &request),
        };
        let got = caller.post(target, body).await;
        assert_eq!(got.status, 201, "{name}: {:?}", std::str::from_utf8(&got.body));
        taken += 1;
    }
    assert!(taken >= 10, "{taken}");
}

/// Whether `given` has all that `expected` has, addresses and session ids aside.
fn covers(given: &Value, expected: &Value, place: &str) {
    match (given, expected) {
        (Value::Object(given), Value::Object(expected)) => {
            for (name, expected) in expected {
                // What differs from company to company.
                let own = ["SessionId", "Version", "odata.metadata", "@odata.context", "DocNum", "FieldID"];
                if !own.contains(&name.as_str()) {
                    covers(given.get(name).unwrap_or(&Value::Null), expected, &format!("{place}/{name}"));
                }
            }
        }
        (Value::Array(given), Value::Array(expected)) => {
            assert!(given.len() >= expected.len(), "{place}");
            for (at, expected) in expected.iter().enumerate() {
                covers(&given[at], expected, &format!("{place}/{at}"));
            }
        }
        _ => assert_eq!(given, expected, "{place}"),
    }
}

#[tokio::test]
async fn recorded_exchanges_go_as_they_went() {
    let Some(folder) = service_layer_folder() else { return };
    for name in [
        "orders/create-order-manual.json",
        "business-partners/create-manual.json",
        "items/create-no-content.json",
        "items/etag-v2.json",
        "user-fields/create-udf.json",
        "session/login-v1.json",
        "session/logout.json",
    ] {
        let exchange = read(&folder.join(name));
        let (request, expected) = (&exchange["request"], &exchange["response"]);
        let options = SandboxOptions { company_db: "US506".into(), ..options() };
        let sandbox = Sandbox::start(options.clone()).await.unwrap();
        let caller = Caller::new(&sandbox, &options).await;
        if request["method"] == "GET" {
            let item = json!({ "ItemCode": "i002" });
            assert_eq!(caller.post("/b1s/v1/Items", &item).await.status, 201);
        }
        let headers = request["headers"].as_object().into_iter().flatten().filter(|(name, _)| *name != "Cookie");
        let headers: Vec<(&str, &str)> =
            headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let body = if request["body"].is_null() { String::new() } else { request["body"].to_string() };
        let method = request["method"].as_str().unwrap();
        let got = caller.send(method, request["path"].as_str().unwrap(), &headers, body).await;
        assert_eq!(u64::from(got.status.as_u16()), expected["status"].as_u64().unwrap(), "{name}");
        let expected_headers = expected["headers"].as_object().into_iter().flatten();
        for (header, value) in expected_headers.filter(|(header, _)| *header != "Set-Cookie") {
            assert_eq!(got.headers[header.as_str()].to_str().unwrap(), value, "{name}: {header}");
        }
        if expected["body"].is_null() {
            assert!(got.body.is_empty(), "{name}");
        } else {
            covers(&serde_json::from_slice(&got.body).unwrap(), &expected["body"], name);
        }
    }
}

#[tokio::test]
async fn recorded_errors_come_word_for_word() {
    let Some(folder) = service_layer_folder() else { return };
    let mut compared = 0;
    for entry in std::fs::read_dir(folder.join("errors")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let options = options();
        let sandbox = Sandbox::start(options.clone()).await.unwrap();
        let mut caller = Caller::new(&sandbox, &options).await;
        let partner = json!({ "CardCode": "c1" });
        assert_eq!(caller.post("/b1s/v1/BusinessPartners", &partner).await.status, 201);
        let stale = [("if-match", "W/\"0\"")];
        let got = match name {
            "v1-400-10-duplicate-partner.json" => caller.post("/b1s/v1/BusinessPartners", &partner).await,
            "v1-400-5006-not-supported.json" => caller.send("DELETE", "/b1s/v1/Orders(1)", &[], String::new()).await,
            "v1-401-301-session-timeout.json" => {
                caller.cookies.clear();
                caller.send("GET", "/b1s/v1/Orders", &[], String::new()).await
            }
            "v1-404-2028-no-matching-records.json" => caller.send("GET", "/b1s/v1/Orders(1)", &[], String::new()).await,
            "v2-404-2028-no-matching-records.json" => caller.send("GET", "/b1s/v2/Orders(1)", &[], String::new()).await,
            "v2-412-2039-etag-mismatch.json" => {
                let change = json!({ "CardName": "x" }).to_string();
                caller.send("PATCH", "/b1s/v2/BusinessPartners('c1')", &stale, change).await
            }
            // Of stored queries, which the sandbox does not have.
            "v1-400-702-table-not-allowed.json" => continue,
            // Of what is not asked for here.
            _ => continue,
        };
        let expected = read(&path);
        assert_eq!(u64::from(got.status.as_u16()), expected["status"].as_u64().unwrap(), "{name}");
        assert_eq!(serde_json::from_slice::<Value>(&got.body).unwrap(), expected["body"], "{name}");
        compared += 1;
    }
    assert!(compared >= 6, "{compared}");
}

/// The lines of a batch answer that tell how it went: statuses, ids, places.
fn outline(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.replace(": ", ":"));
    let telling = lines.filter_map(|line| {
        let place = line.split_once("/b1s/").map(|(_, path)| format!("Location:/b1s/{path}"));
        let other = ["HTTP/1.1 ", "Content-ID:", "Content-Type:application/http", "Content-Transfer-Encoding:"];
        if line.starts_with("Location:") {
            place
        } else {
            other.iter().any(|start| line.starts_with(start)).then_some(line)
        }
    });
    telling.collect()
}

#[tokio::test]
async fn recorded_batches_go_as_they_went() {
    let Some(folder) = service_layer_folder() else { return };
    let options = options();
    let sandbox = Sandbox::start(options.clone()).await.unwrap();
    let caller = Caller::new(&sandbox, &options).await;
    assert_eq!(caller.post("/b1s/v1/Items", &json!({ "ItemCode": "i001" })).await.status, 201);
    let text = |name: &str| std::fs::read_to_string(folder.join("batch").join(name)).unwrap();
    let request = text("request-query-and-changeset.http");
    let boundary = request.lines().next().unwrap().trim_start_matches("--").to_owned();
    let kind = format!("multipart/mixed;boundary={boundary}");
    let got = caller.send("POST", "/b1s/v1/$batch", &[("content-type", &kind)], request).await;
    assert_eq!(got.status, 202);
    let given = std::str::from_utf8(&got.body).unwrap();
    assert_eq!(outline(given), outline(&text("response-202-ok.http")));
    let changed = caller.send("GET", "/b1s/v1/Items('i002')/ItemName", &[], String::new()).await;
    assert_eq!(serde_json::from_slice::<Value>(&changed.body).unwrap(), json!({ "value": "Item2 changed" }));

    let change = json!({
        "CardCode": "c1", "DocDueDate": "2026-01-01", "TransportationCode": 99, "DocumentLines": [{ "ItemCode": "i" }],
    });
    let set = format!(
        "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\
         Content-Transfer-Encoding: binary\r\nContent-ID: 12\r\n\r\nPOST /b1s/v2/Orders\r\n\r\n{change}\r\n--c--\r\n--b--"
    );
    let kind = [("content-type", "multipart/mixed;boundary=b")];
    let got = caller.send("POST", "/b1s/v2/$batch", &kind, set).await;
    assert_eq!(got.status, 200);
    let recorded = text("response-v2-change-failed-404.http");
    let given = std::str::from_utf8(&got.body).unwrap();
    assert_eq!(outline(given), outline(&recorded));
    let body = |text: &str| -> Value {
        let json = &text[text.find('{').unwrap()..=text.rfind('}').unwrap()];
        serde_json::from_str(json).unwrap()
    };
    assert_eq!(body(given), body(&recorded));
}

#[tokio::test]
async fn the_recorded_link_to_the_next_page() {
    let Some(folder) = service_layer_folder() else { return };
    let exchange = read(&folder.join("paging/orders-page-v1.json"));
    let options = options();
    let sandbox = Sandbox::start(options.clone()).await.unwrap();
    let caller = Caller::new(&sandbox, &options).await;
    sandbox.set_faults(Faults { next_link: NextLink::Absolute, ..Faults::default() });
    for _ in 0..21 {
        let order = json!({ "CardCode": "c", "DocDueDate": "2026-01-01", "DocumentLines": [{ "ItemCode": "i" }] });
        assert_eq!(caller.post("/b1s/v1/Orders", &order).await.status, 201);
    }
    let got = caller.send("GET", exchange["request"]["path"].as_str().unwrap(), &[], String::new()).await;
    let page: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(page["odata.nextLink"], exchange["response"]["body"]["odata.nextLink"]);
    let nothing = caller.send("GET", "/b1s/v1/Orders(1)/DocEntry", &[], String::new()).await;
    let expected = read(&folder.join("paging/count-of-nothing-v1.json"));
    assert_eq!(serde_json::from_slice::<Value>(&nothing.body).unwrap(), expected);
}
