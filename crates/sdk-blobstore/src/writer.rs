//! Writes an object, chunk by chunk.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::{Either, Fuse, FusedFuture, select};
use wit_bindgen::{FutureWriter, StreamWriter};

use crate::bindings::tempo::blobstore::store;
use crate::bindings::{wit_future, wit_stream};
use crate::{Error, ErrorKind, ObjectInfo, PutOptions};

type PutResult = Result<store::ObjectInfo, store::Error>;

/// An object that is being written.
///
/// The object becomes visible with [`finish`](Self::finish). Dropping a `Writer` before that, for example with `?`,
/// leaves an existing object unchanged. A `Writer` does not buffer: a write returns once the host has taken the bytes.
///
/// This stores the body of an HTTP request with one chunk in memory at a time, and stores nothing if the body is cut
/// short:
///
/// ```no_run
/// # async fn example(request: tempo_sdk_http::Request) -> Result<(), Box<dyn std::error::Error>> {
/// use tempo_sdk_blobstore::{Container, PutOptions};
///
/// let mut writer = Container::open("default").await?.writer("film", PutOptions::new());
/// let mut body = request.into_body();
/// while let Some(chunk) = body.chunk().await? {
///     writer.write(chunk).await?;
/// }
/// let info = writer.finish().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "an object that is not finished is not written"]
pub struct Writer {
    /// `None` after an error, and during a write: whether the host received the bytes of a dropped write is unknown.
    upload: Option<Upload>,
}

/// The writing ends of the host's stream and future. Dropping them fails the upload. `put` is dropped first, so that a
/// host that has not started to read finds no stream.
struct Upload {
    put: Put,
    data: StreamWriter<u8>,
    complete: FutureWriter<Result<(), ()>>,
}

impl Writer {
    pub(crate) fn new(container: Arc<store::Container>, name: String, options: PutOptions) -> Self {
        let (data, contents) = wit_stream::new();
        let (complete, whole) = wit_future::new(|| Err(()));
        let options = options.into_host();
        let put = Put::new(async move { container.put(name, contents, whole, options).await });
        Self { upload: Some(Upload { put, data, complete }) }
    }

    /// Writes the next bytes, and waits while the host applies back-pressure. Dropping the future of an unfinished
    /// write fails the upload.
    ///
    /// # Errors
    /// Returns the host's error, for example [`ErrorKind::TooLarge`]. Fails after an earlier error or a dropped write.
    pub async fn write(&mut self, bytes: impl Into<Vec<u8>>) -> Result<(), Error> {
        let mut upload = self.upload.take().ok_or_else(failed)?;
        let bytes = bytes.into();
        if !bytes.is_empty() {
            upload.write(bytes).await?;
        }
        self.upload = Some(upload);
        Ok(())
    }

    /// Completes the object. Once this returns, the object is visible and stored.
    ///
    /// # Errors
    /// Returns the host's error; nothing was written, except perhaps after [`ErrorKind::Timeout`]. Fails after an
    /// earlier error.
    pub async fn finish(mut self) -> Result<ObjectInfo, Error> {
        let Upload { mut put, data, complete } = self.upload.take().ok_or_else(failed)?;
        drop(data);
        let stored = match select(&mut put, pin!(complete.write(Ok(())))).await {
            Either::Left((stored, _)) => stored,
            Either::Right((_, put)) => put.await,
        };
        Ok(stored?.into())
    }
}

impl Upload {
    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        let write = pin!(self.data.write_all(bytes));
        // `select` polls the call first: it reads the stream, and may end early.
        let stored = match select(&mut self.put, write).await {
            Either::Left((stored, _)) => stored,
            Either::Right((left, _)) if left.is_empty() => return Ok(()),
            // The host has stopped reading; the call returns the reason.
            Either::Right((_, put)) => put.await,
        };
        Err(stored
            .err()
            .map_or_else(|| Error::new(ErrorKind::Other, "the host completed the object before its end"), Error::from))
    }
}

fn failed() -> Error {
    Error::new(ErrorKind::Other, "the upload failed: an earlier write failed or was dropped")
}

/// The host call that reads the object. It starts when it is first polled.
struct Put {
    call: Fuse<Pin<Box<dyn Future<Output = PutResult> + Send>>>,
    started: bool,
}

impl Put {
    fn new(call: impl Future<Output = PutResult> + Send + 'static) -> Self {
        let call: Pin<Box<dyn Future<Output = PutResult> + Send>> = Box::pin(call);
        Self { call: call.fuse(), started: false }
    }
}

impl Future for Put {
    type Output = PutResult;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<PutResult> {
        self.started = true;
        self.call.poll_unpin(cx)
    }
}

impl Drop for Put {
    /// Detaches a call that has started. Cancelling it could interrupt the host's write to its store; the dropped
    /// writing ends make it fail, and it then frees its resources.
    fn drop(&mut self) {
        if self.started && !self.call.is_terminated() {
            let call = std::mem::replace(&mut self.call, Fuse::terminated());
            drop(wit_bindgen::spawn_local(call));
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("failed", &self.upload.is_none()).finish_non_exhaustive()
    }
}
