//! `Sink`, the trait of receivers of telemetry.

use crate::record::{Origin, Record, Signal};

/// Receives the finished spans and log records of the host, and the OTLP records of guests. A guest's record is within its
/// limits.
///
/// Called on the request path: implementations must not block.
pub trait Sink: Send + Sync + 'static {
    /// Returns false if records of `signal` are discarded; callers may then skip building them.
    fn enabled(&self, signal: Signal) -> bool;

    /// Receives a record.
    fn record(&self, origin: Origin<'_>, record: Record<'_>);

    /// Returns whether the host sets the resource attribute `key` itself, so that guests must not.
    fn reserves(&self, key: &str) -> bool {
        let _ = key;
        false
    }
}
