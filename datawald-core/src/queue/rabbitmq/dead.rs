//! Looking at dead letters.

use std::sync::Arc;

use lapin::options::{BasicGetOptions, BasicNackOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use tokio::time::timeout;

use super::connection::{Link, Live};
use super::names::Names;
use super::{error, parcel};
use crate::Result;
use crate::model::FlowId;
use crate::queue::DeadLetter;

const OPERATION: &str = "list dead letters";

/// Looks at dead letters, one look at a time: what one look holds, another would not see.
pub(super) struct DeadLetters {
    link: Arc<Link>,
    kept: u32,
    turn: tokio::sync::Mutex<()>,
}

impl DeadLetters {
    pub(super) fn new(link: Arc<Link>, kept: u32) -> Self {
        Self { link, kept, turn: tokio::sync::Mutex::default() }
    }

    /// The oldest dead letters of a flow. They are taken and given back: a quorum queue cannot be looked into otherwise.
    pub(super) async fn look(&self, flow: &FlowId, names: &Names, limit: usize) -> Result<Vec<DeadLetter>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let live = self.link.live().await?;
        let looking = async {
            let _turn = self.turn.lock().await;
            self.take_all(&live, flow, names).await
        };
        let (address, time) = (&self.link.address, self.link.limit);
        match timeout(time, looking).await {
            Err(_) => Err(error::late(OPERATION, address, time)),
            // No queue, no letters.
            Ok(Err(error)) if is_not_found(&error) => Ok(Vec::new()),
            Ok(Err(error)) => Err(error::exchange(OPERATION, address, error)),
            Ok(Ok(mut letters)) => {
                letters.truncate(limit);
                Ok(letters)
            }
        }
    }

    /// Takes all there are, however few are wanted: what is given back goes to the end of what was given back before, so that
    /// only when all of it is does it stay in order.
    async fn take_all(&self, live: &Live, flow: &FlowId, names: &Names) -> lapin::Result<Vec<DeadLetter>> {
        // If this is broken off, the channel ends, and with that all of it is given back.
        let channel = live.channel().await?;
        let mut letters = Vec::new();
        let mut last = None;
        for _ in 0..self.kept {
            let Some(got) = channel.basic_get(names.dead().into(), BasicGetOptions::default()).await? else { break };
            let (message, unread) = match parcel::read(flow, &got.data, &got.properties) {
                Ok(message) => (Some(message), None),
                Err(wrong) => (None, Some(wrong)),
            };
            letters.push(DeadLetter { message, reason: parcel::reason(&got.properties, unread.as_deref()) });
            last = Some(got.delivery_tag);
        }
        if let Some(last) = last {
            channel.basic_nack(last, BasicNackOptions { multiple: true, requeue: true }).await?;
        }
        channel.close(200, "done".into()).await?;
        Ok(letters)
    }
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), lapin::ErrorKind::ProtocolError(said)
        if *said.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
}
