//! The answer to a search: its rows, or why it is none.

use datawald_core::http::HttpResponse;
use datawald_core::{Effect, Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::render_message;
use crate::agency::leaf;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default, borrow)]
    items: Option<Vec<&'a RawValue>>,
    #[serde(default, borrow)]
    total_count: Option<&'a RawValue>,
}

/// The rows of an answer, and how many match.
///
/// # Errors
/// Of kind `Protocol`, if it is not JSON, or has no `items`: then it is no answer, and does not say that nothing matches.
pub(super) fn rows(response: &HttpResponse) -> Result<(Vec<&RawValue>, Option<u64>)> {
    let page: Page<'_> = serde_json::from_slice(&response.body).map_err(|error| response.not_json(&error))?;
    let total = page.total_count.and_then(|raw| leaf::unsigned(Some(raw)));
    match page.items {
        Some(items) => Ok((items, total)),
        // Some versions give null where nothing matches.
        None if total == Some(0) => Ok((Vec::new(), total)),
        None => {
            let told = render_message(&response.body).map(|told| format!("; it says: {told}")).unwrap_or_default();
            let message = format!(
                "the answer (HTTP {}) has no `items`, so it is none: does a module, a proxy or a maintenance page answer in the \
                 place of Magento?{told}",
                response.status.as_u16()
            );
            Err(Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, response.operation, message))
        }
    }
}
