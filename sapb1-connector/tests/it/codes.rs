//! Names, codes and rates that somebody sets up in SAP B1 while it is worked with.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use datawald_core::http::{Answered, Broken, Carried, Transport};
use datawald_core::{Clock, Disposition};
use jiff::SignedDuration;
use sapb1_connector::B1Agency;
use sapb1_connector::sandbox::{B1Sandbox, Company, Way};
use tower::ServiceExt;

use crate::common::*;

/// A company that becomes another one.
#[derive(Debug, Clone)]
struct Changing(Arc<Mutex<Router>>);

#[async_trait]
impl Transport for Changing {
    async fn exchange(&self, request: Carried) -> Result<Answered, Broken> {
        let router = self.0.lock().unwrap().clone();
        let mut made = axum::http::Request::builder().method(request.method).uri(request.url.as_str());
        *made.headers_mut().unwrap() = request.headers;
        let response = router.oneshot(made.body(Body::from(request.body.unwrap_or_default())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Ok(Answered { status: parts.status, headers: parts.headers, body })
    }
}

/// What stands there, what the order fails for, and what is set up for it.
struct Case {
    told: &'static str,
    field: &'static str,
    lacks: fn(&mut Company),
}

const CASES: [Case; 4] = [
    Case {
        told: "Freight",
        field: "DocumentAdditionalExpenses[0].ExpenseCode",
        lacks: |company| company.expenses.retain(|name| name != "Freight"),
    },
    Case {
        told: "Fedex ON",
        field: "TransportationCode",
        lacks: |company| company.transports.retain(|name| name != "Fedex ON"),
    },
    Case { told: "Check", field: "PaymentMethod", lacks: |company| company.payments.retain(|name| name != "Check") },
    Case {
        told: "CA",
        field: "DocumentLines[0].TaxCode",
        lacks: |company| company.tax_codes.retain(|(code, _)| code != "CA"),
    },
];

#[tokio::test]
async fn what_was_not_there_is_looked_for_again_a_minute_later() {
    for way in Way::ALL {
        for case in &CASES {
            let clock = clock();
            let mut company = Company { clock: clock.clone() as Arc<dyn Clock>, ..Company::default() };
            let whole = company.clone();
            (case.lacks)(&mut company);
            let (sandbox, router) = B1Sandbox::in_process(way, company);
            let changing = Changing(Arc::new(Mutex::new(router)));
            let rules = settings("");
            let api = sandbox.api_with_http(&rules, |http| http.transport = Some(Arc::new(changing.clone()))).unwrap();
            let agency = B1Agency::new(api, rules);
            let cx = cx_at(&clock);

            let error = prepare(&agency, &cx, &plain_order("1")).await.unwrap_err();
            assert_eq!(error.disposition(), Disposition::Rejected, "{error}");
            assert!(error.field_path() == Some(case.field) && error.message().contains(case.told), "{way:?}: {error}");

            // Somebody sets it up.
            let (after, router) = B1Sandbox::in_process(way, whole);
            *changing.0.lock().unwrap() = router;
            clock.advance(SignedDuration::from_secs(59));
            for number in 2..12 {
                let error = prepare(&agency, &cx, &plain_order(&number.to_string())).await.unwrap_err();
                assert_eq!(error.field_path(), Some(case.field), "asked for within this minute already");
            }
            assert_eq!(after.counters().requests, 0);
            clock.advance(SignedDuration::from_secs(1));
            let doc = prepare(&agency, &cx, &plain_order("12")).await.unwrap();
            let asked = after.counters().requests;
            agency.api().insert(&cx, &[doc]).await.unwrap().remove(0).unwrap();
            let doc = prepare(&agency, &cx, &plain_order("13")).await.unwrap();
            agency.api().insert(&cx, &[doc]).await.unwrap().remove(0).unwrap();
            assert!(asked <= 20, "{way:?}: {asked} requests for one look at the tables");
        }
    }
}

/// A rate that was corrected there changes what the document comes to.
#[tokio::test]
async fn a_rate_that_was_corrected_counts_a_minute_later() {
    for way in Way::ALL {
        let clock = clock();
        let mut company = Company { clock: clock.clone() as Arc<dyn Clock>, ..Company::default() };
        let whole = company.clone();
        company.tax_codes.iter_mut().filter(|(code, _)| code == "CA").for_each(|(_, rate)| *rate = money("9"));
        let (sandbox, router) = B1Sandbox::in_process(way, company);
        let changing = Changing(Arc::new(Mutex::new(router)));
        let rules = settings("");
        let api = sandbox.api_with_http(&rules, |http| http.transport = Some(Arc::new(changing.clone()))).unwrap();
        let (agency, cx) = (B1Agency::new(api, rules), cx_at(&clock));
        let error = prepare(&agency, &cx, &plain_order("1")).await.unwrap_err();
        assert!(error.message().contains("9 % in SAP B1"), "{error}");
        *changing.0.lock().unwrap() = B1Sandbox::in_process(way, whole).1;
        clock.advance(SignedDuration::from_secs(60));
        prepare(&agency, &cx, &plain_order("2")).await.unwrap();
    }
}
