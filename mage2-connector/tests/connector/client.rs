//! Ways to log in.

use datawald_core::engine::FetchQuery;
use datawald_core::{Disposition, ErrorKind};
use futures::future::join_all;
use jiff::SignedDuration;
use mage2_connector::sandbox::{EveryNth, Faults, OrderSet, Sandbox, SandboxOptions};
use mage2_connector::{AdminLogin, Condition, Credentials, Mage2Client, Mage2Settings, OAuth1Keys, SearchCriteria};
use secrecy::SecretString;

use crate::common::*;

fn admin(sandbox: &Sandbox, password: &str) -> Mage2Settings {
    let login = AdminLogin { username: "admin".to_owned(), password: SecretString::from(password.to_owned()) };
    Mage2Settings::new(sandbox.url(), Credentials::Admin(login))
}

fn keys() -> OAuth1Keys {
    OAuth1Keys {
        consumer_key: "ck&1".to_owned(),
        consumer_secret: SecretString::from("cs=2".to_owned()),
        access_token: SecretString::from("at 3".to_owned()),
        access_token_secret: SecretString::from("as+4".to_owned()),
    }
}

async fn with_oauth() -> Sandbox {
    let options = SandboxOptions { orders: OrderSet::Fixtures, oauth: Some(keys()), ..Default::default() };
    Sandbox::start(options).await.unwrap()
}

#[tokio::test]
async fn bearer() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    for store in [None, Some("default".to_owned()), Some("all".to_owned())] {
        let client = Mage2Client::new(Mage2Settings { store, ..settings(&sandbox) }).unwrap();
        assert_eq!(client.orders_page(&all(5)).await.unwrap().docs.len(), 5);
    }
}

#[tokio::test]
async fn a_wrong_token_is_told_in_magentos_words() {
    let sandbox = sandbox(OrderSet::Empty).await;
    let client = Mage2Client::new(Mage2Settings::bearer(sandbox.url(), "wrong-s3cret")).unwrap();
    let error = client.orders_page(&all(5)).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
    assert!(error.to_string().contains("isn't authorized to access Magento_Sales::actions_view"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"));
    assert_eq!(sandbox.counters().unauthorized, 1);
}

#[tokio::test]
async fn a_token_that_no_header_can_carry() {
    let sandbox = sandbox(OrderSet::Empty).await;
    let client = Mage2Client::new(Mage2Settings::bearer(sandbox.url(), "s3cret\n")).unwrap();
    let error = client.orders_page(&all(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test]
async fn many_requests_share_one_log_in() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    let client = Mage2Client::new(admin(&sandbox, "sandbox-password")).unwrap();
    let query = all(3);
    let pages = join_all((0..20).map(|_| client.orders_page(&query))).await;
    assert!(pages.into_iter().all(|page| page.is_ok()));
    let counters = sandbox.counters();
    assert_eq!((counters.token_requests, counters.pages_served), (1, 20));
}

#[tokio::test]
async fn the_admin_token_is_renewed_before_its_end() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    let clock = clock();
    let client = on_clock(admin(&sandbox, "sandbox-password"), &clock);
    let mut logged_in = Vec::new();
    for minutes in [0, 120, 114, 2, 230, 10] {
        clock.advance(SignedDuration::from_mins(minutes));
        client.orders_page(&all(3)).await.unwrap();
        logged_in.push(sandbox.counters().token_requests);
    }
    // At 0, then at 3:56, then at 3:56 + 4:00.
    assert_eq!(logged_in, [1, 1, 1, 2, 2, 3]);
    assert_eq!(sandbox.counters().unauthorized, 0);
}

#[tokio::test]
async fn a_token_that_ends_early_is_renewed_once() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    sandbox.set_faults(Faults { expire_token_after: Some(2), ..Faults::default() });
    let client = Mage2Client::new(admin(&sandbox, "sandbox-password")).unwrap();
    for _ in 0..5 {
        client.orders_page(&all(3)).await.unwrap();
    }
    let counters = sandbox.counters();
    assert_eq!((counters.token_requests, counters.unauthorized, counters.pages_served), (3, 2, 5));
}

#[tokio::test]
async fn a_token_that_is_refused_again_is_given_up() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    sandbox.set_faults(Faults { expire_token_after: Some(0), ..Faults::default() });
    let client = Mage2Client::new(admin(&sandbox, "sandbox-password")).unwrap();
    let error = client.orders_page(&all(3)).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
    assert_eq!((sandbox.counters().token_requests, sandbox.counters().requests), (2, 4));
}

/// Orders, tasks and a health check ask all the time; Magento locks the user after the sixth refusal.
#[tokio::test]
async fn a_wrong_password_does_not_lock_the_user() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    let clock = clock();
    let client = on_clock(admin(&sandbox, "wrong-s3cret"), &clock);
    let mut log_ins = Vec::new();
    for seconds in [0, 1, 29, 30, 130, 800, 850] {
        clock.advance(SignedDuration::from_secs(seconds));
        for _ in 0..5 {
            let error = client.orders_page(&all(3)).await.unwrap_err();
            assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
            assert!(error.to_string().contains("sign-in was incorrect"), "{error}");
            assert!(error.to_string().contains("tried again from 2026-01-31T10:"), "{error}");
            assert!(!format!("{error:?}{}", error.report()).contains("s3cret"));
        }
        log_ins.push(sandbox.counters().token_requests);
    }
    // After 0 s, 1 s, 30 s, 60 s, 190 s, 16 and 30 minutes.
    assert_eq!(log_ins, [1, 1, 2, 2, 3, 4, 4]);
    assert_eq!(sandbox.counters().requests, 4);
}

/// What is no refusal holds nothing back.
#[tokio::test]
async fn a_log_in_that_is_not_answered_is_made_again() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    let nth = Some(EveryNth { every: 1, retry_after_secs: Some(1) });
    sandbox.set_faults(Faults { unavailable: nth, ..Faults::default() });
    let client = Mage2Client::new(admin(&sandbox, "sandbox-password")).unwrap();
    assert_eq!(client.orders_page(&all(3)).await.unwrap_err().kind(), ErrorKind::Busy);
    sandbox.set_faults(Faults::default());
    assert_eq!(client.orders_page(&all(3)).await.unwrap().docs.len(), 3);
}

#[tokio::test]
async fn oauth_signs_every_request() {
    let sandbox = with_oauth().await;
    let client = Mage2Client::new(Mage2Settings::new(sandbox.url(), Credentials::OAuth1(keys()))).unwrap();
    let from = Some("2026-01-01T00:00:00Z".parse().unwrap());
    let page = client.orders_page(&FetchQuery { from, after: None, page_size: 7 }).await.unwrap();
    let next = FetchQuery { from, after: page.next, page_size: 7 };
    // The last order of the first page comes again, and is dropped.
    assert_eq!(client.orders_page(&next).await.unwrap().docs.len(), 6);
    assert!(client.order(101).await.unwrap().text().contains("000000101"));
    // Values with everything that is encoded.
    let criteria = SearchCriteria::new().and("status", Condition::In, "a b,c+d&e=f/g%h,é,*~").page_size(1);
    client.search("search", "orders", &criteria).await.unwrap();
    assert_eq!(sandbox.counters().unauthorized, 0);
}

#[tokio::test]
async fn a_wrong_oauth_key_is_told() {
    let sandbox = with_oauth().await;
    let wrong = OAuth1Keys { consumer_secret: SecretString::from("wrong-s3cret".to_owned()), ..keys() };
    let client = Mage2Client::new(Mage2Settings::new(sandbox.url(), Credentials::OAuth1(wrong))).unwrap();
    let error = client.orders_page(&all(3)).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
    assert!(error.to_string().contains("signature is invalid"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test]
async fn an_oauth_signature_is_of_its_time() {
    let sandbox = with_oauth().await;
    let clock = clock();
    sandbox.set_now(Some("2026-01-31T09:00:00Z".parse().unwrap()));
    let client = on_clock(Mage2Settings::new(sandbox.url(), Credentials::OAuth1(keys())), &clock);
    let error = client.orders_page(&all(3)).await.unwrap_err();
    assert!(error.to_string().contains("oauth_timestamp"), "{error}");
}
