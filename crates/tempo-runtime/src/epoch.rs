//! The thread that advances an engine's epoch.

use wasmtime::Engine;

use crate::engine::TICK;

/// Starts the thread. It holds a weak reference to the engine and ends when the engine is dropped.
///
/// It is a thread rather than a task, because it must run while all other threads are busy in guests.
pub(crate) fn advance(engine: &Engine) -> std::io::Result<()> {
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
