//! The job of a flow.

use async_trait::async_trait;

use super::{Job, Run};
use crate::Result;
use crate::engine::Engine;
use crate::model::{Counts, FlowId};

/// A job that syncs a flow: pulls, waits for the outcomes and closes the sync task, whose id is that of the run. Workers
/// of the flow are to be at work, here or elsewhere. The note tells how many entities came to what; failed ones do not
/// fail the run, they are found in its sync task.
#[derive(Clone)]
pub struct SyncFlow {
    engine: Engine,
    flow: FlowId,
}

impl SyncFlow {
    /// A job that syncs `flow`, which the engine has a source of.
    pub fn new(engine: Engine, flow: FlowId) -> Self {
        Self { engine, flow }
    }
}

#[async_trait]
impl Job for SyncFlow {
    async fn run(&self, run: &Run) -> Result<String> {
        let engine = self.engine.halted_by(run.stop_signal());
        let (task, counts) = engine.sync_run(&self.flow, &run.id).await?;
        Ok(format!("{} {}: {}", self.flow, task.status.as_str(), words(&counts)))
    }
}

/// Counts in words, without those that are zero.
fn words(counts: &Counts) -> String {
    let parts = [
        ("succeeded", counts.success),
        ("failed", counts.failed),
        ("ignored", counts.ignored),
        ("cancelled", counts.cancelled),
        ("open", counts.open()),
    ];
    let some: Vec<String> =
        parts.iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}")).collect();
    match some.is_empty() {
        true => "nothing was new".to_owned(),
        false => some.join(", "),
    }
}
