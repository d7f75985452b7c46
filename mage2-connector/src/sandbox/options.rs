//! What a sandbox is started with.

use std::path::Path;

use jiff::Timestamp;

use crate::client::OAuth1Keys;

/// Which orders there are at the start.
#[derive(Debug, Clone, Default)]
pub enum OrderSet {
    /// None.
    #[default]
    Empty,
    /// The project's own orders, one of every shape; see [`super::fixtures`].
    Fixtures,
    /// Orders by name and JSON text. Several may have the same ids, as recordings from several shops have.
    Files(Vec<(String, String)>),
    /// So many orders, ids from 1, made when they are asked for.
    Synthetic(u64),
}

impl OrderSet {
    /// The `*.json` files of a directory, by name.
    ///
    /// # Errors
    /// If the directory or a file cannot be read.
    pub fn read_dir(directory: &Path) -> std::io::Result<Self> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
                let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                files.push((name, std::fs::read_to_string(&path)?));
            }
        }
        files.sort();
        Ok(Self::Files(files))
    }
}

/// Limits of searches, which Magento has switched off as it comes.
#[derive(Debug, Clone, Copy)]
pub struct SearchLimits {
    /// The largest page that may be asked for; a larger one is refused.
    pub max_page_size: usize,
    /// The size of a page for which none is asked; `total_count` tells that there is more.
    pub default_page_size: usize,
}

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// The port on 127.0.0.1; 0 for any that is free.
    pub port: u16,
    /// The token of an integration, good as a bearer token.
    pub token: String,
    /// The admin user.
    pub admin_username: String,
    /// Its password.
    pub admin_password: String,
    /// The keys of an integration that signs its requests.
    pub oauth: Option<OAuth1Keys>,
    /// Magento's limits of searches, if they are switched on (Stores › Configuration › Services › Web API Input Limiting).
    pub limits: Option<SearchLimits>,
    /// The orders.
    pub orders: OrderSet,
    /// The time that the sandbox's clock stands at; `None` for the system's.
    pub now: Option<Timestamp>,
}

impl Default for SandboxOptions {
    /// Any port; token `sandbox-token`; user `admin` with password `sandbox-password`; no orders.
    fn default() -> Self {
        Self {
            port: 0,
            token: "sandbox-token".to_owned(),
            admin_username: "admin".to_owned(),
            admin_password: "sandbox-password".to_owned(),
            oauth: None,
            limits: None,
            orders: OrderSet::Empty,
            now: None,
        }
    }
}
