//! The thread `tempo-otlp`: it sends, and runs whatever else must not stand in the way of requests.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::buffer::Buffer;
use crate::losses::Losses;
use crate::sender::Sender;
use crate::stop::{self, Stop, Stopper};

/// What the thread leaves of the time to end, so that it is gone before the one who waits for it.
const MARGIN: Duration = Duration::from_millis(50);

thread_local! {
    static HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the thread that sends telemetry. What it logs must not become telemetry: every failure to send would be
/// one more thing to send.
pub fn is_telemetry_thread() -> bool {
    HERE.try_with(Cell::get).unwrap_or(false)
}

/// What the thread does.
pub(crate) struct Work {
    /// Made on the thread, as they live in its runtime.
    pub(crate) senders: Vec<Box<dyn FnOnce() -> Sender + Send>>,
    pub(crate) buffers: Vec<Arc<Buffer>>,
    pub(crate) tasks: Vec<BoxFuture<'static, ()>>,
    pub(crate) losses: Arc<Losses>,
}

/// The thread, which ends when this is dropped.
pub(crate) struct Thread {
    stopper: Stopper,
    gone: Receiver<()>,
}

impl Thread {
    /// # Errors
    /// The system gives no more threads.
    pub(crate) fn start(work: Work) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            // They look up names, and read what other programs send.
            .max_blocking_threads(4)
            .thread_name("tempo-otlp-lookup")
            .build()?;
        let (stopper, stop) = stop::pair();
        let (going, gone) = channel();
        std::thread::Builder::new().name("tempo-otlp".into()).spawn(move || {
            HERE.set(true);
            run(runtime, work, &stop);
            // Nobody may wait for it any more.
            let _ = going.send(());
        })?;
        Ok(Self { stopper, gone })
    }

    /// Sends what can be sent, for at most as long as `within`.
    pub(crate) fn stop(self, within: Duration) {
        let patience = within.saturating_sub(MARGIN.min(within / 4));
        let now = Instant::now();
        self.stopper.stop(now.checked_add(patience).unwrap_or(now));
        // Either it is gone, or it is not worth the wait.
        let _ = self.gone.recv_timeout(within);
    }
}

fn run(runtime: Runtime, work: Work, stop: &Stop) {
    let Work { senders, buffers, tasks, losses } = work;
    runtime.block_on(async {
        let mut others = JoinSet::new();
        for task in tasks {
            others.spawn(task);
        }
        let (mut said, mut end) = (stop.clone(), stop.clone());
        let senders = join_all(senders.into_iter().map(|make| make().run(stop.clone())));
        tokio::select! {
            _ = async { tokio::join!(senders, said.wait()) } => {}
            () = end.deadline() => {}
        }
    });
    for buffer in buffers {
        buffer.abandon();
    }
    losses.tell(true);
    // A look-up that hangs must not be waited for.
    runtime.shutdown_background();
}
