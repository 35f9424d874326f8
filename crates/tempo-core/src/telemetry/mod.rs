//! What a runtime tells of itself and of its guests: spans, metrics, and the context in which a call runs.
//!
//! This is the seam only. Whoever has something to tell holds a [`Telemetry`], which is off unless the runtime was given
//! a [`Sink`]; the crate `tempo-otlp` has one that speaks OTLP. Ids, attributes and instruments are those of the
//! `opentelemetry` API.

mod context;
mod host_call;
mod ids;
mod metrics;
mod operation;
mod outgoing;
mod propagation;
mod sampler;
mod sink;
mod span;

pub use context::{CallContext, MAX_OPEN_SPANS, current, scope, within};
pub use host_call::HostCall;
pub(crate) use metrics::Counted;
pub use metrics::Metrics;
pub use operation::{Operation, Operations};
pub use outgoing::Outgoing;
pub use propagation::{BAGGAGE, FIELDS, Remote, TRACEPARENT, TRACESTATE};
pub use sampler::Sampler;
pub use sink::{Record, Signal, Sink, Telemetry, TelemetryBuilder};
pub use span::{Span, SpanData};
