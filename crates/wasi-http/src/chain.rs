//! Requests between the components of an app: in memory, and in a task of their own.
//!
//! The component that is called runs in a task on a serving thread, that of its caller if that is one: the event loop of a
//! store must not poll another store. The bodies cross by channels, so a slow reader slows the writer down. Dropping the
//! caller's end ends the component that is called.

mod answer;
mod body;

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::{Request, Response};
use tempo_backend::Reservation;
use tempo_core::MAX_CHAIN_DEPTH;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error, WasiBody};

use self::body::ChainedBody;
use crate::handlers::Handlers;
use crate::server::Server;

thread_local! {
    /// The index of this thread among the serving threads.
    static SERVING_THREAD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Marks the calling thread as the serving thread `index`.
pub(crate) fn enter_serving_thread(index: usize) {
    SERVING_THREAD.set(Some(index));
}

/// A serving thread, with the components that it calls.
pub(crate) struct ChainThread {
    runtime: Handle,
    /// Owned by the thread: its components refer to the chain.
    server: Weak<Server>,
}

impl ChainThread {
    /// Creates the thread with this `runtime`, and the `server` that it owns.
    pub(crate) fn new(runtime: Handle, server: &Arc<Server>) -> Self {
        Self { runtime, server: Arc::downgrade(server) }
    }
}

/// The components of an app that other components of it reach.
pub(crate) struct Chain {
    threads: Vec<ChainThread>,
    /// The thread of the next call that does not come from a serving thread.
    next: AtomicUsize,
}

impl Chain {
    /// Creates the chain of the serving threads, in the order of their indexes.
    pub(crate) fn new(threads: Vec<ChainThread>) -> Self {
        Self { threads, next: AtomicUsize::new(0) }
    }

    /// Returns the thread for a call: the current one if it is a serving thread.
    fn thread(&self) -> Option<&ChainThread> {
        let index = SERVING_THREAD.get().unwrap_or_else(|| {
            let next = self.next.fetch_add(1, Relaxed);
            next.checked_rem(self.threads.len()).unwrap_or(0)
        });
        self.threads.get(index)
    }
}

/// The link of one call to the components of its app.
pub(crate) struct ChainLink {
    /// `None` before the server has started.
    pub(crate) chain: Option<Arc<Chain>>,
    /// The number of calls that wait in a row for the calling one.
    pub(crate) depth: usize,
}

/// The head of an answer, once it arrives. Dropping it ends the component that is called.
pub(crate) struct ChainedAnswer {
    head: oneshot::Receiver<Response<ChainedBody>>,
    body: Option<(Duration, Option<Reservation>)>,
}

impl ChainLink {
    /// Returns the way to the component `name`.
    ///
    /// # Errors
    ///
    /// The app has no such component, or the server has not started.
    pub(crate) fn handlers_of(&self, name: &str) -> Result<Handlers, Error> {
        let thread = self.chain.as_ref().and_then(|chain| chain.threads.first());
        let server = thread.and_then(|thread| thread.server.upgrade()).ok_or(Error::DestinationUnavailable)?;
        server.served.get().workers.way_to(name).cloned().ok_or(Error::DestinationNotFound)
    }

    /// Starts a call of the first of `handlers` with `request`. `body` has the timeout of the answer's body, and what is reserved
    /// until its end.
    ///
    /// # Errors
    ///
    /// The chain is too long, or the app has no such component.
    pub(crate) fn call(
        &self,
        handlers: &Handlers,
        request: Request<WasiBody>,
        body: (Duration, Option<Reservation>),
    ) -> Result<ChainedAnswer, Error> {
        let name = handlers.first();
        let thread = self.chain.as_ref().and_then(|chain| chain.thread()).ok_or(Error::DestinationUnavailable)?;
        let server = thread.server.upgrade().ok_or(Error::DestinationUnavailable)?;
        let worker = server.served.component(name).ok_or(Error::DestinationNotFound)?;
        if self.depth >= MAX_CHAIN_DEPTH {
            if worker.workload().admit_failure_line() {
                tracing::warn!(component = name, "a chain of more than {MAX_CHAIN_DEPTH} calls was cut off");
            }
            return Err(Error::LoopDetected);
        }
        let (sender, head) = oneshot::channel();
        // The task ends with its receiver, or with the thread's runtime.
        let depth = self.depth.saturating_add(1);
        drop(thread.runtime.spawn(answer::answer(worker, request, (depth, handlers.rest()), sender)));
        Ok(ChainedAnswer { head, body: Some(body) })
    }
}

impl Future for ChainedAnswer {
    type Output = Result<Response<ChainedBody>, Error>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<Response<ChainedBody>, Error>> {
        let head = std::task::ready!(std::pin::Pin::new(&mut self.head).poll(cx));
        // The task sends an answer unless its thread ends.
        let mut response = head.map_err(|_| Error::ConnectionTerminated)?;
        if let Some((timeout, reserved)) = self.body.take() {
            response.body_mut().limit(timeout, reserved);
        }
        std::task::Poll::Ready(Ok(response))
    }
}
