//! One trace per run, whatever processes take part in it, without a context that travels.
//!
//! The id of a sync task is a UUID: sixteen bytes, as a trace id is. Every span that begins something in a process (`pull`,
//! `apply`, `close`) carries it as `sync_task`; so its trace is known, and its parent: the `pull` of that run, whose span id is
//! made of the same bytes.

use std::cell::Cell;

use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer};
use uuid::Uuid;

/// The span that a run begins with.
const FIRST: &str = "pull";

/// The field that names the run.
const SYNC_TASK: &str = "sync_task";

thread_local! {
    /// The ids of the span that is being built on this thread, if they are to be certain ones.
    static GIVEN: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Random ids, but for the first span of a run.
#[derive(Debug, Default)]
pub(super) struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        GIVEN.get().map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        GIVEN.get().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}

/// Puts spans without a parent into the trace of their run.
pub(super) struct RunTracer(SdkTracer);

impl RunTracer {
    /// Over a tracer whose ids are [`Ids`].
    pub(super) fn new(tracer: SdkTracer) -> Self {
        Self(tracer)
    }
}

impl Tracer for RunTracer {
    type Span = <SdkTracer as Tracer>::Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Self::Span {
        let run = match parent.span().span_context().is_valid() {
            true => None,
            false => builder.attributes.as_deref().and_then(run_of),
        };
        match run {
            None => self.0.build_with_context(builder, parent),
            Some(ids) if builder.name == FIRST => {
                GIVEN.set(Some(ids));
                let span = self.0.build_with_context(builder, parent);
                GIVEN.set(None);
                span
            }
            Some((trace, first)) => {
                let first = SpanContext::new(trace, first, TraceFlags::SAMPLED, true, TraceState::default());
                self.0.build_with_context(builder, &parent.with_remote_span_context(first))
            }
        }
    }
}

/// The trace of the run that the attributes name, and its first span.
fn run_of(attributes: &[KeyValue]) -> Option<(TraceId, SpanId)> {
    let named = attributes.iter().find(|attribute| attribute.key.as_str() == SYNC_TASK)?;
    let id = Uuid::parse_str(&named.value.as_str()).ok()?;
    let (_, low) = id.as_u64_pair();
    Some((TraceId::from_bytes(id.into_bytes()), SpanId::from_bytes(low.to_be_bytes())))
}
