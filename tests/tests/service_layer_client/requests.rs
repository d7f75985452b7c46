//! What the client sends has only names that the metadata knows, holding what it says.

use std::collections::{BTreeMap, BTreeSet};
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
use sapb1_connector::service_layer::{Root, TaxTable};
use sapb1_connector::{B1Api, B1Partner, B1Settings, Changed, NewPartner, ServiceLayerClient, ServiceLayerSettings};
use serde_json::{Value, json};

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
        let options = url::Url::parse(&options).unwrap();
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
