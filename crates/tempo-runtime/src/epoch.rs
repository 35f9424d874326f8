//! The thread that advances an engine's epoch.

use wasmtime::Engine;

use crate::engine::TICK;

/// Starts the thread. It holds the engine weakly and ends with it.
///
/// A thread of its own, rather than a task: it must run just when every other thread is busy in a guest.
pub fn advance(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("tempo-epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}
