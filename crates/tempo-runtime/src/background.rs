//! The background threads, which run long computations so that they do not delay short calls.

use std::sync::Arc;

use tempo_core::BackgroundSpawner;
use tokio::runtime::{Builder, Runtime};

/// Niceness of the background threads, added to that of the process (nice(2)).
///
/// Each step costs a tenth of a processor: beside other busy threads, a computation at 2 takes 1.5 times as long as at the
/// niceness of the process, and at 10 ten times as long. A serving thread that wakes up preempts it at either.
const NICENESS: i32 = 2;

/// Starts the background threads and returns their spawner. They end when the runtime is dropped.
///
/// # Errors
///
/// The system refuses to create a thread.
pub(crate) fn start() -> std::io::Result<(Runtime, BackgroundSpawner)> {
    let runtime = Builder::new_multi_thread()
        .thread_name("tempo-background")
        .on_thread_start(|| {
            // On Linux, nice(2) changes the calling thread only. Elsewhere, and if refused, the priority stays unchanged.
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
