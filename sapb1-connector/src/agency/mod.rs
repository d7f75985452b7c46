//! The integration logic of SAP B1: every rule a step, every step overridable.

mod address;
mod causes;
mod customer;
mod header;
mod lines;
mod outcome;
mod places;
mod prepaid;
mod reconcile;
mod steps;
mod tax;
mod total;

use std::fmt;
use std::sync::Arc;

use datawald_backoffice::Unsupported;

use crate::{B1Api, B1Settings};

/// SAP Business One as a [`datawald_backoffice::Backoffice`], by the rules in [`B1Settings`], over any [`B1Api`].
///
/// It is the end of an agent's chain: override a step in your own type and inherit the rest from this one. Each step's
/// documentation below tells its rule.
pub struct B1Agency {
    api: Arc<dyn B1Api>,
    settings: B1Settings,
    end: Unsupported,
}

impl B1Agency {
    /// An agency over `api` by the rules in `settings`.
    pub fn new(api: Arc<dyn B1Api>, settings: B1Settings) -> Self {
        Self { api, settings, end: Unsupported }
    }

    /// The rules.
    pub fn settings(&self) -> &B1Settings {
        &self.settings
    }

    /// The way into SAP B1.
    pub fn api(&self) -> &Arc<dyn B1Api> {
        &self.api
    }
}

impl fmt::Debug for B1Agency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("B1Agency").field("settings", &self.settings).finish_non_exhaustive()
    }
}
