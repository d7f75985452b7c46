//! A core that is served, and requests to it.

use std::sync::Arc;
use std::time::Duration;

use datawald_core::api::{Api, ApiSettings, Scope, Tokens};
use datawald_core::client::{ClientSettings, RemoteCore};
use datawald_core::engine::Engine;
use datawald_core::model::FlowId;
use datawald_core::queue::{InProcessQueue, TaskQueue};
use datawald_core::store::{SqliteSettings, SqliteStore, StagingStore};
use datawald_core::{Clock, ManualClock, SystemClock};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub(crate) struct Core {
    pub(crate) address: String,
    pub(crate) store: Arc<dyn StagingStore>,
    pub(crate) queue: Arc<InProcessQueue>,
    pub(crate) tokens: Tokens,
    /// What its clock shows, but for those of any time.
    pub(crate) clock: Arc<ManualClock>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<tokio::task::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

/// The time at which the clock of these cores stands.
pub(crate) const NOW: &str = "2026-01-31T10:00:00Z";

impl Core {
    pub(crate) async fn start() -> Self {
        Self::with(ApiSettings::default()).await
    }

    pub(crate) async fn with(settings: ApiSettings) -> Self {
        let clock = Arc::new(ManualClock::at(NOW.parse().unwrap()));
        Self::at(settings, clock.clone(), clock).await
    }

    /// Of an installation that applies these flows.
    pub(crate) async fn with_flows(flows: &[FlowId]) -> Self {
        let clock = Arc::new(ManualClock::at(NOW.parse().unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn StagingStore> = Arc::new(SqliteStore::open(folder.path().join("core.db")).unwrap());
        let flows = Some(flows.to_vec());
        Self::serve(store, folder, ApiSettings::default(), clock.clone(), clock, flows).await
    }

    /// For what is given in other times than the core's.
    pub(crate) async fn of_any_time() -> Self {
        let settings = ApiSettings {
            max_clock_skew_ms: u64::MAX,
            requests_per_second: 100_000,
            burst: 100_000,
            max_body: 64 << 20,
            max_batch: usize::MAX,
            ..ApiSettings::default()
        };
        Self::at(settings, Arc::new(SystemClock), Arc::new(ManualClock::at(NOW.parse().unwrap()))).await
    }

    /// Over another store than SQLite.
    #[cfg(feature = "mongodb")]
    pub(crate) async fn over(store: Arc<dyn StagingStore>) -> Self {
        let clock = Arc::new(ManualClock::at(NOW.parse().unwrap()));
        Self::of(store, tempfile::tempdir().unwrap(), ApiSettings::default(), clock.clone(), clock).await
    }

    /// Over a store whose file can be locked, and the file.
    pub(crate) async fn lockable() -> (Self, std::path::PathBuf) {
        let clock = Arc::new(ManualClock::at(NOW.parse().unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core.db");
        let impatient = SqliteSettings { busy_timeout: Duration::from_millis(100), ..SqliteSettings::default() };
        let store = Arc::new(SqliteStore::open_with(&path, impatient).unwrap());
        (Self::of(store, folder, ApiSettings::default(), clock.clone(), clock).await, path)
    }

    async fn at(settings: ApiSettings, clock: Arc<dyn Clock>, manual: Arc<ManualClock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn StagingStore> = Arc::new(SqliteStore::open(folder.path().join("core.db")).unwrap());
        Self::of(store, folder, settings, clock, manual).await
    }

    async fn of(
        store: Arc<dyn StagingStore>,
        folder: tempfile::TempDir,
        settings: ApiSettings,
        clock: Arc<dyn Clock>,
        manual: Arc<ManualClock>,
    ) -> Self {
        Self::serve(store, folder, settings, clock, manual, None).await
    }

    async fn serve(
        store: Arc<dyn StagingStore>,
        folder: tempfile::TempDir,
        settings: ApiSettings,
        clock: Arc<dyn Clock>,
        manual: Arc<ManualClock>,
        flows: Option<Vec<FlowId>>,
    ) -> Self {
        let queue = Arc::new(InProcessQueue::default());
        let tasks: Arc<dyn TaskQueue> = queue.clone();
        let engine = Engine::builder(store.clone()).queue(tasks).clock(clock.clone()).build().unwrap();
        let mut api = Api::new(engine, settings.clone()).unwrap();
        if let Some(flows) = flows {
            api = api.flows(move || flows.clone());
        }
        let router = api.router();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            datawald_core::api::serve(listener, router, &settings, async { drop(stopped.await) }).await;
        });
        let tokens = Tokens::new(store.clone(), clock.clone());
        Self { address, store, queue, tokens, clock: manual, stop: Some(stop), served: Some(served), _folder: folder }
    }

    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        self.served.take().unwrap().await.unwrap();
    }

    pub(crate) async fn token(&self, name: &str, scopes: &[Scope]) -> String {
        self.tokens.create(name, scopes, None).await.unwrap().expose_secret().to_owned()
    }

    pub(crate) async fn any_scope(&self, name: &str) -> String {
        self.token(name, &[Scope::Read, Scope::Stage, Scope::Operate]).await
    }

    pub(crate) async fn client(&self) -> RemoteCore {
        let token = self.any_scope("client").await;
        RemoteCore::new(ClientSettings::new(format!("http://{}", self.address), SecretString::from(token))).unwrap()
    }

    pub(crate) async fn json(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string);
        let mut headers = vec![("Authorization", format!("Bearer {token}"))];
        if body.is_some() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        self.raw(method, path, &headers, body.as_deref().unwrap_or_default().as_bytes()).await
    }

    /// A request, byte for byte.
    pub(crate) async fn raw(&self, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: core\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // A core that refuses a body need not read it.
        let _ = stream.write_all(body).await;
        Answer::read(&mut stream).await
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let whole = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut bytes)).await;
        assert!(whole.is_ok(), "no answer");
        let text = String::from_utf8(bytes).unwrap();
        let (head, text) = text.split_once("\r\n\r\n").unwrap_or((text.as_str(), ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The fields that a problem names.
    pub(crate) fn fields(&self) -> Vec<String> {
        assert!(self.head.contains("application/problem+json"), "{self:?}");
        let body = self.body();
        assert_eq!(body["status"], self.status);
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["path"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// A canonical order as JSON.
pub(crate) fn order(id: &str) -> Value {
    serde_json::json!({
        "fe_order_id": id,
        "fe_order_status": "pending",
        "currency": "USD",
        "sub_total": "30.00",
        "grand_total": "35.00",
        "shipping_amt": "5.00",
        "items": [{"sku": "24-MB01", "name": "Joust Duffle Bag", "qty": "1", "price": "30.00", "sub_total": "30.00"}],
    })
}

/// An order as it is handed over.
pub(crate) fn handed(id: &str) -> Value {
    serde_json::json!({"frontend": "mage2", "data": order(id), "raw": {"increment_id": id}})
}
