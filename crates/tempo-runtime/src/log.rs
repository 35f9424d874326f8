//! The runtime's own log, on standard error.

use std::io::IsTerminal as _;

use tempo_core::{Flag, Settings};
use tracing_subscriber::EnvFilter;

const LOG: Flag = Flag::new("log", "FILTER", "What to log: a level, or a filter such as info,tempo_runtime=debug")
    .default("info,async_nats=warn,object_store=warn");

/// The flags of the log.
pub const FLAGS: &[Flag] = &[LOG];

/// Starts the log. A second call in the same process changes nothing.
///
/// # Errors
///
/// The filter cannot be read.
pub fn start(settings: &Settings) -> anyhow::Result<()> {
    let filter: String = settings.require(&LOG)?;
    let filter = EnvFilter::try_new(filter)
        .map_err(|_| settings.invalid(&LOG, "expected a level (error, warn, info, debug, trace) or a filter"))?;
    let stderr = std::io::stderr;
    // Only the first subscriber of a process counts; a test that boots twice keeps it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .try_init();
    Ok(())
}
