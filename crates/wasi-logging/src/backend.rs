//! What a backend of `wasi:logging` implements, and what a store carries of it.

use std::fmt;
use std::sync::Arc;

use tempo_core::{Limits, LogBudget};

use crate::LogView;

/// How much a message matters, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The values of variables and the flow of control.
    Trace,
    /// Of interest to one who debugs the program.
    Debug,
    /// Of interest to one who watches the program.
    Info,
    /// Something that may do harm.
    Warn,
    /// A failure.
    Error,
    /// A failure that ends the program.
    Critical,
}

/// One message of a component. Its texts are clipped, and hold no character that ends a line or steers a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The component's name, given by the host.
    pub component: &'a str,
    /// How much the message matters.
    pub level: Level,
    /// By what the guest groups its messages; often empty. At most 256 bytes.
    pub context: &'a str,
    /// What the guest has to say. At most as long as a log line may be.
    pub message: &'a str,
    /// Whether the guest had more to say than it may.
    pub clipped: bool,
}

/// Where messages go. Called while the guest waits, so it must not block: a sink that sends messages over a network
/// puts them into a bounded queue.
pub trait LogSink: Send + Sync + 'static {
    /// Whether messages of `level` go anywhere. Those that do not are not counted against the component's limits.
    fn enabled(&self, level: Level) -> bool {
        let _ = level;
        true
    }

    /// Takes a message.
    fn write(&self, record: &Record<'_>);

    /// Takes note that `count` messages of `component` were dropped since its last one. Called before the next `write`.
    fn dropped(&self, component: &str, count: u64);
}

/// What a store carries for the service. Clones share the sink and the component's limits.
#[derive(Clone)]
pub struct LogState {
    pub(crate) component: Arc<str>,
    pub(crate) sink: Arc<dyn LogSink>,
    pub(crate) budget: Arc<LogBudget>,
}

impl LogState {
    /// The messages of `component` go to `sink`, as many and as long as `limits` allow.
    pub fn new(component: &str, sink: Arc<dyn LogSink>, limits: &Limits) -> Self {
        Self { component: component.into(), sink, budget: Arc::new(LogBudget::new(limits)) }
    }

    /// What the host function works on during a call.
    pub fn view(&self) -> LogView<'_> {
        LogView { state: self }
    }
}

impl fmt::Debug for LogState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogState").field("component", &self.component).finish_non_exhaustive()
    }
}
