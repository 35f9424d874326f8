//! `FailureLog`: the rate limit on the host's log lines about a component's failed calls. Its callers can make a component fail, so
//! these lines are limited as the guest's own lines are.

use std::sync::Arc;

use crate::{Limits, LogBudget};

/// The rate limits of one component.
#[derive(Debug)]
pub(crate) struct FailureLog {
    /// Lines of the host.
    lines: LogBudget,
    /// Tails of the guest's log, whose lines the guest's own budget counts.
    tails: LogBudget,
}

impl FailureLog {
    /// Creates the limits of `component`. The host reports the number of dropped lines.
    pub(crate) fn new(component: &str, limits: &Limits) -> Self {
        let component: Arc<str> = component.into();
        let report = move |dropped| {
            let component = &*component;
            tracing::warn!(
                component,
                dropped,
                "lines about failed calls were dropped: there were too many (--max-log-rate)"
            );
        };
        Self { lines: LogBudget::new(limits, report), tails: LogBudget::new(limits, |_| {}) }
    }

    /// Returns whether the host may write a line about a failed call. Counts a dropped line otherwise.
    pub(crate) fn admit_line(&self) -> bool {
        self.lines.admit()
    }

    /// Returns whether the last lines before a trap may be written.
    pub(crate) fn admit_tail(&self) -> bool {
        self.tails.admit()
    }
}
