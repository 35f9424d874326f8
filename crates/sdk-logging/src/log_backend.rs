//! A backend of the `log` crate that writes to the host, for `log::info!` and the libraries that use it.

use log::{LevelFilter, Log, Metadata, Record};

use crate::Level;

struct Host;

/// Sends the records of the `log` crate to the host, from `level` on. May be called on each request: the first call in
/// an instance installs the logger, later calls set the level.
///
/// ```no_run
/// tempo_sdk_logging::init(log::LevelFilter::Info);
/// log::info!("ready");
/// ```
pub fn init(level: LevelFilter) {
    // Fails if this instance already has a logger.
    let _ = log::set_logger(&Host);
    log::set_max_level(level);
}

impl Log for Host {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            log::Level::Trace => Level::Trace,
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        match record.args().as_str() {
            Some(message) => crate::log(level, record.target(), message),
            None => crate::log(level, record.target(), &record.args().to_string()),
        }
    }

    fn flush(&self) {}
}
