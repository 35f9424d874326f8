//! The background threads, which run long computations so that they do not delay short calls.

use std::sync::Arc;

use tempo_core::BackgroundSpawner;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// Niceness of the background threads, added to that of the process (nice(2)).
///
/// Each step costs a tenth of a processor: beside other busy threads, a computation at 2 takes 1.5 times as long as at the
/// niceness of the process, and at 10 ten times as long. A serving thread that wakes up preempts it at either.
const NICENESS: i32 = 2;

/// Niceness of the threads that load components while others are served.
const LOADING_NICENESS: i32 = 10;

/// Runs `load`, which may compile components, on threads of low priority. They end when it returns.
///
/// # Errors
///
/// The system refuses to create a thread.
pub(crate) async fn load<R: Send + 'static>(load: impl FnOnce() -> R + Send + 'static) -> anyhow::Result<R> {
    // The compiler uses the threads of the pool that it is called in.
    let pool = rayon::ThreadPoolBuilder::new()
        .thread_name(|_| "tempo-load".to_owned())
        .start_handler(|_| lower_priority(LOADING_NICENESS))
        .build()?;
    let (sender, loaded) = oneshot::channel();
    pool.spawn(move || {
        // Fails if the process is stopping.
        let _ = sender.send(load());
    });
    Ok(loaded.await?)
}

/// Lowers the priority of the calling thread. On Linux, nice(2) changes one thread only. Elsewhere, and if refused, the priority
/// stays unchanged.
fn lower_priority(niceness: i32) {
    if cfg!(target_os = "linux") {
        let _ = rustix::process::nice(niceness);
    }
}

/// Starts the background threads and returns their spawner. They end when the runtime is dropped.
///
/// # Errors
///
/// The system refuses to create a thread.
pub(crate) fn start() -> std::io::Result<(Runtime, BackgroundSpawner)> {
    let runtime = Builder::new_multi_thread()
        .thread_name("tempo-background")
        .on_thread_start(|| lower_priority(NICENESS))
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    let spawn: BackgroundSpawner = Arc::new(move |call| drop(handle.spawn(call)));
    Ok((runtime, spawn))
}
