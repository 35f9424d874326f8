//! The runtime's log on standard error: filter and format.

use std::backtrace::BacktraceStatus;
use std::io::IsTerminal as _;
use std::time::Duration;

use tempo_settings::{Flag, FlagValue, Settings};
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::dev;
use crate::log_format::{Human, Json};
use crate::log_line::{self, LineFormat};
use crate::log_output;
use crate::reporting::log_layer;

const LOG: Flag =
    Flag::new("log", "FILTER", "Filter of the log: a level, or a filter such as info,tempo_runtime=debug")
        .default("info,async_nats=warn,object_store=warn,h2=error")
        .of_process();
const LOG_FORMAT: Flag =
    Flag::new("log-format", "FORMAT", "Format of the log: human, json, or auto, which is human on a terminal")
        .default("auto")
        .one_of(&["human", "json", "auto"])
        .of_process();

/// The flags of the log.
pub(crate) const FLAGS: &[Flag] = &[LOG, LOG_FORMAT];

/// The value of `--log-format`.
enum Format {
    Auto,
    Human,
    Json,
}

impl FlagValue for Format {
    const EXPECTED: &'static str = "human, json or auto";
    fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Starts the log. Further calls in the same process have no effect.
///
/// # Errors
///
/// The filter or the format cannot be parsed.
pub(crate) fn start(settings: &Settings) -> anyhow::Result<()> {
    let filter: String = settings.require(&LOG)?;
    let filter = || {
        EnvFilter::try_new(&filter)
            .map_err(|_| settings.invalid(&LOG, "expected a level (error, warn, info, debug, trace) or a filter"))
    };
    let lines_filter = filter()?;
    let terminal = std::io::stderr().is_terminal();
    let format = match settings.require(&LOG_FORMAT)? {
        Format::Json => LineFormat::Json,
        Format::Auto if !terminal => LineFormat::JsonExceptErrors,
        Format::Human | Format::Auto => LineFormat::Text,
    };
    log_line::set_format(format);
    let json = format != LineFormat::Text;
    let lines = fmt::layer().with_ansi(dev::has_colors() && !json).with_writer(log_output::standard());
    let lines = if json { lines.event_format(Json).boxed() } else { lines.event_format(Human::default()).boxed() };
    std::panic::set_hook(Box::new(report_panic));
    let telemetry = log_layer().map(|layer| anyhow::Ok(layer.with_filter(filter()?))).transpose()?;
    // Fails if a subscriber is installed already, as in a test that boots twice.
    let _ = tracing_subscriber::registry().with(telemetry).with(lines.with_filter(lines_filter)).try_init();
    Ok(())
}

/// Writes the message of the standard panic hook, without blocking on standard error.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let backtrace = std::backtrace::Backtrace::capture();
    let name = thread.name().unwrap_or("unnamed");
    let text = format!("thread '{name}' {panic}");
    let text = match backtrace.status() {
        BacktraceStatus::Captured => format!("{text}\n{backtrace}"),
        _ => text,
    };
    log_line::write(Level::ERROR, &text);
    // The process exits with its main thread, which does not flush after a panic.
    if name == "main" {
        log_output::flush(Duration::from_secs(1));
    }
}
