//! Headers of every request, as a gateway before SAP B1 asks for one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use datawald_core::ErrorKind;
use datawald_core::http::{Answered, Broken, Carried, Transport};
use sapb1_connector::sandbox::{B1Sandbox, COMPANY_DB, Company, LOGIN, Way};
use sapb1_connector::{B1Agency, B1Api, RestfulClient, RestfulSettings, ServiceLayerClient, ServiceLayerSettings};
use secrecy::SecretString;
use tower::ServiceExt;

use crate::common::*;

/// Lets nobody through who does not show what it asks for.
#[derive(Debug)]
struct Gate(Mutex<Router>);

#[async_trait]
impl Transport for Gate {
    async fn exchange(&self, request: Carried) -> Result<Answered, Broken> {
        let router = self.0.lock().unwrap().clone();
        assert_eq!(request.headers["x-gate"], "s3cret", "{}", request.url.path());
        assert_eq!(request.headers["user-agent"], "shop-sync", "{}", request.url.path());
        let mut made = axum::http::Request::builder().method(request.method).uri(request.url.as_str());
        *made.headers_mut().unwrap() = request.headers;
        let response = router.oneshot(made.body(Body::from(request.body.unwrap_or_default())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Ok(Answered { status: parts.status, headers: parts.headers, body })
    }
}

fn headers(name: &str) -> BTreeMap<String, SecretString> {
    [(name, "s3cret"), ("User-Agent", "shop-sync")].map(|(name, value)| (name.to_owned(), value.into())).into()
}

fn restful(url: &str) -> RestfulSettings {
    RestfulSettings::new(url, LOGIN.0, LOGIN.1.into(), &settings("")).unwrap()
}

fn service_layer(url: &str) -> ServiceLayerSettings {
    ServiceLayerSettings::new(url, COMPANY_DB, LOGIN.0, LOGIN.1.into(), &settings("")).unwrap()
}

#[tokio::test]
async fn every_request_has_the_configured_headers() {
    for way in Way::ALL {
        let (sandbox, router) = B1Sandbox::in_process(way, Company::default());
        let gate = Some(Arc::new(Gate(Mutex::new(router))) as Arc<dyn Transport>);
        let api: Arc<dyn B1Api> = match way {
            Way::Restful => {
                let mut settings = restful(&sandbox.url());
                settings.add_headers(&headers("X-Gate")).unwrap();
                settings.http.transport = gate;
                assert!(!format!("{settings:?}").contains("s3cret"));
                Arc::new(RestfulClient::new(settings).unwrap())
            }
            Way::ServiceLayer => {
                let mut settings = service_layer(&sandbox.url());
                settings.add_headers(&headers("X-Gate")).unwrap();
                settings.http.transport = gate;
                assert!(!format!("{settings:?}").contains("s3cret"));
                Arc::new(ServiceLayerClient::new(settings).unwrap())
            }
        };
        let agency = B1Agency::new(api, settings(""));
        let doc = prepare(&agency, &cx(), &plain_order("1")).await.unwrap();
        agency.api().insert(&cx(), &[doc]).await.unwrap().remove(0).unwrap();
        assert_eq!(agency.api().look_up(&cx(), &references(["1"])).await.unwrap()[0].len(), 1);
        agency.api().close().await;
        assert_eq!(sandbox.counters().documents, 1);
    }
}

#[test]
fn headers_that_the_connection_sets_itself_are_refused_by_name() {
    let url = "http://b1.example.com";
    for name in ["Host", "X Gate", "content-type", "Authorization"] {
        let error = restful(url).add_headers(&headers(name)).unwrap_err();
        assert_eq!((error.kind(), error.field_path()), (ErrorKind::Config, Some(&*format!("headers.{name}"))));
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    for name in ["Host", "X Gate", "content-type", "Cookie", "prefer"] {
        let error = service_layer(url).add_headers(&headers(name)).unwrap_err();
        assert_eq!((error.kind(), error.field_path()), (ErrorKind::Config, Some(&*format!("headers.{name}"))));
    }
    // A gateway may ask for HTTP Basic, which the Service Layer has no use for.
    service_layer(url).add_headers(&headers("Authorization")).unwrap();
}
