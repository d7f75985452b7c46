//! Sandboxes in the test, a file in a folder, and hosts that read it.

use std::process::Command;
use std::time::{Duration, Instant};

use datawald_core::Effect;
use datawald_core::http::{Http, HttpRequest, HttpSettings};
use datawald_examples::sample_company;
use datawald_tests::{Process, example};
use http::Method;
use http::header::AUTHORIZATION;
use mage2_connector::sandbox::fixtures;
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use sapb1_connector::sandbox::{B1Sandbox, COMPANY_DB, LOGIN, Way};

/// Everything a host does here ends within this.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) magento: Sandbox,
    pub(crate) b1: B1Sandbox,
    pub(crate) folder: tempfile::TempDir,
    /// The file, but for what the other fields say.
    pub(crate) more: String,
    pub(crate) store: String,
    pub(crate) queue: String,
    pub(crate) every_ms: u64,
    pub(crate) log: String,
}

/// The sizes of small runs.
const ENGINE: &str = "page_size = 10\nbatch = 10\nconcurrency = 2\nlease_ms = 120000\nsettle_delay_ms = 1000";

impl World {
    pub(crate) async fn new(way: Way, orders: OrderSet) -> Self {
        Self::with_token(way, orders, &SandboxOptions::default().token).await
    }

    pub(crate) async fn with_token(way: Way, orders: OrderSet, token: &str) -> Self {
        let options = SandboxOptions { orders, token: token.to_owned(), ..SandboxOptions::default() };
        Self {
            magento: Sandbox::start(options).await.unwrap(),
            b1: B1Sandbox::start(way, sample_company()).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            more: "[monitor]\nlisten = '127.0.0.1:0'".into(),
            store: "kind = 'sqlite'\npath = 'host.db'".into(),
            queue: "kind = 'in-process'".into(),
            // The first run is at once, and the only one of a test: the longest period there is, since periods are counted
            // from 1970 on, so that with one of an hour the next run would be due at the next full hour.
            every_ms: 366 * 86_400_000,
            log: "level = 'info'".into(),
        }
    }

    /// Writes the file, and the rules for SAP B1 beside it.
    pub(crate) fn write(&self) {
        let (magento, b1, user) = (self.magento.url(), self.b1.url(), LOGIN.0);
        let kind = match self.b1.way() {
            Way::Restful => "kind = 'sapb1-restful'".to_owned(),
            Way::ServiceLayer => format!("kind = 'sapb1-service-layer'\ncompany_db = '{COMPANY_DB}'"),
        };
        let Self { store, queue, every_ms, log, more, .. } = self;
        let text = format!(
            "[store]\n{store}\n[queue]\n{queue}\n\
             [connections.mage2]\nkind = 'magento2'\nbase_url = '{magento}'\n\
             credentials = {{ kind = 'bearer', token = {{ env = 'MAGENTO_TOKEN' }} }}\n\
             [connections.b1]\n{kind}\nurl = '{b1}'\nuser = '{user}'\npassword = {{ file = 'b1-password' }}\n\
             settings_file = 'sapb1.toml'\n\
             [[flows]]\ntable = 'orders'\nfrontend = 'mage2'\nbackoffice = 'b1'\n[flows.engine]\n{ENGINE}\nrest_ms = 300\n\
             [[schedules]]\nname = 'orders'\ntable = 'orders'\nfrontend = 'mage2'\nevery = '{every_ms}ms'\nat_start = true\n\
             [log]\n{log}\n[host]\ncheck_every_ms = 200\n{more}\n"
        );
        self.write_as(&text);
    }

    /// Writes a file as it is.
    pub(crate) fn write_as(&self, text: &str) {
        let folder = self.folder.path();
        std::fs::write(folder.join("host.toml"), text).unwrap();
        std::fs::write(folder.join("sapb1.toml"), include_str!("../../../examples/config/sapb1.toml")).unwrap();
        // As an editor leaves it.
        std::fs::write(folder.join("b1-password"), format!("{}\n", LOGIN.1)).unwrap();
    }

    /// A command that runs the host on the file.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(example("host"));
        command.env("MAGENTO_TOKEN", self.magento.token());
        command.arg("--config").arg(self.folder.path().join("host.toml")).args(args);
        command
    }

    /// Starts a host on the file as it is now.
    pub(crate) fn start(&self, name: &str, args: &[&str]) -> Process {
        Process::start(&self.folder.path().join(name), name, self.command(args))
    }

    /// Puts another order into the shop: a sample under a number of its own.
    pub(crate) fn put_order(&self, number: u64) {
        let (_, text) = fixtures().next().unwrap();
        let mut order: serde_json::Value = serde_json::from_str(text).unwrap();
        order["entity_id"] = number.into();
        order["increment_id"] = format!("{number:09}").into();
        let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        order["updated_at"] = now.into();
        self.magento.put_order(order.to_string()).unwrap();
    }

    /// Waits until SAP B1 has so many documents.
    pub(crate) async fn documents(&self, count: u64, host: &mut Process) {
        let started = Instant::now();
        while self.b1.counters().documents < count {
            assert_eq!(host.ended(), None, "{}", host.log());
            let there = self.b1.counters().documents;
            assert!(started.elapsed() < LIMIT, "{there} documents of {count}: {}", host.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Where a host answers what its section of the file is about (`monitor`, `api`).
pub(crate) async fn address(host: &mut Process, section: &str) -> String {
    let mark = format!("listening section=\"{section}\" address=");
    let log = host.printed(&mark, LIMIT).await;
    format!("http://{}", log.split(&mark).nth(1).unwrap().split_whitespace().next().unwrap())
}

/// What the monitor of a host answers.
pub(crate) async fn get(host: &mut Process, path: &str) -> (u16, String) {
    get_from(&address(host, "monitor").await, path, None).await
}

/// What is answered at an address, to whoever has a token.
pub(crate) async fn get_from(address: &str, path: &str, token: Option<&str>) -> (u16, String) {
    let http = Http::new(HttpSettings::new(address).unwrap()).unwrap();
    let mut request = HttpRequest::new("ask the host", Effect::Read, Method::GET, http.url(path).unwrap());
    if let Some(token) = token {
        request = request.secret_header(AUTHORIZATION, &format!("Bearer {token}")).unwrap();
    }
    let answer = http.send(request).await.unwrap();
    (answer.status.as_u16(), String::from_utf8(answer.body.to_vec()).unwrap())
}

/// Waits until what a host answers holds true.
pub(crate) async fn get_until(host: &mut Process, path: &str, holds: impl Fn(u16, &str) -> bool) -> String {
    let started = Instant::now();
    loop {
        let (status, text) = get(host, path).await;
        if holds(status, &text) {
            return text;
        }
        assert!(started.elapsed() < LIMIT, "{path}: {status}: {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
