//! Applying orders.
use crate::Backoffice;
use std::sync::Arc;
/// Applies orders to a [`Backoffice`].
pub struct OrdersTarget {
    #[allow(dead_code)]
    backoffice: Arc<dyn Backoffice>,
}
impl OrdersTarget {
    /// New.
    pub fn new(backoffice: Arc<dyn Backoffice>) -> Self {
        Self { backoffice }
    }
}
