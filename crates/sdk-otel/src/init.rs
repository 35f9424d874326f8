//! Options of the telemetry.

use tracing::level_filters::LevelFilter;

/// Records spans and events of `tracing` up to `level`. The initial level is `INFO`. May be called on each request:
/// only the first call in an instance, or a call with another level, has an effect.
///
/// ```no_run
/// use tempo_sdk_otel::tracing::level_filters::LevelFilter;
///
/// tempo_sdk_otel::init(LevelFilter::DEBUG);
/// ```
///
/// A component with a handler of the SDK needs it only for the level. Other components call it before their first span.
pub fn init(level: LevelFilter) {
    tempo_sdk_trace::install();
    tempo_sdk_trace::set_level(level);
}
