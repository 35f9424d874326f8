//! What the code that `#[handler]` writes refers to. Not for use by hand: it may change in any release.

pub use crate::bindings::_export_handler as export;
pub use crate::bindings::exports::tempo::messaging::handler::{Delivery, Disposition, Guest};

use crate::handler::{self, IntoDisposition};
use crate::message::FromMessage;
use tempo_sdk_trace::Root;

/// Where the export macro finds its types.
pub mod bindings {
    pub use crate::bindings::*;
}

/// The span of this call, named after the topic; nothing in a component without telemetry.
pub fn root(delivery: &Delivery) -> Root {
    Root::new(|| format!("process {}", delivery.message.topic).into())
}

/// The argument of the handler, from what the host delivers.
pub fn message<M: FromMessage>(delivery: Delivery) -> M {
    M::from_message(crate::Message::delivered(delivery))
}

/// How the delivery ended, from what the handler returned.
pub fn disposition<D: IntoDisposition>(returned: D) -> Disposition {
    handler::disposition(returned.into_disposition())
}
