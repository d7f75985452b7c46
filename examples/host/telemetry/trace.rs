//! Traces: what a run does in every process, as one trace.

use std::time::Duration;

use datawald_core::http::HttpSettings;
use datawald_core::{Error, Result};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::otlp::Sender;
use super::run_tracer::{Ids, RunTracer};
use crate::config::TelemetrySetup;

const OPERATION: &str = "set up traces";

/// How long spans wait for company before they are sent.
const DELAY: Duration = Duration::from_secs(1);

/// An event for each entity of a page or a batch.
const EVENTS_PER_SPAN: u32 = 1_000;

/// How long the last spans may take on their way when the host ends.
const LAST: Duration = Duration::from_secs(5);

/// Sends spans to a collector.
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Starts to send. Within a runtime, which does the sending.
    pub(super) fn start(setup: &TelemetrySetup) -> Result<Self> {
        let http = HttpSettings::new(&setup.otlp_endpoint).map_err(|error| error.field("otlp_endpoint"))?;
        let wrong = |error| Error::config(OPERATION, "the exporter cannot be built").caused_by(error);
        let endpoint = http.base_url.join("v1/traces").map_err(|error| {
            Error::config(OPERATION, "is no address that paths can be joined to")
                .field("otlp_endpoint")
                .caused_by(error)
        })?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender::new(http)?)
            .with_endpoint(endpoint.as_str())
            .build()
            .map_err(wrong)?;
        let batches = BatchSpanProcessor::builder(exporter)
            .with_batch_config(BatchConfigBuilder::default().with_scheduled_delay(DELAY).build())
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(batches)
            .with_id_generator(Ids::default())
            .with_max_events_per_span(EVENTS_PER_SPAN)
            .with_resource(Resource::builder().with_service_name(setup.service_name.clone()).build())
            .build();
        Ok(Self { provider })
    }

    /// The layer that makes spans of `tracing` into spans to be sent.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(RunTracer::new(self.provider.tracer("datawald")))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
    }

    /// Sends what is left. Blocks.
    pub(super) fn stop(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}
