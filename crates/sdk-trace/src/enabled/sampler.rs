//! The sampler: it records the spans of a call if the host records its own span.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use super::call;

/// Follows the host's sampling decision. Records spans outside of a call.
#[derive(Clone, Debug)]
pub(super) struct HostSampler;

impl ShouldSample for HostSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let silent = parent.is_some_and(call::is_unsampled);
        SamplingResult {
            decision: if silent { SamplingDecision::Drop } else { SamplingDecision::RecordAndSample },
            attributes: Vec::new(),
            trace_state: parent.map_or(TraceState::NONE, |parent| parent.span().span_context().trace_state().clone()),
        }
    }
}
