//! The job of a flow.

use async_trait::async_trait;

use super::{Job, Run};
use crate::Result;
use crate::engine::{Engine, Pulled};
use crate::model::FlowId;

/// A job that pulls a flow into a sync task whose id is that of the run. It ends with the pull, so that an ERP that is away, or
/// has much to do, holds up no pull after it: workers of the flow are to be at work ([`Engine::start_workers`]), here or
/// elsewhere, and something that closes sync tasks ([`Engine::keep_closing`]). What became of the entities is found in the sync
/// task; the note tells what the pull has brought. A pull that brings nothing has no sync task.
#[derive(Clone)]
pub struct SyncFlow {
    engine: Engine,
    flow: FlowId,
}

impl SyncFlow {
    /// A job that pulls `flow`, which the engine has a source of.
    pub fn new(engine: Engine, flow: FlowId) -> Self {
        Self { engine, flow }
    }
}

#[async_trait]
impl Job for SyncFlow {
    async fn run(&self, run: &Run) -> Result<String> {
        let engine = self.engine.halted_by(run.stop_signal());
        let brought = match engine.pull_run(&self.flow, &run.id).await? {
            Some(pulled) => words(&pulled),
            None => "was pulled by an earlier attempt".to_owned(),
        };
        Ok(format!("{}: {brought}", self.flow))
    }
}

/// What a pull has brought, in words, without what is zero.
fn words(pulled: &Pulled) -> String {
    let parts =
        [("new", pulled.inserted), ("changed", pulled.restaged), ("unchanged and still failed", pulled.still_failed)];
    let some: Vec<String> =
        parts.iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}")).collect();
    match some.is_empty() {
        true => "nothing was new".to_owned(),
        false => some.join(", "),
    }
}
