//! The lines of standard error that are no events: addresses, errors, panics and the output of builds. No filter drops them.
//! Where the log is JSON they are JSON too, so that a program that reads it can parse every line.

use std::sync::OnceLock;

use tempo_settings::one_line;
use tracing::Level;

use crate::log_format::json_line;
use crate::log_output;

/// The format of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineFormat {
    /// Text.
    Text,
    /// JSON except for errors: without a terminal, users also read them in the log of a build or a script.
    JsonExceptErrors,
    /// JSON.
    Json,
}

static FORMAT: OnceLock<LineFormat> = OnceLock::new();

/// Sets the format for the rest of the process. Before that, lines are text. Further calls have no effect.
pub(crate) fn set_format(format: LineFormat) {
    let _ = FORMAT.set(format);
}

/// Returns whether lines are JSON.
pub(crate) fn is_json() -> bool {
    format() != LineFormat::Text
}

/// Writes `text` in order with the lines of the log.
pub(crate) fn write(level: Level, text: &str) {
    if is_json() { log_output::write_line(&json_line(level, text)) } else { log_output::write_line(text) }
}

/// Writes why a command failed.
pub(crate) fn write_error(error: &anyhow::Error) {
    let text = one_line(error.as_ref());
    match format() {
        LineFormat::Json => log_output::write_line(&json_line(Level::ERROR, &text)),
        _ => log_output::write_line(&format!("error: {text}")),
    }
}

fn format() -> LineFormat {
    FORMAT.get().copied().unwrap_or(LineFormat::Text)
}
