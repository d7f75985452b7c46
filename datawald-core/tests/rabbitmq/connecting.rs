//! What connecting says when it cannot.

use std::time::{Duration, Instant};

use datawald_core::queue::{RabbitQueue, RabbitSettings, TaskQueue};
use datawald_core::{Disposition, Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::broker;
use crate::tasks::{SOON, flow, key, receive, task};
use crate::tls;

async fn refused(settings: RabbitSettings) -> Error {
    let error = tokio::time::timeout(SOON, RabbitQueue::connect(settings)).await.unwrap().unwrap_err();
    assert!(!error.report().contains("s3cret"), "{}", error.report());
    error
}

/// Connects in vain with a URI that cannot be right.
async fn mistaken(uri: &str) -> String {
    let error = refused(RabbitSettings::new(uri.to_owned())).await;
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent), "{error}");
    assert_eq!(error.field_path(), Some("uri"), "{error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_not_quoted() {
    for uri in ["s3cret", "amqp:s3cret", "http://shop:s3cret@mq", "amqp://shop:s3cret@mq?heartbeat=s3cret", ""] {
        mistaken(uri).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_told() {
    let mut uri = url::Url::parse(&broker::uri()).unwrap();
    uri.set_password(Some("s3cret")).unwrap();
    let error = mistaken(uri.as_str()).await;
    assert!(error.contains(&broker::node()) && error.contains("password"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_host_that_is_not_there_is_told() {
    let mut uri = url::Url::parse(&broker::uri()).unwrap();
    uri.set_path("/nowhere");
    let error = mistaken(uri.as_str()).await;
    assert!(error.contains(&broker::node()) && error.contains("`nowhere`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_listens_can_be_tried_again() {
    // Bound and let go: nobody has it.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let started = Instant::now();
    let error = refused(RabbitSettings::new(format!("amqp://shop:s3cret@127.0.0.1:{port}"))).await;
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert_eq!(error.disposition(), Disposition::Retryable { after: None });
    assert!(error.to_string().contains(&format!("nobody listens at 127.0.0.1:{port}")), "{error}");
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut settings = RabbitSettings::new(format!("amqp://127.0.0.1:{port}"));
    settings.connect_timeout_ms = 300;
    let (error, ended) = tokio::join!(refused(settings), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // To its end: nothing goes on in the background.
        tokio::time::timeout(SOON, stream.read_to_end(&mut Vec::new())).await.is_ok()
    });
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Timeout, Disposition::Retryable { after: None }));
    assert!(error.to_string().contains("within 300 ms"), "{error}");
    assert!(ended, "the connection is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_than_rabbitmq_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 8]).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let error = mistaken(&format!("amqp://127.0.0.1:{port}")).await;
    assert!(error.contains("does not speak AMQP"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_to_a_port_without_it_is_told() {
    let error = mistaken(&broker::uri().replace("amqp://", "amqps://")).await;
    assert!(error.contains("does this port speak it"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_works_with_an_authority_that_is_named() {
    let front = tls::Front::start("localhost").await;
    let (queue, _keep) = broker::queue_with(|settings| {
        settings.uri = front.uri("localhost").into();
        settings.ca_file = Some(front.ca_file());
    })
    .await;
    queue.publish(task("1")).await.unwrap();
    let delivery = receive(&queue).await;
    assert_eq!(key(&delivery), "1");
    queue.ack(delivery).await.unwrap();
    assert!(queue.receive(&flow(), Duration::ZERO).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_is_told() {
    let front = tls::Front::start("localhost").await;
    let unknown = RabbitSettings::new(front.uri("localhost"));
    let mut other_name = RabbitSettings::new(front.uri("127.0.0.1"));
    other_name.ca_file = Some(front.ca_file());
    for settings in [unknown, other_name] {
        let error = refused(settings).await;
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent), "{error}");
        assert!(error.to_string().contains("is not trusted"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_authorities_that_is_none_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for path in [folder.path().join("nowhere.pem"), empty] {
        let mut settings = RabbitSettings::new("amqps://localhost");
        settings.ca_file = Some(path);
        let error = refused(settings).await;
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
}
