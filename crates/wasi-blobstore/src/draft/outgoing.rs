//! A value on its way to a container: what the guest writes goes through a bounded buffer to a task that uploads it.
//!
//! Guests name the object before they write, or after. What is written before is held in memory, within a budget that
//! all values of a store share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tempo_backend::{ByteBudget, Reservation};
use tempo_blobstore::CHUNK;
use tokio::sync::Notify;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use super::queue::Queue;
use crate::check::Checked;
use crate::{Container, Error, ErrorKind, ObjectInfo, PutOptions, Result};

/// Maximum bytes buffered between the guest and the backend.
const MAX_BUFFERED_BYTES: usize = 4 * CHUNK;

/// A value that a guest writes. Dropped before it is finished, it becomes no object.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OutgoingValue {
    pipe: Arc<Pipe>,
    has_body: bool,
    upload: Option<AbortOnDropJoinHandle<Result<ObjectInfo>>>,
}

impl OutgoingValue {
    pub(super) fn new(bytes: &ByteBudget) -> Self {
        let state = State { queue: Queue::default(), stage: ValueStage::Unnamed, held: bytes.empty(), failure: None };
        let pipe = Pipe { state: Mutex::new(state), changed: Notify::new() };
        Self { pipe: Arc::new(pipe), has_body: false, upload: None }
    }

    /// The stream that the bytes are written to, once.
    pub(super) fn body(&mut self) -> Option<DynOutputStream> {
        let first = !std::mem::replace(&mut self.has_body, true);
        first.then(|| Box::new(Body(self.pipe.clone())) as DynOutputStream)
    }

    /// Sets the object that the value becomes.
    pub(super) async fn write_to(
        &mut self,
        container: &dyn Container,
        name: &str,
        max: u64,
        bytes: &ByteBudget,
    ) -> Result<()> {
        if self.upload.is_some() {
            return Err(Error::invalid("the value is written to an object already"));
        }
        let upload = Checked::begin(container, name, PutOptions::default(), max, bytes).await?;
        self.pipe.advance(ValueStage::Named);
        self.upload = Some(spawn(self.pipe.clone().run(upload)));
        Ok(())
    }

    /// Waits until the object is there.
    pub(super) async fn finish(mut self) -> Result<()> {
        let Some(upload) = self.upload.take() else {
            return Err(Error::invalid("the value belongs to no object: call write-data before finish"));
        };
        self.pipe.advance(ValueStage::Finished);
        upload.await.map(drop)
    }
}

impl Drop for OutgoingValue {
    fn drop(&mut self) {
        // The task may be running on another thread: ending it is not enough to keep it from completing.
        self.pipe.advance(ValueStage::GivenUp);
    }
}

/// What the value, its stream and its task share.
struct Pipe {
    state: Mutex<State>,
    /// Notified of every change.
    changed: Notify,
}

struct State {
    queue: Queue,
    stage: ValueStage,
    held: Reservation,
    failure: Option<Error>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ValueStage {
    Unnamed,
    Named,
    Finished,
    GivenUp,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters `stage`; a finished value cannot be abandoned.
    fn advance(&self, stage: ValueStage) {
        let mut state = self.lock();
        if state.stage < ValueStage::Finished {
            state.stage = stage;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The next bytes for the backend, or `None` at the end.
    async fn next(&self) -> Result<Option<Bytes>> {
        loop {
            let changed = self.changed.notified();
            if let Some(next) = self.lock().next()? {
                self.changed.notify_waiters();
                return Ok(next);
            }
            changed.await;
        }
    }

    async fn run(self: Arc<Self>, upload: Checked) -> Result<ObjectInfo> {
        let result = self.upload(upload).await;
        if let Err(error) = &result {
            self.lock().failure = Some(error.clone());
            self.changed.notify_waiters();
        }
        result
    }

    async fn upload(&self, mut upload: Checked) -> Result<ObjectInfo> {
        while let Some(chunk) = self.next().await? {
            upload.write(chunk).await?;
        }
        upload.complete().await
    }
}

impl State {
    /// The next bytes, `Some(None)` at the end, or `None` if there is nothing yet.
    fn next(&mut self) -> Result<Option<Option<Bytes>>> {
        if self.stage == ValueStage::GivenUp {
            return Err(Error::new(ErrorKind::Other, "the value was dropped before it was finished"));
        }
        let Some(next) = self.queue.pop() else {
            return Ok((self.stage == ValueStage::Finished).then_some(None));
        };
        self.held.shrink(next.len());
        Ok(Some(Some(next)))
    }

    /// How many bytes may be written.
    fn room(&self) -> StreamResult<usize> {
        if let Some(error) = &self.failure {
            return Err(StreamError::LastOperationFailed(error.clone().into()));
        }
        match self.stage {
            ValueStage::Unnamed => match self.held.available().min(CHUNK) {
                0 => Err(StreamError::LastOperationFailed(unnamed().into())),
                room => Ok(room),
            },
            ValueStage::Named => {
                let room = MAX_BUFFERED_BYTES.saturating_sub(self.queue.len()).min(CHUNK).min(self.held.available());
                // With nothing in the queue there is nothing whose end could be waited for.
                if room == 0 && self.queue.len() == 0 {
                    Err(StreamError::LastOperationFailed(full().into()))
                } else {
                    Ok(room)
                }
            }
            ValueStage::Finished | ValueStage::GivenUp => Err(StreamError::Closed),
        }
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.room()? {
            return Err(StreamError::trap("more was written than check-write allowed"));
        }
        if self.held.try_grow(bytes.len()).is_err() {
            let error = if self.stage == ValueStage::Unnamed { unnamed() } else { full() };
            return Err(StreamError::LastOperationFailed(error.into()));
        }
        self.queue.push(bytes);
        Ok(())
    }
}

fn unnamed() -> Error {
    let problem = "too much was written to values that belong to no object: call write-data before writing";
    Error::new(ErrorKind::QuotaExceeded, problem)
}

fn full() -> Error {
    Error::new(ErrorKind::QuotaExceeded, "the host holds all for the component that it may")
}

struct Body(Arc<Pipe>);

#[async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        loop {
            let changed = self.0.changed.notified();
            if !matches!(self.0.lock().room(), Ok(0)) {
                return;
            }
            changed.await;
        }
    }
}

impl OutputStream for Body {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.lock().write(bytes)?;
        self.0.changed.notify_waiters();
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        // What makes bytes durable is `finish`: until then there is nothing that a flush could promise.
        self.0.lock().room().map(drop)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.0.lock().room()
    }
}
