//! An order of a batch on its way through the steps.

use datawald_core::model::Order;
use datawald_core::store::Claimed;
use datawald_core::{Cx, Error, Result};

use crate::{Backoffice, FoundDocument, NativeOrder, Reference};

/// An order of a batch.
pub(super) struct Job<'a> {
    /// Its place in the batch.
    pub(super) at: usize,
    pub(super) claimed: &'a Claimed,
    pub(super) order: Order,
    pub(super) reference: Reference,
}

/// An order whose document was found.
pub(super) struct FoundJob<'a> {
    pub(super) job: Job<'a>,
    pub(super) document: FoundDocument,
    pub(super) cancelled: bool,
    /// What would be made of the order now, where that was made to compare.
    pub(super) made: Option<NativeOrder>,
}

impl<'a> Job<'a> {
    /// Reads a staged order and its reference.
    pub(super) async fn new(backoffice: &dyn Backoffice, cx: &Cx, at: usize, claimed: &'a Claimed) -> Result<Self> {
        let order = read(claimed)?;
        let reference = match &claimed.reference {
            // Whatever the rules say today, that is what it was written under.
            Some(text) => serde_json::from_str(text).map_err(|error| {
                let message = "the stored reference cannot be read: has somebody changed it in the store?";
                Error::mapping("read stored reference", message).caused_by(error)
            })?,
            None => backoffice.order_reference(cx, &order).await?,
        };
        Ok(Self { at, claimed, order, reference })
    }

    /// The order in the earlier versions in which it may have been written, where that is in doubt; the newest first.
    pub(super) fn earlier(&self) -> Result<Vec<Self>> {
        let with = |order| Self { at: self.at, claimed: self.claimed, order, reference: self.reference.clone() };
        self.claimed.written_docs.iter().map(|doc| parse(doc).map(with)).collect()
    }

    /// What tells its document from all others.
    pub(super) fn mark(&self) -> String {
        format!("{}/{}", self.claimed.key.frontend, self.claimed.key.id)
    }

    /// The reference as it is stored.
    pub(super) fn stored_reference(&self) -> Option<String> {
        serde_json::to_string(&self.reference).ok()
    }

    /// Whether the key of a document is the one that is recorded.
    pub(super) fn is_recorded(&self, target_id: &str) -> bool {
        self.claimed.target_id.as_deref() == Some(target_id)
    }
}

fn read(claimed: &Claimed) -> Result<Order> {
    let number = if claimed.name.is_empty() { &claimed.key.id } else { &claimed.name };
    // What could not be mapped has its number, which is enough to look it up by.
    if claimed.doc.is_empty() {
        let frontend = claimed.key.frontend.clone();
        return Ok(Order { frontend, fe_order_id: number.clone(), ..Order::default() });
    }
    let order = parse(&claimed.doc)?;
    // By its reference it is found whatever it is called by now.
    if claimed.reference.is_none() && order.fe_order_id != *number {
        let message = format!(
            "is {}, but the order was staged as {number}, by which it is looked up: have the steps of the frontend name it \
             alike",
            order.fe_order_id
        );
        return Err(Error::mapping("read staged order", message).field("fe_order_id"));
    }
    Ok(order)
}

fn parse(doc: &str) -> Result<Order> {
    serde_json::from_str(doc).map_err(|error| {
        let message = format!("the staged document is not a canonical order (line {})", error.line());
        Error::mapping("read staged order", message)
    })
}
