//! The samplers of the OpenTelemetry specification.

use opentelemetry::TraceId;
use opentelemetry::trace::SpanContext;

/// Decides whether a span is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Sampler {
    /// Every span.
    AlwaysOn,
    /// No span.
    AlwaysOff,
    /// This share of all traces, from 0 to 1, selected by trace id, so that all programs select the same traces.
    Ratio(f64),
    /// The decision of the parent; for a root span, as [`Ratio`](Self::Ratio).
    ParentBased(f64),
}

impl Sampler {
    /// Returns whether a span of `trace` under `parent` is recorded.
    pub fn samples(self, trace: TraceId, parent: Option<&SpanContext>) -> bool {
        match (self, parent) {
            (Self::AlwaysOn, _) => true,
            (Self::AlwaysOff, _) => false,
            (Self::ParentBased(_), Some(parent)) => parent.is_sampled(),
            (Self::Ratio(share) | Self::ParentBased(share), _) => within(share, trace),
        }
    }
}

/// Compares the lower 63 bits of the id with `share`, as the OpenTelemetry SDKs do.
fn within(share: f64, trace: TraceId) -> bool {
    if share >= 1.0 {
        return true;
    }
    let bytes = trace.to_bytes();
    let low = bytes.iter().skip(8).fold(0_u64, |low, byte| low << 8 | u64::from(*byte));
    // The cast saturates: a negative share becomes 0.
    (low >> 1) < (share * (1_u64 << 63) as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{TraceFlags, TraceState};
    use opentelemetry::{SpanId, TraceId};

    fn parent(sampled: bool) -> SpanContext {
        let flags = TraceFlags::default().with_sampled(sampled);
        SpanContext::new(TraceId::from(1), SpanId::from(1), flags, true, TraceState::NONE)
    }

    #[test]
    fn the_ratio_of_sampled_traces_is_the_configured_one() {
        for (share, least, most) in [(0.0, 0, 0), (0.01, 50, 160), (0.5, 4_700, 5_300), (1.0, 10_000, 10_000)] {
            fastrand::seed(7);
            let chosen =
                (0..10_000).filter(|_| Sampler::Ratio(share).samples(super::super::ids::trace_id(), None)).count();
            assert!((least..=most).contains(&chosen), "{chosen} of 10,000 at {share}");
        }
    }

    #[test]
    fn only_a_parent_based_sampler_follows_the_parent() {
        let trace = TraceId::from(u128::MAX);
        for sampled in [false, true] {
            let parent = parent(sampled);
            assert_eq!(Sampler::ParentBased(0.5).samples(trace, Some(&parent)), sampled);
            assert!(!Sampler::Ratio(0.5).samples(trace, Some(&parent)));
            assert!(Sampler::AlwaysOn.samples(trace, Some(&parent)));
            assert!(!Sampler::AlwaysOff.samples(trace, Some(&parent)));
        }
        assert!(!Sampler::ParentBased(0.5).samples(trace, None));
        assert!(Sampler::ParentBased(0.5).samples(TraceId::from(1), None));
    }
}
