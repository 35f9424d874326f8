//! The threads on which calls go on that compute for long, so that they do not delay the short ones.

use std::sync::Arc;

use tempo_core::BackgroundSpawner;
use tokio::runtime::{Builder, Runtime};

/// How much lower than the serving threads the background's priority is, in the steps of nice(2).
///
/// A step is a tenth of a processor: beside others that are busy, a computation at 2 takes half as long again as at the
/// priority of the program, and at 10 ten times as long. A serving thread that wakes up runs before it at either.
const NICENESS: i32 = 2;

/// Starts the background and returns what spawns onto it. It ends when the runtime is dropped.
///
/// # Errors
///
/// The system gives no more threads.
pub fn start() -> std::io::Result<(Runtime, BackgroundSpawner)> {
    let runtime = Builder::new_multi_thread()
        .thread_name("tempo-background")
        .on_thread_start(|| {
            // On Linux this is the calling thread only. Elsewhere, or when refused, the priority stays the same.
            if cfg!(target_os = "linux") {
                let _ = rustix::process::nice(NICENESS);
            }
        })
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    let spawn: BackgroundSpawner = Arc::new(move |call| drop(handle.spawn(call)));
    Ok((runtime, spawn))
}
