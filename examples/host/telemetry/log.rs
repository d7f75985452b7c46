//! The log: lines of text or JSON to standard error, without the secrets of the configuration.

use std::io::{self, Write};
use std::sync::{Arc, PoisonError, RwLock};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{Layer, Registry};

use super::of_ours;
use crate::config::{Config, Format, Level, Redaction};

/// Changes what is logged while the host runs.
pub(super) struct Log {
    level: Handle<Targets, Registry>,
    redaction: Arc<RwLock<Redaction>>,
}

impl Log {
    /// A log as the file says, and the layer that writes it.
    pub(super) fn new(config: &Config) -> (Self, impl Layer<Registry> + use<>) {
        let redaction = Arc::new(RwLock::new(config.redaction.clone()));
        let lines = tracing_subscriber::fmt::layer().with_writer(Lines(redaction.clone())).with_ansi(false);
        let lines = match config.log.format {
            Format::Text => lines.boxed(),
            Format::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
        };
        let (filter, level) = reload::Layer::new(targets(config));
        (Self { level, redaction }, lines.with_filter(filter))
    }

    /// Logs as another file says, but in the same format.
    pub(super) fn reload(&self, config: &Config) {
        *self.redaction.write().unwrap_or_else(PoisonError::into_inner) = config.redaction.clone();
        if let Err(error) = self.level.reload(targets(config)) {
            tracing::warn!(%error, "the level of the log stays as it was");
        }
    }
}

fn targets(config: &Config) -> Targets {
    let level = match config.log.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    of_ours(level, level.min(LevelFilter::WARN))
}

/// Standard error, a whole line at a time.
struct Lines(Arc<RwLock<Redaction>>);

/// A line on its way.
struct Line {
    text: Vec<u8>,
    redaction: Arc<RwLock<Redaction>>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { text: Vec::new(), redaction: self.0.clone() }
    }
}

impl Write for Line {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    /// What our own crates log holds no secrets; this is for what a library may put into its warnings.
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let redaction = self.redaction.read().unwrap_or_else(PoisonError::into_inner);
        // Where nobody reads the log, there is nobody to tell.
        let _ = io::stderr().write_all(redaction.apply(&text).as_bytes());
    }
}
