//! The telemetry API of Tempo's services.
//!
#![doc = include_str!("../README.md")]

mod accept_errors;
mod context;
mod health;
mod host_call;
mod ids;
mod metrics;
mod operation;
mod outgoing;
mod propagation;
mod sampler;
mod sink;
mod span;

pub use accept_errors::AcceptErrors;
pub use context::{CallContext, MAX_OPEN_SPANS, current, within};
pub use health::{Health, Heartbeat, RuntimePhase};
pub use host_call::HostCall;
pub use metrics::{GaugeGuard, Metrics};
pub use operation::{Operation, Operations};
pub use outgoing::Outgoing;
pub use propagation::{BAGGAGE, FIELDS, RemoteContext, TRACEPARENT, TRACESTATE};
pub use sampler::Sampler;
pub use sink::{Record, Signal, Sink, Telemetry, TelemetryBuilder};
pub use span::{Span, SpanData};
