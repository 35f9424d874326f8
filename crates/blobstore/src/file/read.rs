//! Reading an object: at once what the system has in memory, and the rest where it may block.

use std::fs::File;
use std::io::Read as _;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use tokio::task::coop::consume_budget;

use super::blocking;
use super::object::failed;
use crate::{Data, Result};

/// How much is read at once, in bytes: the way to a thread that may block and back costs as much as some of it.
const CHUNK: usize = 128 << 10;

/// A file of which some is to be read.
struct Reader {
    file: File,
    left: u64,
    /// What was read last: its memory is reused once it is unshared.
    last: Bytes,
}

/// The `left` bytes that follow in `file`.
pub(super) fn chunks(file: File, left: u64) -> Data {
    let reader = Reader { file, left, last: Bytes::new() };
    stream::try_unfold(reader, |reader| async move {
        if reader.left == 0 { Ok(None) } else { reader.next().await.map(Some) }
    })
    .boxed()
}

impl Reader {
    async fn next(self) -> Result<(Bytes, Self)> {
        // A file that is in memory is there at once, from its beginning to its end: others get their turn in between.
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

/// Reads what is in memory; never waits for the disk. What cannot be read so may be read otherwise, or fail there.
#[cfg(target_os = "linux")]
fn read_now(file: &File, chunk: &mut BytesMut) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};

    /// Where the last read has ended.
    const HERE: u64 = u64::MAX;
    let read = preadv2(file, &mut [std::io::IoSliceMut::new(chunk)], HERE, ReadWriteFlags::NOWAIT);
    read.ok().filter(|read| *read > 0)
}

#[cfg(not(target_os = "linux"))]
fn read_now(_: &File, _: &mut BytesMut) -> Option<usize> {
    None
}
