//! Why a call of a component failed.

use crate::{Interrupted, Overloaded, Workload, describe};

/// Why a call of a component failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The guest trapped, or no instance could be created from the component.
    #[error("the component trapped: {}", describe(.0))]
    Trapped(wasmtime::Error),
    /// The call exceeded its deadline or its processor time.
    #[error("{0}")]
    TimedOut(#[from] Interrupted),
    /// The call was not admitted.
    #[error("{0}")]
    Overloaded(#[from] Overloaded),
    /// The data of a store could not be created. The component has not run.
    #[error("its store cannot be created: {}", describe(.0))]
    Store(wasmtime::Error),
}

impl CallError {
    /// Logs the error: `workload` failed over `work`, such as `a request`. Lines beyond `--max-log-rate` are counted instead. An
    /// overload is not logged: it is counted, and would fill the log.
    pub fn log(&self, workload: &Workload, work: &str) {
        if matches!(self, Self::Overloaded(_)) || !workload.admit_failure_line() {
            return;
        }
        let component = workload.name();
        match self {
            Self::Trapped(trap) => {
                tracing::error!(component, error = describe(trap), "the component trapped over {work}");
                tracing::debug!(component, "{trap:?}");
            }
            Self::TimedOut(interrupted) => tracing::warn!(component, "{interrupted}"),
            Self::Store(error) => {
                tracing::error!(component, error = format!("{error:#}"), "cannot create a store for {work}");
            }
            Self::Overloaded(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_cause_and_its_limit() {
        let trap = wasmtime::Error::from(wasmtime::Trap::StackOverflow);
        let errors = [
            (
                CallError::Trapped(trap),
                "the component trapped: wasm trap: call stack exhausted (limit: --max-wasm-stack)",
            ),
            (Interrupted::Deadline.into(), "the request timed out (--request-timeout)"),
            (Interrupted::StreamIdle.into(), "the response paused for too long (--stream-idle-timeout)"),
            (Overloaded::Calls.into(), "too many calls run or wait (--max-requests, --max-queued-requests)"),
        ];
        for (error, text) in errors {
            assert_eq!(error.to_string(), text);
        }
    }
}
