//! The client of the Service Layer and the agency over it, against the sandbox Service Layer, at both roots.

mod currencies;
mod faults;
mod marks;
mod orders;
mod sessions;
mod texts;
mod tls;

use std::sync::Arc;

use datawald_backoffice::NativeOrder;
use datawald_core::http::{Http, HttpRequest, HttpSettings};
use datawald_core::{Effect, Result};
use http::Method;
use http::header::COOKIE;
use sapb1_connector::sandbox::service_layer::{Faults, Sandbox, SandboxOptions};
use sapb1_connector::service_layer::Root;
use sapb1_connector::{B1Agency, B1Settings, ServiceLayerClient, ServiceLayerSettings};
use serde_json::{Value, json};

use crate::common::{cx, plain_order, prepare, settings};

/// A sandbox, a client and an agency over it.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Arc<ServiceLayerClient>,
    pub(crate) agency: B1Agency,
}

pub(crate) const ROOTS: [Root; 2] = [Root::V1, Root::V2];

/// How to reach `sandbox`.
pub(crate) fn connection(sandbox: &Sandbox, rules: &B1Settings, root: Root) -> ServiceLayerSettings {
    let mut settings = ServiceLayerSettings::new(&sandbox.url(), "SBODEMOUS", "manager", "1234".into(), rules).unwrap();
    settings.set_root(root);
    settings
}

/// A world of its own, with what is changed of the sandbox, the rules and the connection.
pub(crate) async fn world(
    root: Root,
    options: SandboxOptions,
    rules: B1Settings,
    change: impl FnOnce(&mut ServiceLayerSettings),
) -> World {
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut connection = connection(&sandbox, &rules, root);
    change(&mut connection);
    let client = Arc::new(ServiceLayerClient::new(connection).unwrap());
    let agency = B1Agency::new(client.clone(), rules);
    World { sandbox, client, agency }
}

pub(crate) async fn plain(root: Root) -> World {
    world(root, SandboxOptions::default(), settings(""), |_| {}).await
}

impl World {
    /// Somebody at the ERP adds something, by a call of their own.
    pub(crate) async fn add(&self, set: &str, body: Value) {
        let http = Http::new(HttpSettings::new(&self.sandbox.url()).unwrap()).unwrap();
        let post = |path: &str, body: &Value| {
            let url = http.url(&format!("b1s/v2/{path}")).unwrap();
            HttpRequest::new("add", Effect::Read, Method::POST, url).json(body.to_string())
        };
        let user = json!({ "CompanyDB": "SBODEMOUS", "UserName": "manager", "Password": "1234" });
        let entered = http.send(post("Login", &user)).await.unwrap();
        let cookies = entered.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
        let cookies: Vec<&str> = cookies.map(|cookie| cookie.split(';').next().unwrap()).collect();
        let added = post(set, &body).secret_header(COOKIE, &cookies.join("; ")).unwrap();
        assert_eq!(http.send(added).await.unwrap().status, 201);
    }

    /// Documents under `1`, `2`, …, ready to be inserted.
    pub(crate) async fn documents(&self, count: usize) -> Vec<NativeOrder> {
        let mut docs = Vec::new();
        for i in 1..=count {
            docs.push(prepare(&self.agency, &cx(), &plain_order(&i.to_string())).await.unwrap());
        }
        docs
    }

    pub(crate) async fn insert(&self, docs: &[NativeOrder]) -> Vec<Result<String>> {
        use datawald_backoffice::Backoffice;
        self.agency.insert_orders(&cx(), docs).await.unwrap()
    }

    pub(crate) fn faults(&self, faults: Faults) {
        self.sandbox.set_faults(faults);
    }
}
