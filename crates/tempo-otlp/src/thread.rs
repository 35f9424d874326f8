//! The thread `tempo-otlp`, which runs the exporters and other work that must not delay requests.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::losses::Losses;
use crate::otlp::buffer::Buffer;
use crate::otlp::sender::Sender;
use crate::stop::{self, Stop, Stopper};

/// Part of the shutdown timeout that the thread leaves unused, so that it ends before its caller's timeout.
const STOP_MARGIN: Duration = Duration::from_millis(50);

thread_local! {
    static IS_TELEMETRY_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Returns true on the telemetry thread. Its log messages must not be exported: each failed export would create another
/// record.
pub fn is_telemetry_thread() -> bool {
    IS_TELEMETRY_THREAD.try_with(Cell::get).unwrap_or(false)
}

/// The work of the telemetry thread.
pub(crate) struct Work {
    /// Constructed on the thread, as they belong to its runtime.
    pub(crate) senders: Vec<Box<dyn FnOnce() -> Sender + Send>>,
    pub(crate) buffers: Vec<Arc<Buffer>>,
    pub(crate) tasks: Vec<BoxFuture<'static, ()>>,
    pub(crate) losses: Arc<Losses>,
}

/// Handle of the telemetry thread. Dropping it ends the thread.
pub(crate) struct TelemetryThread {
    stopper: Stopper,
    ended: Receiver<()>,
}

impl TelemetryThread {
    /// # Errors
    /// The system gives no more threads.
    pub(crate) fn start(work: Work) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            // For name lookups, and decoding of received requests.
            .max_blocking_threads(4)
            .thread_name("tempo-otlp-lookup")
            .build()?;
        let (stopper, stop) = stop::pair();
        let (done, ended) = channel();
        std::thread::Builder::new().name("tempo-otlp".into()).spawn(move || {
            IS_TELEMETRY_THREAD.set(true);
            run(runtime, work, &stop);
            // Fails if the caller has stopped waiting.
            let _ = done.send(());
        })?;
        Ok(Self { stopper, ended })
    }

    /// Flushes the buffers for at most `within`.
    pub(crate) fn stop(self, within: Duration) {
        let timeout = within.saturating_sub(STOP_MARGIN.min(within / 4));
        let now = Instant::now();
        self.stopper.stop(now.checked_add(timeout).unwrap_or(now));
        // A thread that has not ended by then is left behind.
        let _ = self.ended.recv_timeout(within);
    }
}

fn run(runtime: Runtime, work: Work, stop: &Stop) {
    let Work { senders, buffers, tasks, losses } = work;
    runtime.block_on(async {
        let mut others = JoinSet::new();
        for task in tasks {
            others.spawn(task);
        }
        let (mut stopping, mut end) = (stop.clone(), stop.clone());
        let senders = join_all(senders.into_iter().map(|make| make().run(stop.clone())));
        tokio::select! {
            _ = async { tokio::join!(senders, stopping.wait()) } => {}
            () = end.deadline() => {}
        }
    });
    for buffer in buffers {
        buffer.discard();
    }
    losses.log(true);
    // Does not wait for hanging lookups.
    runtime.shutdown_background();
}
