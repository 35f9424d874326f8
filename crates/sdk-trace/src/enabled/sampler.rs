//! Which spans are recorded: those of a call whose host records its own.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use super::call;

/// Does as the host does. A span with no call around it is recorded.
#[derive(Clone, Debug)]
pub(super) struct LikeTheHost;

impl ShouldSample for LikeTheHost {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let silent = parent.is_some_and(call::is_silent);
        SamplingResult {
            decision: if silent { SamplingDecision::Drop } else { SamplingDecision::RecordAndSample },
            attributes: Vec::new(),
            trace_state: parent.map_or(TraceState::NONE, |parent| parent.span().span_context().trace_state().clone()),
        }
    }
}
