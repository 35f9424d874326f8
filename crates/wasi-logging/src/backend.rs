//! `LogSink`, the trait of backends of `wasi:logging`, and the state of a store.

use std::fmt;
use std::sync::Arc;

use tempo_core::{Limits, LogBudget, LogTail};

use crate::{LoggingCtxBuilder, LoggingView};

/// The level of a message, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Values of variables and control flow.
    Trace,
    /// For debugging the program.
    Debug,
    /// For monitoring the program.
    Info,
    /// A potentially harmful condition.
    Warn,
    /// A failure.
    Error,
    /// A failure that ends the program.
    Critical,
}

/// One message of a component. Its texts are truncated and escaped: they contain no line breaks and no terminal
/// controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// The component's name, set by the host.
    pub component: &'a str,
    /// The level.
    pub level: Level,
    /// The guest's context, often empty. At most 256 bytes.
    pub context: &'a str,
    /// The guest's message. At most as long as a log line.
    pub message: &'a str,
    /// True if a text was truncated.
    pub clipped: bool,
}

impl<'a> Record<'a> {
    /// Creates a message without a context, as a test of a sink needs it.
    pub fn new(component: &'a str, level: Level, message: &'a str) -> Self {
        Self { component, level, context: "", message, clipped: false }
    }
}

/// Receives messages. Called while the guest waits: implementations must not block. A sink that sends over a network
/// uses a bounded queue.
pub trait LogSink: Send + Sync + 'static {
    /// Returns false if messages of `level` are discarded; they then do not count against the component's limits.
    fn enabled(&self, level: Level) -> bool {
        let _ = level;
        true
    }

    /// Writes a message.
    fn write(&self, record: &Record<'_>);

    /// Reports that `count` messages of `component` were dropped since the last report. Called once a second while messages
    /// are dropped, and once more after the last.
    fn dropped(&self, component: &str, count: u64);
}

/// The state of a store. Clones share the sink and the component's limits.
#[derive(Clone)]
pub struct LoggingCtx {
    pub(crate) component: Arc<str>,
    pub(crate) sink: Arc<dyn LogSink>,
    pub(crate) budget: Arc<LogBudget>,
    /// Receives the messages that the budget drops.
    pub(crate) tail: Option<LogTail>,
}

impl LoggingCtx {
    /// Returns a builder of a context that writes to [`Events`](crate::Events) within the default limits.
    pub fn builder() -> LoggingCtxBuilder {
        LoggingCtxBuilder::new()
    }

    /// Creates the state of `component`, whose messages go to `sink` within `limits`.
    pub fn new(component: &str, sink: Arc<dyn LogSink>, limits: &Limits) -> Self {
        let component: Arc<str> = component.into();
        let (reported, reports) = (component.clone(), sink.clone());
        let budget = Arc::new(LogBudget::new(limits, move |count| reports.dropped(&reported, count)));
        Self { component, sink, budget, tail: None }
    }

    /// Keeps the last messages that the limits drop in `tail`, which writes them if the call traps.
    #[must_use]
    pub fn with_tail(mut self, tail: LogTail) -> Self {
        self.tail = Some(tail);
        self
    }

    /// Returns the view that the host function uses during a call.
    pub fn view(&self) -> LoggingView<'_> {
        LoggingView { state: self }
    }
}

impl fmt::Debug for LoggingCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggingCtx").field("component", &self.component).finish_non_exhaustive()
    }
}
