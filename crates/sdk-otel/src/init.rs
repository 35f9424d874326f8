//! The options.

use tracing::level_filters::LevelFilter;

/// Records the spans and events of `tracing` from `level` on; at first it is `INFO`. May be called on each request: only the
/// first call in an instance, and one with another level, does anything.
///
/// ```no_run
/// use tempo_sdk_otel::tracing::level_filters::LevelFilter;
///
/// tempo_sdk_otel::init(LevelFilter::DEBUG);
/// ```
///
/// A component whose handler is one of the SDK's needs it for the level only. Any other calls it before its first span.
pub fn init(level: LevelFilter) {
    tempo_sdk_trace::install();
    tempo_sdk_trace::set_level(level);
}
