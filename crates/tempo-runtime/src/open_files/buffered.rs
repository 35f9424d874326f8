//! Streams and directory listings of WASI 0.2 that hold what the limits count. One open file may have any number of streams and
//! listings, so their buffers are reserved in the store's budget.

use bytes::Bytes;
use tempo_backend::{ByteBudget, OverBudget, Reservation};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::filesystem::types::DirectoryEntry;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, FsResult, InputStream, OutputStream, Pollable, ReaddirIterator, StreamError,
    StreamResult,
};

/// Buffer size of a stream in `wasmtime-wasi`, in bytes: the largest read, and the permit of `check-write`.
pub(super) const BUFFER: usize = 64 << 10;

/// An input stream that holds `H`: the reservation of its buffer, or an open file.
pub(crate) struct Input<H> {
    pub(crate) inner: DynInputStream,
    pub(crate) _held: H,
}

#[async_trait]
impl<H: Send + 'static> Pollable for Input<H> {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl<H: Send + 'static> InputStream for Input<H> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.blocking_read(size).await
    }

    fn skip(&mut self, size: usize) -> StreamResult<usize> {
        self.inner.skip(size)
    }

    async fn blocking_skip(&mut self, size: usize) -> StreamResult<usize> {
        self.inner.blocking_skip(size).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

/// An output stream that holds `H`, and whose writes fit into a buffer.
pub(crate) struct Output<H> {
    pub(crate) inner: DynOutputStream,
    pub(crate) _held: H,
}

#[async_trait]
impl<H: Send + 'static> Pollable for Output<H> {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl<H: Send + 'static> OutputStream for Output<H> {
    /// Enforces the permit of `check-write`, which `wasmtime-wasi` and `wasmtime-wasi-tls` do not enforce.
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > BUFFER {
            return Err(StreamError::trap("cannot write more than `check-write` permits"));
        }
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    fn write_zeroes(&mut self, size: usize) -> StreamResult<()> {
        self.inner.write_zeroes(size)
    }

    async fn write_ready(&mut self) -> StreamResult<usize> {
        self.inner.write_ready().await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

/// A listing of a directory. All entries are read when it is created.
pub(super) struct Listing {
    entries: std::vec::IntoIter<FsResult<DirectoryEntry>>,
    _held: Reservation,
}

impl Listing {
    /// Creates the listing, if its entries fit into `budget`.
    pub(super) fn new(entries: ReaddirIterator, budget: &ByteBudget) -> Result<Self, OverBudget> {
        let entries: Vec<_> = entries.into_iter().collect();
        let names = entries.iter().flatten().map(|entry| entry.name.capacity()).fold(0, usize::saturating_add);
        let held = entries.capacity().saturating_mul(size_of::<FsResult<DirectoryEntry>>()).saturating_add(names);
        Ok(Self { entries: entries.into_iter(), _held: budget.hold(held)? })
    }

    /// Returns the next entry.
    pub(super) fn next(&mut self) -> FsResult<Option<DirectoryEntry>> {
        self.entries.next().transpose()
    }
}
