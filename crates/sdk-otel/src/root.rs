//! RootSpan spans for calls without an attribute of the SDK.

use std::borrow::Cow;

use tempo_sdk_trace::RootSpan;

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
