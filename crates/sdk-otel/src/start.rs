//! `init` and `root`: telemetry without an attribute of the SDK.

use std::borrow::Cow;

use tempo_sdk_trace::RootSpan;
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

/// Runs `work` in a span whose parent is the host's span of this call, and exports the metrics when it ends. The
/// handlers of the SDK do this for their calls; others, such as watchers, call it themselves.
///
/// ```no_run
/// # async fn refresh() {}
/// # async fn example() {
/// tempo_sdk_otel::root("refresh", refresh()).await;
/// # }
/// ```
pub async fn root<F: Future>(name: impl Into<Cow<'static, str>>, work: F) -> F::Output {
    RootSpan::new(|| name.into()).run(work).await
}
