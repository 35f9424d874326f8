//! The hooks of a component with telemetry: the OpenTelemetry SDK with the host as its exporter.

mod bindings;
mod call;
mod fields;
mod headers;
mod instruments;
mod json;
mod log;
mod metric_data;
mod metrics;
mod open;
mod panic;
mod pipeline;
mod root;
mod sampler;
mod span;
mod subscriber;

pub use headers::headers;
pub use metrics::flush;
pub use pipeline::{install, logger};
pub use root::{RootSpan, task};
pub use subscriber::set_level;
