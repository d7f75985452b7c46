//! A plain caller, which knows nothing of the client under `src`.

use std::sync::Arc;

use datawald_core::http::{Http, HttpRequest, HttpResponse, HttpSettings};
use datawald_core::{Effect, ManualClock};
use http::header::{HeaderName, HeaderValue};
use sapb1_connector::sandbox::service_layer::{Faults, Sandbox, SandboxOptions};
use serde_json::{Value, json};

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-01-31T10:00:00Z".parse().unwrap()))
}

pub(crate) fn options() -> SandboxOptions {
    SandboxOptions { clock: clock(), ..SandboxOptions::default() }
}

/// An answer.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) response: HttpResponse,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.response.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.response.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        Some(self.response.headers.get(name)?.to_str().unwrap())
    }

    /// Status and code, in either shape.
    pub(crate) fn refusal(&self) -> (u16, i64) {
        let body = self.json();
        let code = &body["error"]["code"];
        (self.status, code.as_i64().unwrap_or_else(|| code.as_str().unwrap().parse().unwrap()))
    }
}

pub(crate) struct Caller {
    http: Http,
    pub(crate) root: &'static str,
    pub(crate) cookies: Option<String>,
}

impl Caller {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        Self::trusting(sandbox, None)
    }

    pub(crate) fn trusting(sandbox: &Sandbox, certificate: Option<String>) -> Self {
        let settings = HttpSettings { extra_ca_pem: certificate, ..HttpSettings::new(&sandbox.url()).unwrap() };
        Self { http: Http::new(settings).unwrap(), root: "b1s/v1/", cookies: None }
    }

    pub(crate) async fn logged_in(sandbox: &Sandbox) -> Self {
        let mut caller = Self::new(sandbox);
        assert_eq!(caller.log_in().await.status, 200);
        caller
    }

    pub(crate) fn v2(mut self) -> Self {
        self.root = "b1s/v2/";
        self
    }

    pub(crate) async fn log_in(&mut self) -> Got {
        let body = json!({ "CompanyDB": "SBODEMOUS", "UserName": "manager", "Password": "1234" });
        let got = self.call("POST", "Login", Some(body)).await;
        let cookies = got.response.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
        let pairs: Vec<&str> = cookies.map(|cookie| cookie.split(';').next().unwrap()).collect();
        if got.status == 200 {
            self.cookies = Some(pairs.join("; "));
        }
        got
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        self.call_with(method, path, body, &[]).await
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Got {
        self.call("POST", path, Some(body)).await
    }

    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Got {
        let body = body.map(|body| body.to_string());
        self.send(method, path, body, headers).await.unwrap()
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> datawald_core::Result<Got> {
        let url = self.http.url(&format!("{}{path}", self.root)).unwrap();
        let mut request = HttpRequest::new("test", Effect::Read, method.parse().unwrap(), url);
        request.body = body.map(Into::into);
        for (name, value) in headers {
            request.headers.insert(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        if let Some(cookies) = &self.cookies {
            request.headers.insert("cookie", HeaderValue::from_str(cookies).unwrap());
        }
        let response = self.http.send(request).await?;
        Ok(Got { status: response.status.as_u16(), response })
    }
}

/// A sandbox and somebody logged in.
pub(crate) async fn start(options: SandboxOptions) -> (Sandbox, Caller) {
    let sandbox = Sandbox::start(options).await.unwrap();
    let caller = Caller::logged_in(&sandbox).await;
    (sandbox, caller)
}

/// An order of 396.87: two lines with 8.25 %, freight without tax.
pub(crate) fn order(number: &str) -> Value {
    json!({
        "CardCode": "C20000", "DocDueDate": "2026-02-07", "NumAtCard": number, "TransportationCode": 1,
        "PaymentMethod": "Check",
        "AddressExtension": { "ShipToStreet": "1 Main St", "ShipToCity": "Los Angeles", "ShipToCountry": "US" },
        "DocumentLines": [
            { "ItemCode": "A", "Quantity": 3, "UnitPrice": 46, "TaxCode": "CA" },
            { "ItemCode": "B", "Quantity": "1", "LineTotal": 224, "TaxCode": "CA" },
        ],
        "DocumentAdditionalExpenses": [{ "ExpenseCode": 1, "LineTotal": 5, "TaxCode": "EX" }],
    })
}

pub(crate) async fn add(caller: &Caller, number: &str) -> i64 {
    let got = caller.post("Orders", order(number)).await;
    assert_eq!(got.status, 201, "{}", got.text());
    got.json()["DocEntry"].as_i64().unwrap()
}

pub(crate) fn faults(set: impl FnOnce(&mut Faults)) -> Faults {
    let mut faults = Faults::default();
    set(&mut faults);
    faults
}
