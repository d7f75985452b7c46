//! What was recorded is understood, and read for what it is by what reads it in the client.

use std::path::{Path, PathBuf};

use datawald_tests::service_layer_folder;
use sapb1_connector::service_layer::answer::{LoggedIn, Marks, Page};
use sapb1_connector::service_layer::any_input::Parser;
use sapb1_connector::service_layer::batch::{Answer, read};
use sapb1_connector::service_layer::error::Problem;
use serde_json::{Value, json};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// What was answered: a recording is the exchange, or a status and a body, or the body alone.
fn body_of(recorded: &Value) -> &Value {
    let answer = recorded.get("response").unwrap_or(recorded);
    if answer.get("status").is_some() { &answer["body"] } else { answer }
}

#[test]
fn every_recorded_answer_error_and_batch_is_understood() {
    let Some(folder) = service_layer_folder() else { return };
    let (mut entities, mut pages, mut errors, mut batches, mut logins) = (0, 0, 0, 0, 0);
    for path in files(&folder) {
        let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read(&path).unwrap();
        if name.starts_with("batch/response") {
            let answers = read(None, &text).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let parts = answers.iter().map(|answer| match answer {
                Answer::One(part) => (1, u64::from(part.is_success())),
                Answer::Set(parts) => (parts.len(), parts.iter().filter(|part| part.is_success()).count() as u64),
            });
            let (parts, good) = parts.fold((0, 0), |(all, good), (a, b)| (all + a, good + b));
            let wanted = if name.contains("failed") { (1, 0) } else { (3, 3) };
            assert_eq!((parts, good), wanted, "{name}");
            if let (true, Some(Answer::One(part))) = (name.contains("failed"), answers.first()) {
                assert_eq!((part.status, part.content_id), (404, Some("12")));
                assert_eq!(Problem::read(part.body).unwrap().code, -2028);
            }
            batches += 1;
            continue;
        }
        // What is recorded of other things is not asked for yet.
        let asked_for = ["batch/", "business-partners/", "errors/", "master/", "orders/", "session/"];
        if !name.ends_with(".json") || !asked_for.iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        let recorded: Value = serde_json::from_slice(&text).unwrap();
        let body = body_of(&recorded);
        if !body.is_object() || name.starts_with("errors/html") {
            continue;
        }
        let bytes = serde_json::to_vec(body).unwrap();
        if name.starts_with("errors/") {
            // errors/v1-400-10-duplicate-partner.json
            let code: i64 = name.split('-').nth(2).unwrap().parse().unwrap();
            let problem = Problem::read(&bytes).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(problem.code.abs(), code, "{name}");
            assert!(!problem.text.is_empty(), "{name}");
            errors += 1;
        } else if body.get("SessionId").is_some() {
            let logged_in = LoggedIn::read(&bytes).unwrap();
            assert!(logged_in.session_timeout >= 30 && !logged_in.version.is_empty(), "{name}");
            logins += 1;
        } else if let Some(rows) = body.get("value").and_then(Value::as_array) {
            let page = Page::<Value>::read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(page.value.len(), rows.len(), "{name}");
            let linked = String::from_utf8_lossy(&bytes).contains("odata.nextLink");
            assert_eq!(page.next_link.is_some(), linked, "{name}");
            for root in ["https://b1.example.com:50000/b1s/v1/", "https://proxy.example.com/sap/b1s/v2/"] {
                let root = root.parse().unwrap();
                if let Some(link) = &page.next_link {
                    let url = sapb1_connector::service_layer::link::resolve(&root, link).unwrap();
                    assert!(url.as_str().starts_with(root.as_str()) && url.as_str().contains("skip="), "{name}: {url}");
                }
            }
            pages += 1;
        } else {
            let marks = Marks::read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            let marked = String::from_utf8_lossy(&bytes).contains("odata.etag");
            assert_eq!(marks.etag.is_some(), marked, "{name}");
            assert_eq!(marks.null, name.contains("of-nothing"), "{name}");
            entities += 1;
        }
    }
    assert!(entities >= 15 && pages >= 8 && errors >= 7 && batches >= 2 && logins >= 3, "{entities} {pages}");
}

/// Recordings of what the client asks for, with what reads them there and what it makes of them. Where the client reads a
/// page and one entity was recorded, it is read as the only one of a page.
const READ: [(&str, Parser, &str); 15] = [
    ("business-partners/create-manual.json", Parser::Customers, "c1 None"),
    ("business-partners/us-bp-STOP002-contact.json", Parser::Contacts, "STOP002 Some(\"Check 0110\")"),
    ("business-partners/us-bp-STOP002-contact.json", Parser::Customers, "STOP002 Some(\"yaavlk.ab@example.com\")"),
    (
        "business-partners/us-bp-create-two-addresses.json",
        Parser::Customers,
        "165120 Some(\"yluda.spblt@example.com\")",
    ),
    ("master/tr-admin-info-cut.json", Parser::AdminInfo, "TRY"),
    (
        "master/tr-currencies-page.json",
        Parser::Currencies,
        // By what is printed where no code is that; of several with one print, that whose code it is.
        "AUD AUD, BGN BGN, CAD CAD, CHF CHG, CHG CHG, DKK DKK, EUR EUR, EUX EUX, EUY EUY, EUZ EUZ, GBP GBP, GBX GBX, GBY GBY, \
         GBZ GBZ, IRR IRR, JPY JPY, KWD KWD, NOK NOK, RON RON, RUB RUB, SAR SAR",
    ),
    ("master/us-sales-tax-code.json", Parser::SalesTaxes, "IMST Some(\"5\")"),
    ("orders/create-order-manual.json", Parser::Made, "22"),
    ("orders/tr-order-7361-usd-open-nine-lines.json", Parser::Documents, "7361 cancelled false closed false"),
    ("orders/tr-order-7361-usd-open-nine-lines.json", Parser::Made, "7361"),
    (
        "orders/tr-order-7361-usd-open-nine-lines.json",
        Parser::Open,
        "Some(Some(\"W/\\\"22D200F8670DBDB3E253A90EEE5098477C95C23D\\\"\"))",
    ),
    ("orders/tr-order-7363-eur-closed.json", Parser::Documents, "7363 cancelled false closed true"),
    ("orders/tr-order-7363-eur-closed.json", Parser::Open, "None"),
    ("orders/us-order-162-freight.json", Parser::Made, "162"),
    ("orders/us-order-39-address-extension.json", Parser::Made, "39"),
];

#[test]
fn what_the_client_asks_for_is_read_of_recordings_by_what_reads_it_there() {
    let Some(folder) = service_layer_folder() else { return };
    for (name, parser, wanted) in READ {
        let recorded: Value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let body = body_of(&recorded);
        let reads_page =
            matches!(parser, Parser::Customers | Parser::Currencies | Parser::SalesTaxes | Parser::Documents);
        let alone = reads_page && body.get("value").is_none();
        let bytes = if alone { json!({ "value": [body] }) } else { body.clone() }.to_string();
        let told = parser.told(bytes.as_bytes()).unwrap_or_else(|| panic!("{name} is not understood as {parser:?}"));
        assert_eq!(told.join(", "), wanted, "{name} as {parser:?}");
    }
}
