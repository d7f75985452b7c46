//! What is to be done with an order, by its status.

use datawald_core::model::{Intent, Order};

use super::settings::OrderSettings;

/// Statuses are Magento's own or the merchant's, so they are configured.
pub(super) fn decide(order: &Order, settings: &OrderSettings) -> Intent {
    let status = &order.fe_order_status;
    if settings.insert_statuses.contains(status) {
        return Intent::Apply;
    }
    if settings.cancel_statuses.contains(status) {
        return Intent::Cancel;
    }
    Intent::Ignore(format!(
        "Magento status \"{status}\": orders go to the backoffice when they are {}; this one will if its status becomes one \
         of these",
        settings.insert_statuses.join(", ")
    ))
}
