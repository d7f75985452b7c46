//! What the engine drives: a source that pages of entities are pulled from, a target that batches are applied to.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::Cut;
use crate::store::{Claimed, StageEntity};
use crate::{Cx, Result};

/// Where a pull stands between two pages; its text means something to the source alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// Asks a source for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchQuery {
    /// Everything that changed at this time or later; `None` from the beginning.
    pub from: Option<Timestamp>,
    /// The page after this one; `None` for the first.
    pub after: Option<Cursor>,
    /// About how many entities.
    pub page_size: usize,
}

/// A page of entities, ready to be staged.
#[derive(Debug, Default)]
pub struct SourcePage {
    /// The entities, those that could not be mapped included (with [`crate::model::Intent::Reject`]).
    pub entities: Vec<StageEntity>,
    /// The next page; `None` after the last.
    pub next: Option<Cursor>,
    /// How far this page has come: all that changed before is staged with it. `None` if the page does not tell.
    pub reached: Option<Cut>,
    /// The source's own clock when it answered, where it tells.
    pub source_now: Option<Timestamp>,
}

/// The pulled side of a flow.
#[async_trait]
pub trait Source: Send + Sync {
    /// Fetches and maps a page.
    ///
    /// # Behavior
    /// Following `next` from the first page on visits every entity that changed at or after `from` and stays
    /// unchanged meanwhile; one that changes meanwhile may come twice. An entity that cannot be mapped is in the page,
    /// rejected with its reason; only what concerns the whole page is an error, and if it stays, the flow pauses.
    async fn fetch(&self, cx: &Cx, query: &FetchQuery) -> Result<SourcePage>;

    /// How many records changed at `from` or later (`None`: at any time), for an operator who is about to start; `None` if the
    /// source cannot tell without reading them.
    async fn count(&self, cx: &Cx, from: Option<Timestamp>) -> Result<Option<u64>> {
        let _ = (cx, from);
        Ok(None)
    }

    /// Whether it can work as it was put together. It is asked when the engine is built, and asks nothing of the other side.
    ///
    /// # Errors
    /// What is missing.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// What applying an entity did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is on the other side under `target_id`.
    Applied {
        /// Its key there.
        target_id: String,
        /// A remark for people.
        note: String,
    },
    /// It is not there, but what was sent of it before may still be carried out ([`Claimed::may_be_missing`]): it is looked up
    /// once more, a settle delay later.
    NotThereYet,
    /// It is cancelled there.
    Cancelled {
        /// Its key there.
        target_id: Option<String>,
        /// A remark for people.
        note: String,
    },
    /// There was nothing to do.
    Ignored {
        /// Why.
        note: String,
    },
}

/// What became of one entity.
#[derive(Debug, Clone)]
pub struct Applied {
    /// What was done, or why not.
    pub result: Result<Done>,
    /// Under what the other side was told of it, if it may have been: it is used for this entity ever after.
    pub reference: Option<String>,
}

impl From<Result<Done>> for Applied {
    fn from(result: Result<Done>) -> Self {
        Self { result, reference: None }
    }
}

/// The applied side of a flow.
#[async_trait]
pub trait Target: Send + Sync {
    /// Applies a batch; answers one result per entity, in order.
    ///
    /// # Behavior
    /// Looks every entity up before it writes, under the reference that it was written by before
    /// ([`Claimed::reference`]), and writes nothing of what [`Claimed::may_be_missing`] does not allow. Before the other side is
    /// first told of an entity, and as soon as its document is found there, it is bound to its reference and key
    /// ([`Cx::bind`]); what is refused it is not written to. Of an entity that is
    /// there in a version before the claimed one ([`Claimed::written`]), the newer content follows. What a failure means for an entity is told by its
    /// error's disposition, and whether it is about the entity at all by its [`concern`](crate::Error::concern). A write's
    /// time-out is shorter than [`Cx::time_left`].
    async fn apply(&self, cx: &Cx, batch: &[Claimed]) -> Vec<Applied>;

    /// What tells these settings from others: a digest of all that decides what becomes of an entity. Secrets are no part of
    /// it. `None` if the target cannot tell.
    ///
    /// When workers start and it is another than when they last did, what has failed is tried again, once.
    fn settings_digest(&self) -> Option<String> {
        None
    }

    /// As [`Source::check`].
    ///
    /// # Errors
    /// What is missing.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}
