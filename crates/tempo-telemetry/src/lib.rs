//! The telemetry API of Tempo's services.
//!
#![doc = include_str!("../README.md")]

mod accept_errors;
mod context;
mod health;
mod host_call;
mod ids;
mod instruments;
mod limit_hits;
mod live_components;
mod operation;
mod outgoing;
mod propagation;
mod record;
mod sampler;
mod sink;
mod span;
mod telemetry;

pub use accept_errors::AcceptErrors;
pub use context::{CallContext, MAX_OPEN_SPANS, current, within};
pub use health::{Health, Heartbeat, RuntimePhase};
pub use host_call::{HostCall, HostCalls};
pub use instruments::{COMPONENT_KEY, ComponentMeter, GaugeGuard, Instruments};
pub use live_components::LiveComponents;
pub use operation::{Operation, Operations};
pub use outgoing::Outgoing;
pub use propagation::{BAGGAGE, FIELDS, RemoteContext, TRACEPARENT, TRACESTATE};
pub use record::{Origin, Record, Signal};
pub use sampler::Sampler;
pub use sink::Sink;
pub use span::Span;
pub use telemetry::{Telemetry, TelemetryBuilder};
