//! How many orders there are, without reading them.

use datawald_core::{Disposition, Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::connection::Mage2Client;
use super::criteria::{Condition, SearchCriteria};
use super::time::{format_time, whole_second};
use crate::agency::leaf;

const OPERATION: &str = "count orders";

#[derive(Deserialize)]
struct Total<'a> {
    #[serde(default, borrow)]
    total_count: Option<&'a RawValue>,
}

impl Mage2Client {
    /// How many orders of the configured stores changed at `from` or later; of any time without it. Magento counts them
    /// (`total_count`) and sends one.
    ///
    /// # Errors
    /// As [`Mage2Client::search`]; of kind `Protocol` if the answer has no count.
    pub async fn count_orders(&self, from: Option<Timestamp>) -> Result<u64> {
        let criteria = match from {
            Some(from) => SearchCriteria::new().and("updated_at", Condition::Gteq, format_time(whole_second(from))),
            None => SearchCriteria::new(),
        };
        let criteria = self.of_stores(criteria).page_size(1).current_page(1);
        let response = self.search(OPERATION, "orders", &criteria).await?;
        let total: Total<'_> = serde_json::from_slice(&response.body).map_err(|error| response.not_json(&error))?;
        leaf::unsigned(total.total_count).ok_or_else(|| {
            let disposition = Disposition::Retryable { after: None };
            Error::new(ErrorKind::Protocol, disposition, OPERATION, "is missing in the answer, or no number")
                .field("total_count")
        })
    }
}
