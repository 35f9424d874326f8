//! Streams of files and listings of directories over WASI 0.2, with what the host buffers for them reserved in the store's
//! budget: any number of them may belong to one open file.

use bytes::Bytes;
use tempo_backend::{ByteBudget, OverBudget, Reservation};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::filesystem::types::DirectoryEntry;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, FsResult, InputStream, OutputStream, Pollable, ReaddirIterator, StreamError,
    StreamResult,
};

/// What `wasmtime-wasi` reads at once into the buffer of a stream, and permits to be written at once, in bytes.
pub(super) const BUFFER: usize = 64 << 10;

/// A stream from a file.
pub(super) struct Input {
    pub(super) inner: DynInputStream,
    pub(super) _buffer: Reservation,
}

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl InputStream for Input {
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

/// A stream into a file.
pub(super) struct Output {
    pub(super) inner: DynOutputStream,
    pub(super) _buffer: Reservation,
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl OutputStream for Output {
    /// `wasmtime-wasi` takes all that it is given for a file, although no more is permitted than fits into the buffer.
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

/// A listing of a directory: all of its entries, which are read when it is made.
pub(super) struct Listing {
    entries: std::vec::IntoIter<FsResult<DirectoryEntry>>,
    _held: Reservation,
}

impl Listing {
    /// The listing, if its entries fit into `budget`.
    pub(super) fn new(entries: ReaddirIterator, budget: &ByteBudget) -> Result<Self, OverBudget> {
        let entries: Vec<_> = entries.into_iter().collect();
        let names = entries.iter().flatten().map(|entry| entry.name.capacity()).fold(0, usize::saturating_add);
        let held = entries.capacity().saturating_mul(size_of::<FsResult<DirectoryEntry>>()).saturating_add(names);
        Ok(Self { entries: entries.into_iter(), _held: budget.hold(held)? })
    }

    /// The next entry.
    pub(super) fn next(&mut self) -> FsResult<Option<DirectoryEntry>> {
        self.entries.next().transpose()
    }
}
