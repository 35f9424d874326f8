//! Reads an object: cached pages without blocking, the rest on a blocking thread.

use std::fs::File;
use std::io::Read as _;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use tokio::task::coop::consume_budget;

use super::blocking;
use super::object::failed;
use crate::{Data, Result};

/// Bytes per read. A switch to a blocking thread and back costs as much as reading some of it.
const CHUNK: usize = 128 << 10;

/// A file that is being read.
struct Reader {
    file: File,
    left: u64,
    /// The last chunk: its memory is reused once it is unshared.
    last: Bytes,
}

/// Reads the next `left` bytes of `file`.
pub(super) fn chunks(file: File, left: u64) -> Data {
    let reader = Reader { file, left, last: Bytes::new() };
    stream::try_unfold(reader, |reader| async move {
        if reader.left == 0 { Ok(None) } else { reader.next().await.map(Some) }
    })
    .boxed()
}

impl Reader {
    async fn next(self) -> Result<(Bytes, Self)> {
        // A cached file never waits: yield to other tasks between chunks.
        consume_budget().await;
        let Self { mut file, left, last } = self;
        let mut chunk = last.try_into_mut().unwrap_or_default();
        chunk.resize(usize::try_from(left).unwrap_or(CHUNK).min(CHUNK), 0);
        if let Some(read) = read_now(&file, &mut chunk) {
            chunk.truncate(read);
        } else {
            let read = move || {
                file.read_exact(&mut chunk).map_err(|error| failed("read", &error))?;
                Ok((file, chunk))
            };
            (file, chunk) = blocking(read).await?;
        }
        let chunk = chunk.freeze();
        let left = left.saturating_sub(chunk.len() as u64);
        Ok((chunk.clone(), Self { file, left, last: chunk }))
    }
}

/// Reads cached pages, and never waits for the disk. Returns `None` if the read must be repeated on a blocking thread.
#[cfg(target_os = "linux")]
fn read_now(file: &File, chunk: &mut BytesMut) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};

    /// The current position of the file.
    const HERE: u64 = u64::MAX;
    let read = preadv2(file, &mut [std::io::IoSliceMut::new(chunk)], HERE, ReadWriteFlags::NOWAIT);
    read.ok().filter(|read| *read > 0)
}

#[cfg(not(target_os = "linux"))]
fn read_now(_: &File, _: &mut BytesMut) -> Option<usize> {
    None
}
