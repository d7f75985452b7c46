//! The client of the Service Layer against the reference data, which nobody in this project wrote: every recorded answer is
//! understood, and every request that the client can send holds against the metadata.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use datawald_backoffice::{NativeLine, NativeOrder, Reference};
use datawald_core::http::{Http, HttpRequest, HttpSettings};
use datawald_core::model::{FlowId, Table};
use datawald_core::{Cx, Effect};
use datawald_tests::{elements, service_layer_folder};
use sapb1_connector::sandbox::service_layer::{Faults, Sandbox, SandboxOptions};
use sapb1_connector::service_layer::answer::{LoggedIn, Marks, Page};
use sapb1_connector::service_layer::any_input::Parser;
use sapb1_connector::service_layer::batch::{Answer, read};
use sapb1_connector::service_layer::error::Problem;
use sapb1_connector::service_layer::{Root, TaxTable};
use sapb1_connector::{B1Api, B1Partner, B1Settings, Changed, NewPartner, ServiceLayerClient, ServiceLayerSettings};
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
        if !name.ends_with(".json") || name.starts_with("openapi/") || name.starts_with("requests/") {
            continue;
        }
        let recorded: Value = serde_json::from_slice(&text).unwrap();
        let body = body_of(&recorded);
        if body.is_null() {
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
    assert!(entities >= 15 && pages >= 8 && errors == 7 && batches == 2 && logins == 3, "{entities} {pages}");
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

/// Recordings beside those that the client does not ask for.
const UNREAD: [&str; 6] = [
    "master/chart-of-accounts-100000.json",
    "master/tr-price-lists.json",
    "master/tr-projects-page.json",
    "master/tr-sales-persons-page.json",
    "master/tr-warehouses.json",
    "orders/preview-order-answer.json",
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
    for kind in ["business-partners", "master", "orders"] {
        for path in files(&folder.join(kind)) {
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
            let known = READ.iter().any(|(read, ..)| *read == name) || UNREAD.contains(&name);
            assert!(known, "{name} is read by nothing");
        }
    }
}

/// What the metadata says of names and types.
#[derive(Default)]
struct Metadata {
    /// Of each type its properties: what they hold, and whether they are written.
    types: BTreeMap<String, BTreeMap<String, (String, bool)>>,
    enumerations: BTreeMap<String, BTreeSet<String>>,
    sets: BTreeMap<String, String>,
    /// Actions with the names of their parameters.
    actions: BTreeMap<String, BTreeSet<String>>,
}

impl Metadata {
    fn read(xml: &str) -> Self {
        let mut made = Self::default();
        let mut current = String::new();
        for (kind, with) in elements(xml) {
            let attribute = |name: &str| with.get(name).cloned();
            let name = attribute("Name").unwrap_or_default();
            let held = |kind: &str| kind.replace("SAPB1.", "");
            match kind {
                "EntityType" | "ComplexType" => {
                    made.types.entry(name.clone()).or_default();
                    current = name;
                }
                "EnumType" => {
                    made.enumerations.entry(name.clone()).or_default();
                    current = name;
                }
                "Member" => {
                    made.enumerations.entry(current.clone()).or_default().insert(name);
                }
                "Property" => {
                    let written = attribute("Writable").as_deref() != Some("false");
                    let kind = held(&attribute("Type").unwrap());
                    // Collections and complex ones say nothing of writing, or that the list itself is not replaced.
                    let written = written || !kind.starts_with("Edm.");
                    made.types.entry(current.clone()).or_default().insert(name, (kind, written));
                }
                "EntitySet" => {
                    made.sets.insert(name, held(&attribute("EntityType").unwrap()));
                }
                "FunctionImport" => {
                    made.actions.entry(name.clone()).or_default();
                    current = name;
                }
                "Parameter" => {
                    made.actions.entry(current.clone()).or_default().insert(name);
                }
                _ => {}
            }
        }
        made
    }

    fn property(&self, of: &str, name: &str) -> Option<&(String, bool)> {
        self.types.get(of)?.get(name)
    }

    /// Checks a body as one of `of`.
    fn check(&self, of: &str, body: &Value, at: &str) {
        for (name, value) in body.as_object().unwrap_or_else(|| panic!("{at}: no object")) {
            let at = format!("{at}.{name}");
            if name.starts_with("U_") && of.starts_with("Document") {
                continue;
            }
            let (kind, written) = self.property(of, name).unwrap_or_else(|| panic!("{at}: {of} has no such property"));
            assert!(*written, "{at} is not written");
            self.check_value(kind, value, &at);
        }
    }

    fn check_value(&self, kind: &str, value: &Value, at: &str) {
        if let Some(of) = kind.strip_prefix("Collection(").and_then(|kind| kind.strip_suffix(')')) {
            value.as_array().unwrap_or_else(|| panic!("{at}: no list")).iter().for_each(|it| self.check(of, it, at));
        } else if let Some(names) = self.enumerations.get(kind) {
            assert!(names.contains(value.as_str().unwrap()), "{at}: {value} is none of {kind}");
        } else if self.types.contains_key(kind) {
            self.check(kind, value, at);
        } else {
            let holds = match kind {
                "Edm.String" => value.is_string(),
                "Edm.Int32" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
                "Edm.Double" => value.is_number(),
                "Edm.DateTime" => value.as_str().is_some_and(|text| text.len() == 10),
                other => panic!("{at}: unknown kind {other}"),
            };
            assert!(holds, "{at}: {value} is no {kind}");
        }
    }

    /// Checks a request below the service root; answers what it is, for counting.
    fn check_request(&self, method: &str, path: &str, body: Option<&Value>) -> String {
        let (path, options) = path.split_once('?').unwrap_or((path, ""));
        let at = format!("{method} {path}");
        let (name, rest) = path.split_at(path.find(['(', '/']).unwrap_or(path.len()));
        let Some(of) = self.sets.get(name) else {
            let parameters = self.actions.get(name).unwrap_or_else(|| panic!("{at}: no such set or action"));
            assert_eq!(method, "POST", "{at}");
            for parameter in body.and_then(Value::as_object).into_iter().flat_map(|body| body.keys()) {
                assert!(parameters.contains(parameter), "{at}: no parameter {parameter}");
            }
            return format!("{method} {name}");
        };
        let options = format!("http://x/?{options}");
        let options = reqwest::Url::parse(&options).unwrap();
        for (option, value) in options.query_pairs() {
            let names: Vec<String> = match &*option {
                "$select" => value.split(',').map(str::to_owned).collect(),
                "$orderby" => vec![value.into_owned()],
                "$filter" => {
                    // Without the texts in quotes, whoever stands before `eq` is a property.
                    let bare: String = value.split('\'').step_by(2).collect::<Vec<_>>().join("''");
                    let words: Vec<&str> = bare.split([' ', '(', ')']).filter(|word| !word.is_empty()).collect();
                    let pairs = words.windows(2).filter(|pair| pair[1] == "eq");
                    pairs.map(|pair| pair[0].to_owned()).collect()
                }
                other => panic!("{at}: the option {other} is not expected"),
            };
            assert!(!names.is_empty(), "{at}: {option}");
            for name in names.iter().filter(|name| !name.starts_with("U_")) {
                assert!(self.property(of, name).is_some(), "{at}: {of} has no {name}");
            }
        }
        let action = rest.rsplit_once(")/").map(|(_, action)| action);
        match (method, action) {
            ("POST", Some(action)) => {
                assert!(self.actions.contains_key(action) && body.is_none(), "{at}");
                return format!("POST {name}/{action}");
            }
            ("POST" | "PATCH", None) => self.check(of, body.unwrap_or_else(|| panic!("{at}: no body")), &at),
            ("GET", None) => assert!(body.is_none(), "{at}"),
            _ => panic!("{at}: not expected"),
        }
        format!("{method} {name}")
    }
}

type Seen = Arc<Mutex<Vec<(String, String, String)>>>;

/// A server between the client and the sandbox that keeps every request: method, path with query, body.
async fn between(sandbox: &Sandbox) -> (String, Seen) {
    let seen = Seen::default();
    let http = Http::new(HttpSettings::new(&sandbox.url()).unwrap()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(forward).with_state((http, seen.clone()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

async fn forward(State((http, seen)): State<(Http, Seen)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    let path = parts.uri.to_string();
    let text = String::from_utf8(body.to_vec()).unwrap();
    seen.lock().unwrap().push((parts.method.to_string(), path.clone(), text));
    let mut sent = HttpRequest::new("forward", Effect::Read, parts.method, http.url(&path).unwrap());
    sent.headers = parts.headers;
    for name in ["host", "content-length", "transfer-encoding"] {
        sent.headers.remove(name);
    }
    sent.body = Some(body);
    let answer = http.send(sent).await.unwrap();
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response.headers_mut().remove("transfer-encoding");
    response
}

fn order(number: &str, currency: &str, field: &str) -> NativeOrder {
    let mut doc = NativeOrder { reference: number.into(), ..NativeOrder::default() };
    let header = json!({
        "CardCode": "W77", "DocDueDate": "2026-02-07", field: number, "DocCurrency": currency,
        "DiscountPercent": "12.5", "TransportationCode": "UPS", "PaymentMethod": "Check",
        "DocumentAdditionalExpenses": [{ "ExpenseCode": "Freight", "LineTotal": "5.00", "TaxCode": "CA" }],
        "AddressExtension": { "BillToStreet": "6146 Honey Bluff Parkway", "BillToCity": "Calder", "BillToCounty": "",
            "BillToState": "CA", "BillToZipCode": "90089", "BillToCountry": "US", "ShipToStreet": "1 Road",
            "ShipToCity": "Calder", "ShipToCounty": "x", "ShipToState": "CA", "ShipToZipCode": "90089",
            "ShipToCountry": "US" },
        "ContactPerson": { "FirstName": "Veronica", "LastName": number, "E_Mail": format!("{number}@example.com"),
            "Phone1": "(555) 229-3326", "Company": "Costello & Co" },
        "ShipToPerson": { "FirstName": "V", "LastName": "C", "E_Mail": "", "Phone1": "", "Company": "" },
        "Comments": "by hand",
    });
    doc.header = header.as_object().unwrap().clone();
    let line =
        json!({ "ItemCode": "RACER", "Quantity": "2", "UnitPrice": "10.50", "TaxCode": "CA", "LineTotal": "21.00" });
    doc.lines.push(NativeLine { fields: line.as_object().unwrap().clone() });
    doc
}

/// Has a client do whatever it can.
async fn do_everything(sandbox: &Sandbox, url: &str, root: Root, tax_table: TaxTable) {
    let mut settings =
        ServiceLayerSettings::new(url, "SBODEMOUS", "manager", "1234".into(), &B1Settings::default()).unwrap();
    settings.set_root(root);
    settings.tax_table = tax_table;
    let client = ServiceLayerClient::new(settings).unwrap();
    let cx = Cx::new(FlowId::new(Table::Orders, "mage2"));
    let reference = |number: &str| Reference { field: None, value: number.to_owned() };
    client.info(&cx).await.unwrap();
    let (card_code, name) = ("W77".into(), "O'Neil".into());
    let person =
        NewPartner { first_name: "Sean".into(), last_name: "O'Neil".into(), phone: "1".into(), card_code, name };
    let make = Some(person);
    client.partners(&cx, &[B1Partner { email: "o'neil@example.com".into(), make }]).await.unwrap();
    let of_field = Reference { field: Some("U_WebOrder".into()), value: "O'Neil".into() };
    client.look_up(&cx, &[reference("a"), reference("b"), of_field]).await.unwrap();
    let faults = Faults { refuse_numbers: BTreeSet::from(["bad".to_owned()]), ..Faults::default() };
    sandbox.set_faults(faults);
    let docs = [
        order("a", "USD", "NumAtCard"),
        order("bad", "USD", "NumAtCard"),
        order("b", "EUR", "NumAtCard"),
        order("c", "USD", "U_WebOrder"),
    ];
    let made = client.insert(&cx, &docs).await.unwrap();
    let keys: Vec<&str> = made.iter().flatten().map(String::as_str).collect();
    assert_eq!(keys.len(), 3, "{made:?}");
    let mut change = NativeOrder::default();
    change.header.insert("AddressExtension".into(), docs[0].header["AddressExtension"].clone());
    assert_eq!(client.change(&cx, &[(keys[0], change)]).await.unwrap().remove(0).unwrap(), Changed::Done);
    client.cancel(&cx, &[(&reference("a"), keys[0])]).await.unwrap().remove(0).unwrap();
    client.close().await;
}

#[tokio::test]
async fn every_request_holds_against_the_metadata() {
    let Some(folder) = service_layer_folder() else { return };
    let metadata = Metadata::read(&std::fs::read_to_string(folder.join("metadata.xml")).unwrap());
    assert!(metadata.sets.len() > 250 && metadata.types.len() > 400, "{} sets", metadata.sets.len());
    let mut kinds = BTreeSet::new();
    for (root, tax_table) in [(Root::V1, TaxTable::SalesTaxCodes), (Root::V2, TaxTable::VatGroups)] {
        let customers = Some(BTreeSet::from(["C20000".to_owned()]));
        let sandbox = Sandbox::start(SandboxOptions { customers, ..SandboxOptions::default() }).await.unwrap();
        let (url, seen) = between(&sandbox).await;
        do_everything(&sandbox, &url, root, tax_table).await;
        for (method, path, body) in seen.lock().unwrap().iter() {
            let below = path.strip_prefix(root.path()).unwrap_or_else(|| panic!("{path}"));
            if below != "$batch" {
                let body = (!body.is_empty()).then(|| serde_json::from_str(body).unwrap());
                kinds.insert(metadata.check_request(method, below, body.as_ref()));
                continue;
            }
            // The bodies within are of one line each.
            let mut lines = body.lines().peekable();
            while let Some(line) = lines.next() {
                let Some((method, path)) = line.split_once(&format!(" {}", root.path())) else { continue };
                assert!(["GET", "POST", "PATCH"].contains(&method), "{line}");
                let mut inside = None;
                while let Some(line) = lines.next_if(|line| !line.starts_with("--")) {
                    inside = inside.or_else(|| line.starts_with('{').then(|| serde_json::from_str(line).unwrap()));
                }
                kinds.insert(metadata.check_request(method, path, inside.as_ref()));
            }
        }
    }
    let wanted = [
        "GET AdditionalExpenses",
        "GET BusinessPartners",
        "GET Currencies",
        "GET Drafts",
        "GET Items",
        "GET Orders",
        "GET SalesTaxCodes",
        "GET ShippingTypes",
        "GET VatGroups",
        "GET WizardPaymentMethods",
        "PATCH BusinessPartners",
        "PATCH Orders",
        "POST BusinessPartners",
        "POST CompanyService_GetAdminInfo",
        "POST CompanyService_GetCompanyInfo",
        "POST Login",
        "POST Logout",
        "POST Orders",
        "POST Orders/Cancel",
        "POST SBOBobService_GetCurrencyRate",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}
