//! Commands to the server, sent again while it is away. Every one of them may be: what must happen once is a
//! compare-and-set.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::options::{FindOptions, WriteConcern};
use mongodb::{Collection, Database};
use tokio::time::{Instant, timeout_at};

use super::error::{DUPLICATE_KEY, WRITE_CONFLICT, at_open, at_work, by_code, is_away, is_away_code};
use crate::Result;

/// Bytes of documents in one command; the server takes 48 MB.
const COMMAND_BYTES: usize = 16 * 1_024 * 1_024;
/// Statements in one command; the server takes 100,000.
const COMMAND_STATEMENTS: usize = 1_000;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The database, and how long its server may be away.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    pub(super) database: Database,
    pub(super) hosts: String,
    pub(super) patience: Duration,
    pub(super) sent: Arc<AtomicU64>,
}

/// What became of the statements of a write.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Documents inserted, matched or deleted.
    pub(super) matched: u64,
    /// The places of documents whose key was there already.
    pub(super) duplicates: Vec<usize>,
    /// Whether it was sent again, so that an earlier try may have been carried out without an answer.
    pub(super) again: bool,
}

impl Commands {
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn raw(&self, collection: &str) -> Collection<RawDocumentBuf> {
        self.database.collection(collection)
    }

    /// Carries a command out, again and again while no server answers, as long as patience lasts.
    async fn patiently<T, F>(&self, operation: &'static str, mut command: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = mongodb::error::Result<T>>,
    {
        let started = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            match command().await {
                Err(error) if is_away(&error) && started.elapsed() < self.patience => {
                    if wait == FIRST_WAIT {
                        tracing::warn!(hosts = %self.hosts, operation, "no MongoDB server answers; trying again");
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                answer => return answer.map_err(|error| at_work(operation, &self.hosts, error)),
            }
        }
    }

    /// Asks the server whether it is there, again and again as long as patience lasts, and tells in words for somebody who is
    /// setting it up.
    pub(super) async fn reach(&self, operation: &'static str) -> Result<()> {
        let until = Instant::now() + self.patience;
        let mut wait = FIRST_WAIT;
        // Of a server that takes connections and says nothing, there is nothing else to tell.
        let mut away = std::io::Error::from(std::io::ErrorKind::TimedOut).into();
        loop {
            match timeout_at(until, self.database.run_command(doc! { "ping": 1 })).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) if is_away(&error) => away = error,
                Ok(Err(error)) => return Err(at_open(operation, &self.hosts, error)),
                Err(_) => return Err(at_open(operation, &self.hosts, away)),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Carries out a command.
    pub(super) async fn run(&self, operation: &'static str, command: Document) -> Result<Document> {
        self.patiently(operation, || async { self.database.run_command(command.clone()).await }).await
    }

    pub(super) async fn find(
        &self,
        operation: &'static str,
        collection: &str,
        filter: Document,
        options: FindOptions,
    ) -> Result<Vec<RawDocumentBuf>> {
        let collection = self.raw(collection);
        self.patiently(operation, || async {
            collection.find(filter.clone()).with_options(options.clone()).await?.try_collect().await
        })
        .await
    }

    pub(super) async fn find_one(
        &self,
        operation: &'static str,
        collection: &str,
        filter: Document,
    ) -> Result<Option<RawDocumentBuf>> {
        let collection = self.raw(collection);
        self.patiently(operation, || async { collection.find_one(filter.clone()).await }).await
    }

    pub(super) async fn aggregate(
        &self,
        operation: &'static str,
        collection: &str,
        pipeline: Vec<Document>,
    ) -> Result<Vec<Document>> {
        let collection = self.raw(collection);
        self.patiently(operation, || async {
            collection.aggregate(pipeline.clone()).with_type::<Document>().await?.try_collect().await
        })
        .await
    }

    /// Changes one document and answers it as it was before.
    pub(super) async fn find_and_update(
        &self,
        operation: &'static str,
        collection: &str,
        filter: Document,
        update: Document,
    ) -> Result<Option<RawDocumentBuf>> {
        let collection = self.raw(collection);
        self.patiently(operation, || async {
            collection.find_one_and_update(filter.clone(), update.clone()).write_concern(durable()).await
        })
        .await
    }

    /// Inserts documents. Those whose `_id` is there already are left out and told.
    pub(super) async fn insert(
        &self,
        operation: &'static str,
        collection: &str,
        documents: Vec<Document>,
    ) -> Result<Written> {
        self.write(operation, "insert", collection, "documents", documents).await
    }

    /// Carries out update statements, independently of each other.
    pub(super) async fn update(
        &self,
        operation: &'static str,
        collection: &str,
        statements: Vec<Document>,
    ) -> Result<Written> {
        self.write(operation, "update", collection, "updates", statements).await
    }

    /// Carries out delete statements.
    pub(super) async fn delete(
        &self,
        operation: &'static str,
        collection: &str,
        filters: impl IntoIterator<Item = Document>,
    ) -> Result<Written> {
        let statements = filters.into_iter().map(|filter| doc! { "q": filter, "limit": 0 }).collect();
        self.write(operation, "delete", collection, "deletes", statements).await
    }

    async fn write(
        &self,
        operation: &'static str,
        verb: &str,
        collection: &str,
        field: &str,
        statements: Vec<Document>,
    ) -> Result<Written> {
        let mut written = Written::default();
        let mut done = 0;
        for part in parts(statements) {
            let size = part.len();
            // Durable on most of the servers before it counts.
            let command = doc! {
                verb: collection,
                field: part,
                "ordered": false,
                "writeConcern": { "w": "majority", "j": true },
            };
            let mut tries = 0;
            let answer = self
                .patiently(operation, || {
                    tries += 1;
                    self.part(&command)
                })
                .await?;
            written.again |= tries > 1;
            written.matched += integer(answer.get("n"));
            for (at, code) in failures(&answer) {
                match code {
                    DUPLICATE_KEY => written.duplicates.push(done + at),
                    // Whoever compares finds that it was not carried out, and looks again.
                    WRITE_CONFLICT => {}
                    code => return Err(by_code(operation, &self.hosts, code)),
                }
            }
            done += size;
        }
        Ok(written)
    }

    async fn part(&self, command: &Document) -> mongodb::error::Result<Document> {
        let answer = self.database.run_command(command.clone()).await?;
        match away_in_parts(&answer) {
            // As if the whole command had failed: it is sent again.
            Some(code) => Err(std::io::Error::other(format!("the server answered with code {code}")).into()),
            None => Ok(answer),
        }
    }
}

/// What is to be durable.
fn durable() -> WriteConcern {
    WriteConcern::builder().w(mongodb::options::Acknowledgment::Majority).journal(true).build()
}

/// Statements in commands that the server takes.
fn parts(statements: Vec<Document>) -> Vec<Vec<Bson>> {
    let mut parts: Vec<Vec<Bson>> = Vec::new();
    let mut bytes = COMMAND_BYTES;
    for statement in statements {
        let size = statement.iter().map(|(key, value)| key.len() + weight(value)).sum::<usize>();
        match parts.last_mut() {
            Some(part) if bytes + size <= COMMAND_BYTES && part.len() < COMMAND_STATEMENTS => {
                bytes += size;
                part.push(statement.into());
            }
            _ => {
                bytes = size;
                parts.push(vec![statement.into()]);
            }
        }
    }
    parts
}

/// About how many bytes a value takes.
fn weight(value: &Bson) -> usize {
    match value {
        Bson::String(text) => text.len() + 8,
        Bson::Document(document) => document.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        Bson::Array(values) => values.iter().map(weight).sum(),
        _ => 16,
    }
}

fn integer(value: Option<&Bson>) -> u64 {
    match value {
        Some(Bson::Int32(n)) => u64::try_from(*n).unwrap_or_default(),
        Some(Bson::Int64(n)) => u64::try_from(*n).unwrap_or_default(),
        // Some servers count in doubles; a count is whole.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count is whole and small")]
        Some(Bson::Double(n)) => *n as u64,
        _ => 0,
    }
}

/// The statements that failed: their places and codes.
fn failures(answer: &Document) -> Vec<(usize, i32)> {
    let Ok(errors) = answer.get_array("writeErrors") else { return Vec::new() };
    errors
        .iter()
        .filter_map(Bson::as_document)
        .map(|error| {
            (integer(error.get("index")) as usize, i32::try_from(integer(error.get("code"))).unwrap_or_default())
        })
        .collect()
}

/// The code of a part that failed because the server cannot answer just now, or could not make it durable.
fn away_in_parts(answer: &Document) -> Option<i32> {
    let concern = answer.get_document("writeConcernError").ok().map(|error| integer(error.get("code")));
    if let Some(code) = concern {
        return Some(i32::try_from(code).unwrap_or_default());
    }
    failures(answer).into_iter().map(|(_, code)| code).find(|code| is_away_code(*code))
}
