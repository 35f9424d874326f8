//! Writing an object piece by piece.

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

type Stored = Result<store::ObjectInfo, store::Error>;

/// An object that is being written.
///
/// Nothing is to be seen of the object before [`finish`](Self::finish), and whoever drops a `Writer` without it, by a `?` for
/// example, leaves what was there before. Nothing is buffered: a write is done when the host has taken the bytes.
///
/// The body of an HTTP request is stored without holding more than a chunk of it, and not at all if it breaks off:
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
    /// `None` after a failure, and while a write is under way: what becomes of its bytes is not known when it is dropped.
    upload: Option<Upload>,
}

/// The ends that the host reads from. Dropped as they are, they tell the host that the object is not whole; `put` is first,
/// so that a host that never began to read finds nothing.
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

    /// Writes the next bytes; waits while the host is behind. A write that is dropped before it is done ends the upload as
    /// failed.
    ///
    /// # Errors
    /// When the host says so, for example [`ErrorKind::TooLarge`]; after that, and after a write that was dropped, always.
    pub async fn write(&mut self, bytes: impl Into<Vec<u8>>) -> Result<(), Error> {
        let mut upload = self.upload.take().ok_or_else(failed)?;
        let bytes = bytes.into();
        if !bytes.is_empty() {
            upload.write(bytes).await?;
        }
        self.upload = Some(upload);
        Ok(())
    }

    /// Says that the object is whole. It is there, and stays, once this returns.
    ///
    /// # Errors
    /// When the host says so; then nothing was written, but for [`ErrorKind::Timeout`]. When an earlier write failed.
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
        // The call comes first: it is what reads, and it may end early.
        let stored = match select(&mut self.put, write).await {
            Either::Left((stored, _)) => stored,
            Either::Right((left, _)) if left.is_empty() => return Ok(()),
            // The host has stopped reading, and says why.
            Either::Right((_, put)) => put.await,
        };
        Err(stored.err().map_or_else(
            || Error::new(ErrorKind::Other, "the host took the object for complete before it was"),
            Error::from,
        ))
    }
}

fn failed() -> Error {
    Error::new(ErrorKind::Other, "the upload has failed before, or a write was dropped before it was done")
}

/// The call that takes the object. It begins when it is polled first.
struct Put {
    call: Fuse<Pin<Box<dyn Future<Output = Stored> + Send>>>,
    begun: bool,
}

impl Put {
    fn new(call: impl Future<Output = Stored> + Send + 'static) -> Self {
        let call: Pin<Box<dyn Future<Output = Stored> + Send>> = Box::pin(call);
        Self { call: call.fuse(), begun: false }
    }
}

impl Future for Put {
    type Output = Stored;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Stored> {
        self.begun = true;
        self.call.poll_unpin(cx)
    }
}

impl Drop for Put {
    /// A call that has begun is not cancelled but told that the object is not whole, and lets go of everything in its own
    /// time: the host may be in the middle of a write to its store.
    fn drop(&mut self) {
        if self.begun && !self.call.is_terminated() {
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
