//! The two sides: sandboxes as processes of their own, so that what they cost is not ours.

use std::collections::HashSet;
use std::process::Stdio;

use datawald_tests::example;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Failure;

/// The token that the sandbox Magento takes.
pub(crate) const MAGENTO_TOKEN: &str = "sandbox-token";

/// A Magento with made-up orders, and an empty SAP B1. They end when this is dropped.
pub(crate) struct Sandboxes {
    magento: Sandbox,
    b1: Sandbox,
    orders: u64,
    http: reqwest::Client,
}

struct Sandbox {
    child: Child,
    url: String,
}

impl Sandboxes {
    /// Starts both; SAP B1 takes `latency_ms` over each request.
    pub(crate) async fn start(orders: u64, latency_ms: u64) -> Result<Self, Failure> {
        let magento = Sandbox::start(&["magento", "--synthetic", &orders.to_string()]).await?;
        let b1 = Sandbox::start(&["b1-restful", "--latency-ms", &latency_ms.to_string()]).await?;
        let tls = datawald_core::tls::tls_config(None, None)?;
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).build()?;
        Ok(Self { magento, b1, orders, http })
    }

    /// Where Magento is.
    pub(crate) fn magento(&self) -> &str {
        &self.magento.url
    }

    /// Where SAP B1 is.
    pub(crate) fn b1(&self) -> &str {
        &self.b1.url
    }

    /// How many orders Magento has.
    pub(crate) fn orders(&self) -> u64 {
        self.orders
    }

    /// The processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        [&self.magento, &self.b1].into_iter().filter_map(|sandbox| sandbox.child.id()).collect()
    }

    /// The requests that SAP B1 has seen.
    pub(crate) async fn b1_requests(&self) -> Result<f64, Failure> {
        self.control("counters").await?["requests"].as_f64().ok_or_else(|| "SAP B1 counts no requests".into())
    }

    /// That SAP B1 has one document of each order.
    pub(crate) async fn check_documents(&self) -> Result<(), Failure> {
        let documents = self.control("documents").await?;
        let documents = documents.as_array().map(Vec::as_slice).unwrap_or_default();
        let numbers: HashSet<&str> = documents.iter().filter_map(|document| document["reference"].as_str()).collect();
        let (documents, numbers) = (documents.len() as u64, numbers.len() as u64);
        if documents == self.orders && numbers == self.orders {
            return Ok(());
        }
        Err(format!("SAP B1 has {documents} documents of {numbers} orders; {} were to be applied", self.orders).into())
    }

    async fn control(&self, what: &str) -> Result<Value, Failure> {
        let answer = self.http.get(format!("{}/control/{what}", self.b1.url)).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }
}

impl Sandbox {
    async fn start(args: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(example("sandbox"));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or("a sandbox has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.ok_or_else(|| format!("the sandbox {args:?} did not start"))?.to_owned();
        Ok(Self { child, url })
    }
}
