//! Spans of calls that no attribute takes.

use std::borrow::Cow;

use tempo_sdk_trace::Root;

/// Does `work` in a span below the one that the host has for this call, and exports the metrics when it is done. The handlers
/// of the SDK do it for their calls; others, such as a watcher, do it themselves.
///
/// ```no_run
/// # async fn refresh() {}
/// # async fn example() {
/// tempo_sdk_otel::root("refresh", refresh()).await;
/// # }
/// ```
pub async fn root<F: Future>(name: impl Into<Cow<'static, str>>, work: F) -> F::Output {
    Root::new(|| name.into()).run(work).await
}
