//! One log message, by function.

use crate::bindings::wasi::logging::logging;

/// How much a message matters, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Writes one message. `context` is free text by which messages are grouped, such as a module.
///
/// The macros ([`info!`](crate::info) and its like) format the message and fill in the context.
pub fn log(level: Level, context: &str, message: &str) {
    let level = match level {
        Level::Trace => logging::Level::Trace,
        Level::Debug => logging::Level::Debug,
        Level::Info => logging::Level::Info,
        Level::Warn => logging::Level::Warn,
        Level::Error => logging::Level::Error,
        Level::Critical => logging::Level::Critical,
    };
    logging::log(level, context, message);
}
