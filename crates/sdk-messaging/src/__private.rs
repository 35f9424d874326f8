//! Support for the code that `#[handler]` generates. Not public API: it may change in any release.

pub use crate::bindings::_export_handler as export;
pub use crate::bindings::exports::tempo::messaging::handler::{Delivery, Disposition, Guest};

use crate::handler::{self, IntoDisposition};
use crate::message::FromMessage;
use tempo_sdk_trace::RootSpan;

/// The bindings, at the path where the export macro looks for its types.
pub mod bindings {
    pub use crate::bindings::*;
}

/// Creates the root span of this call, named after the topic. Does nothing without telemetry.
pub fn root(delivery: &Delivery) -> RootSpan {
    RootSpan::new(|| format!("process {}", delivery.message.topic).into())
}

/// Builds the handler's argument from the host's delivery.
pub fn message<M: FromMessage>(delivery: Delivery) -> M {
    M::from_message(crate::Message::delivered(delivery))
}

/// Converts the handler's return value to the disposition of the delivery.
pub fn disposition<D: IntoDisposition>(returned: D) -> Disposition {
    handler::disposition(returned.into_disposition())
}
