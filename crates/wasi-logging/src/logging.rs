//! `wasi:logging/logging`: one function, for both package names.

use tempo_core::escape;

use crate::bindings::{draft, unversioned};
use crate::{Level, LoggingView, Record};

/// Maximum length of the context of a message, in bytes.
const MAX_CONTEXT: usize = 256;

impl LoggingView<'_> {
    fn write(&self, level: Level, context: &str, message: &str) {
        let state = self.state;
        if !state.sink.enabled(level) {
            return;
        }
        let (context, context_clipped) = escape(context, MAX_CONTEXT);
        let (message, message_clipped) = state.budget.line(message);
        let clipped = context_clipped || message_clipped;
        let component = &*state.component;
        if state.budget.admit() {
            state.sink.write(&Record { component, level, context: &context, message: &message, clipped });
        } else if let Some(tail) = &state.tail {
            let (component, sink) = (state.component.clone(), state.sink.clone());
            let (context, message) = (context.into_owned(), message.into_owned());
            tail.keep(&state.budget, context.len().saturating_add(message.len()), move || {
                sink.write(&Record { component: &component, level, context: &context, message: &message, clipped });
            });
        }
    }
}

macro_rules! implement {
    ($($version:ident)*) => { $(
        impl From<$version::wasi::logging::logging::Level> for Level {
            fn from(level: $version::wasi::logging::logging::Level) -> Self {
                use $version::wasi::logging::logging::Level;
                match level {
                    Level::Trace => Self::Trace,
                    Level::Debug => Self::Debug,
                    Level::Info => Self::Info,
                    Level::Warn => Self::Warn,
                    Level::Error => Self::Error,
                    Level::Critical => Self::Critical,
                }
            }
        }

        impl $version::wasi::logging::logging::Host for LoggingView<'_> {
            fn log(&mut self, level: $version::wasi::logging::logging::Level, context: String, message: String) {
                self.write(level.into(), &context, &message);
            }
        }
    )* };
}

implement! { draft unversioned }

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tempo_core::{Limits, LogTail};

    use super::*;
    use crate::{LogSink, LoggingCtx};

    /// Stores messages of level `Debug` and above.
    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl LogSink for Lines {
        fn enabled(&self, level: Level) -> bool {
            level >= Level::Debug
        }

        fn write(&self, record: &Record<'_>) {
            let Record { component, level, context, message, clipped } = record;
            let clipped = if *clipped { " clipped" } else { "" };
            self.0.lock().unwrap().push(format!("{component} {level:?} [{context}] {message}{clipped}"));
        }

        fn dropped(&self, component: &str, count: u64) {
            self.0.lock().unwrap().push(format!("{component} dropped {count}"));
        }
    }

    fn state(line: usize, burst: usize) -> (LoggingCtx, Arc<Lines>) {
        let mut limits = Limits::default();
        (limits.log_line, limits.log_burst, limits.log_rate) = (line, burst, 1000);
        let lines = Arc::new(Lines::default());
        (LoggingCtx::new("app", lines.clone(), &limits), lines)
    }

    #[test]
    fn lines_at_the_edge() {
        let (state, lines) = state(4, 10);
        for message in ["abc", "abcd", "abcde"] {
            state.view().write(Level::Info, "c", message);
        }
        assert_eq!(*lines.0.lock().unwrap(), ["app Info [c] abc", "app Info [c] abcd", "app Info [c] abcd clipped"]);
    }

    #[test]
    fn contexts_at_the_edge() {
        let (state, lines) = state(10, 10);
        for length in [MAX_CONTEXT, MAX_CONTEXT + 1] {
            state.view().write(Level::Info, &"c".repeat(length), "m");
        }
        let context = "c".repeat(MAX_CONTEXT);
        let expected = [format!("app Info [{context}] m"), format!("app Info [{context}] m clipped")];
        assert_eq!(*lines.0.lock().unwrap(), expected);
    }

    #[test]
    fn messages_that_go_nowhere_cost_nothing() {
        let (state, lines) = state(10, 1);
        for _ in 0..100 {
            state.view().write(Level::Trace, "", "unseen");
        }
        state.view().write(Level::Debug, "", "seen");
        assert_eq!(*lines.0.lock().unwrap(), ["app Debug [] seen"]);
    }

    #[test]
    fn what_was_dropped_is_reported_and_its_end_is_written_if_the_call_fails() {
        let (state, lines) = state(10, 1);
        let tail = LogTail::default();
        let of_store = state.clone().with_tail(tail.clone());
        for number in 0..10_000 {
            of_store.view().write(Level::Warn, "", &number.to_string());
        }
        tail.write();
        assert_eq!(lines.0.lock().unwrap().last().unwrap(), "app Warn [] 9999");
        drop((of_store, state));
        assert!(lines.0.lock().unwrap().last().unwrap().starts_with("app dropped "));
    }
}
