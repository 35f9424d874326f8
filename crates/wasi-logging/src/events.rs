//! `Events`: emits each message as a `tracing` event.

use std::sync::Arc;

use tempo_core::{Backend, BootContext, StoreContext};
use tempo_settings::Flag;
use tracing::{debug, error, event_enabled, info, trace, warn};

use crate::telemetry::instrument;
use crate::{Level, LogSink, LoggingCtx, Record, WasiLogging};

/// Emits a `tracing` event for each message, with the target `guest` and the fields `component`, `context` (if not
/// empty), `clipped` (if truncated) and `critical` (for the level `critical`, which is emitted as an error).
#[derive(Clone, Copy, Debug, Default)]
pub struct Events;

macro_rules! emit {
    ($event:ident, $record:ident $(, $field:ident = $value:expr)*) => {
        $event!(
            target: "guest",
            component = $record.component,
            context = (!$record.context.is_empty()).then_some($record.context),
            clipped = $record.clipped.then_some(true),
            $($field = $value,)*
            "{}", $record.message
        )
    };
}

impl LogSink for Events {
    fn enabled(&self, level: Level) -> bool {
        match level {
            Level::Trace => event_enabled!(target: "guest", tracing::Level::TRACE),
            Level::Debug => event_enabled!(target: "guest", tracing::Level::DEBUG),
            Level::Info => event_enabled!(target: "guest", tracing::Level::INFO),
            Level::Warn => event_enabled!(target: "guest", tracing::Level::WARN),
            Level::Error | Level::Critical => event_enabled!(target: "guest", tracing::Level::ERROR),
        }
    }

    fn write(&self, record: &Record<'_>) {
        match record.level {
            Level::Trace => emit!(trace, record),
            Level::Debug => emit!(debug, record),
            Level::Info => emit!(info, record),
            Level::Warn => emit!(warn, record),
            Level::Error => emit!(error, record),
            Level::Critical => emit!(error, record, critical = true),
        }
    }

    fn dropped(&self, component: &str, count: u64) {
        warn!(target: "guest", component, dropped = count, "log lines were dropped: there were too many (--max-log-rate)");
    }
}

/// The backend of a runtime: [`Events`], with one log budget for all stores of a component.
#[derive(Clone, Debug)]
pub struct TracingLog {
    state: LoggingCtx,
}

impl Backend<WasiLogging> for TracingLog {
    /// The limits of log lines are flags of every runtime.
    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    async fn connect(boot: BootContext<'_>) -> tempo_settings::Result<Self> {
        Ok(Self { state: LoggingCtx::new(boot.component, instrument(boot.telemetry, Arc::new(Events)), boot.limits) })
    }

    fn state(&self, store: &StoreContext) -> LoggingCtx {
        self.state.clone().with_tail(store.log_tail.clone())
    }
}
