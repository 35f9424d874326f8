//! Levels, and the function that writes one message.

use crate::bindings::wasi::logging::logging;

/// The severity of a message, from least to most severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The values of variables and the control flow.
    Trace,
    /// Information for debugging the program.
    Debug,
    /// Information for operating the program.
    Info,
    /// A condition that may cause harm.
    Warn,
    /// An error.
    Error,
    /// An error that ends the program.
    Critical,
}

/// Writes one message. `context` is free text by which hosts group messages, such as a module path.
///
/// The macros ([`info!`](crate::info) and its siblings) format the message and fill in the context.
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
