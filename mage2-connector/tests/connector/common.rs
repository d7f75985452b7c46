//! What the tests share.

use std::path::PathBuf;
use std::sync::Arc;

use datawald_core::clock::ManualClock;
use datawald_core::engine::FetchQuery;
use datawald_core::model::{FlowId, Table};
use datawald_core::{Clock, Cx, Error};
use datawald_frontend::{Frontend, RawDoc};
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use mage2_connector::{Mage2Agency, Mage2Client, Mage2Settings};

pub(crate) fn cx() -> Cx {
    Cx::new(FlowId::new(Table::Orders, "mage2"))
}

pub(crate) async fn sandbox(orders: OrderSet) -> Sandbox {
    Sandbox::start(SandboxOptions { orders, ..Default::default() }).await.unwrap()
}

pub(crate) fn settings(sandbox: &Sandbox) -> Mage2Settings {
    Mage2Settings::bearer(sandbox.url(), sandbox.token())
}

pub(crate) fn client(sandbox: &Sandbox) -> Mage2Client {
    Mage2Client::new(settings(sandbox)).unwrap()
}

/// An agency that asks nobody.
pub(crate) fn offline() -> Mage2Agency {
    Mage2Agency::new(Mage2Settings::bearer("http://127.0.0.1:9", "t")).unwrap()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-01-31T10:00:00Z".parse().unwrap()))
}

pub(crate) fn on_clock(settings: Mage2Settings, clock: &Arc<ManualClock>) -> Mage2Client {
    Mage2Client::with_clock(settings, clock.clone() as Arc<dyn Clock>).unwrap()
}

/// The first page of everything.
pub(crate) fn all(page_size: usize) -> FetchQuery {
    FetchQuery { from: None, after: None, page_size }
}

/// The folder of real payloads, if it is there.
pub(crate) fn data() -> Option<PathBuf> {
    let folder = match std::env::var_os("DATAWALD_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("the reference data are not at {}: nothing is tested", folder.display());
    None
}

pub(crate) fn json_files(folder: PathBuf) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

pub(crate) fn fixture(name: &str) -> String {
    mage2_connector::sandbox::fixtures().find(|fixture| fixture.0 == name).unwrap().1.to_owned()
}

/// A fixture as a tree, to be damaged.
pub(crate) fn tree(name: &str) -> serde_json::Value {
    serde_json::from_str(&fixture(name)).unwrap()
}

pub(crate) async fn map(text: &str) -> Result<datawald_core::model::Order, Error> {
    offline().map_order(&cx(), &RawDoc::new(text)).await
}

pub(crate) async fn map_tree(tree: &serde_json::Value) -> Result<datawald_core::model::Order, Error> {
    map(&tree.to_string()).await
}

/// Nothing of what makes a customer a person may be in an error.
pub(crate) fn assert_no_personal_data(error: &Error) {
    let text = format!("{error} {} {error:?} {}", error.report(), error.note());
    for word in
        ["Testwell", "Nora", "nora.testwell", "Placeholder Lane", "555", "@", "sandbox-password", "sandbox-token"]
    {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5555)
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % sides
    }
}
