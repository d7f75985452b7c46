//! What is peculiar to SAP B1 RESTful: its client, and the sandbox by the service's own examples.

mod client;
mod contract;
mod examples;
mod faults;

use std::sync::Arc;

use datawald_core::Effect;
use datawald_core::http::{Http, HttpRequest, HttpSettings};
use sapb1_connector::sandbox::restful::{Sandbox, SandboxOptions};
use sapb1_connector::{B1Agency, B1Settings, RestfulClient, RestfulSettings};
use secrecy::SecretString;

pub(crate) async fn sandbox() -> Sandbox {
    Sandbox::start(SandboxOptions::default()).await.unwrap()
}

pub(crate) fn client(sandbox: &Sandbox, settings: &B1Settings) -> RestfulClient {
    let password = SecretString::from("abcxyz");
    RestfulClient::new(RestfulSettings::new(&sandbox.url(), "user1", password, settings).unwrap()).unwrap()
}

pub(crate) fn agency(sandbox: &Sandbox, settings: B1Settings) -> B1Agency {
    B1Agency::new(Arc::new(client(sandbox, &settings)), settings)
}

/// Calls of the sandbox as they stand, without the client.
pub(crate) struct Raw {
    http: Http,
    token: Option<String>,
}

impl Raw {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        Self { http: Http::new(HttpSettings::new(&sandbox.url()).unwrap()).unwrap(), token: None }
    }

    pub(crate) async fn logged_in(sandbox: &Sandbox) -> Self {
        let mut raw = Self::new(sandbox);
        let (status, body) = raw.call("POST", "auth", Some(r#"{"username":"user1","password":"abcxyz"}"#)).await;
        assert_eq!(status, 200);
        raw.token = Some(format!("JWT {}", body["access_token"].as_str().unwrap()));
        raw
    }

    pub(crate) fn with_token(mut self, header: &str) -> Self {
        self.token = Some(header.to_owned());
        self
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&str>) -> (u16, serde_json::Value) {
        let url = self.http.url(path).unwrap();
        let mut request = HttpRequest::new("test", Effect::Read, method.parse().unwrap(), url);
        request.body = body.map(|body| body.to_owned().into());
        if let Some(token) = &self.token {
            request = request.secret_header(http::header::AUTHORIZATION, token).unwrap();
        }
        let response = self.http.send(request).await.unwrap();
        (response.status.as_u16(), response.json().unwrap())
    }
}
