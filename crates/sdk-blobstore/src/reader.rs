//! Reads an object, chunk by chunk or whole.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt};

use crate::batches::Batches;
use crate::{Error, ErrorKind};

/// The size of one read from the host's stream, in bytes.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// A stream of the bytes of an object, or of a range of it.
///
/// A `Reader` is a [`Stream`] of [`Bytes`]; [`chunk`](Self::chunk) reads it without another crate. It reads on demand,
/// without prefetching. The bytes are those of the opened object, also if the object is replaced meanwhile. An object
/// that is cut short ends with an error, never with `None`.
///
/// A `Reader` can be the body of an HTTP response:
///
/// ```no_run
/// # async fn example() -> Result<(), tempo_sdk_blobstore::Error> {
/// use tempo_sdk_blobstore::Container;
/// use tempo_sdk_http::{Body, Response};
///
/// let object = Container::open("default").await?.get("film").await?;
/// let response = Response::new(Body::from_stream(object.reader));
/// # Ok(())
/// # }
/// ```
#[must_use = "a reader does nothing until it is read"]
pub struct Reader {
    chunks: Batches<u8>,
    /// The number of announced bytes that were not received yet.
    left: u64,
    done: bool,
}

impl Reader {
    /// Reads `chunks`, which must have `length` bytes in total.
    pub(crate) fn new(chunks: Batches<u8>, length: u64) -> Self {
        Self { chunks, left: length, done: false }
    }

    /// Returns the number of bytes that were not read yet. Before the first read it is the total, for a
    /// `content-length`.
    pub fn remaining(&self) -> u64 {
        self.left
    }

    /// Returns the next chunk, which is not empty, or `None` at the end.
    ///
    /// # Errors
    /// Returns an error if the object is cut short; the stream then ends.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.try_next().await
    }

    /// Reads the remaining bytes into memory: [`remaining`](Self::remaining) returns how many.
    ///
    /// # Errors
    /// Returns an error if the object is cut short.
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let first = self.chunk().await?.unwrap_or_default();
        if self.left == 0 {
            self.chunk().await?;
            return Ok(first);
        }
        let mut all = BytesMut::from(first);
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// Reads the remaining bytes as UTF-8 text.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Decode`] if the object is not UTF-8, and an error if it is cut short.
    pub async fn text(self) -> Result<String, Error> {
        String::from_utf8(self.bytes().await?.into()).map_err(|error| Error::new(ErrorKind::Decode, error.to_string()))
    }

    /// Reads the remaining bytes as JSON.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Decode`] if the object is not the JSON of a `T`, and an error if it is cut short.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        serde_json::from_slice(&self.bytes().await?).map_err(|error| Error::new(ErrorKind::Decode, error.to_string()))
    }

    /// Checks the next chunk against the announced length.
    fn check_chunk(&mut self, next: Option<Result<Vec<u8>, Error>>) -> Result<Option<Bytes>, Error> {
        let Some(chunk) = next.transpose()? else {
            return match self.left {
                0 => Ok(None),
                left => Err(Error::new(ErrorKind::Incomplete, format!("the object is cut short by {left} bytes"))),
            };
        };
        let left = self.left.checked_sub(chunk.len() as u64);
        self.left = left.ok_or(Error::new(ErrorKind::Incomplete, "the object is longer than announced"))?;
        Ok(Some(compact(chunk)))
    }
}

impl Stream for Reader {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        let next = ready!(self.chunks.as_mut().poll_next(cx));
        let item = self.check_chunk(next).transpose();
        self.done = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("remaining", &self.left).finish_non_exhaustive()
    }
}

/// Copies a small chunk, so that it does not keep a large buffer alive.
fn compact(chunk: Vec<u8>) -> Bytes {
    if chunk.len() < CHUNK_BYTES / 4 { Bytes::copy_from_slice(&chunk) } else { chunk.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::stream;

    fn reader(length: u64, chunks: &[Result<&str, ErrorKind>]) -> Reader {
        let item = |chunk: &Result<&str, ErrorKind>| chunk.map(|text| text.into()).map_err(|kind| Error::new(kind, ""));
        let items: Vec<Result<Vec<u8>, Error>> = chunks.iter().map(item).collect();
        Reader::new(Box::pin(stream::iter(items)), length)
    }

    fn kind<T: fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
        result.unwrap_err().kind()
    }

    #[test]
    fn an_object_is_read_whole() {
        for chunks in [&[][..], &[Ok("whole")], &[Ok("wh"), Ok("o"), Ok("le")]] {
            let length = chunks.iter().flatten().map(|chunk| chunk.len() as u64).sum();
            let text = block_on(reader(length, chunks).text()).unwrap();
            assert_eq!(text, chunks.iter().flatten().copied().collect::<String>());
        }
        assert_eq!(kind(block_on(Reader::new(Box::pin(stream::iter([Ok(vec![0xff])])), 1).text())), ErrorKind::Decode);
    }

    #[cfg(feature = "json")]
    #[test]
    fn json_is_typed() {
        assert_eq!(block_on(reader(5, &[Ok("[1"), Ok(",2]")]).json::<Vec<u8>>()).unwrap(), [1, 2]);
        assert_eq!(kind(block_on(reader(1, &[Ok("{")]).json::<Vec<u8>>())), ErrorKind::Decode);
    }

    #[test]
    fn chunks_count_down() {
        let mut reader = reader(5, &[Ok("who"), Ok("le")]);
        assert_eq!(reader.remaining(), 5);
        assert_eq!(block_on(reader.chunk()).unwrap().unwrap(), "who");
        assert_eq!(reader.remaining(), 2);
        assert_eq!(block_on(reader.chunk()).unwrap().unwrap(), "le");
        assert_eq!(block_on(reader.chunk()).unwrap(), None);
        assert_eq!(block_on(reader.chunk()).unwrap(), None);
    }

    #[test]
    fn an_object_that_is_cut_short_is_an_error() {
        for chunks in [&[][..], &[Ok("who")]] {
            assert_eq!(kind(block_on(reader(5, chunks).bytes())), ErrorKind::Incomplete, "too short");
        }
        assert_eq!(kind(block_on(reader(4, &[Ok("whole")]).bytes())), ErrorKind::Incomplete, "too long");
        for chunks in [&[Ok("whole"), Err(ErrorKind::Unavailable)][..], &[Ok("who"), Err(ErrorKind::Unavailable)]] {
            assert_eq!(kind(block_on(reader(5, chunks).bytes())), ErrorKind::Unavailable, "the error of the host");
        }
    }

    #[test]
    fn an_error_is_the_last_item() {
        let mut reader = reader(9, &[Ok("who"), Err(ErrorKind::Timeout), Ok("le")]);
        assert!(block_on(reader.chunk()).is_ok());
        assert_eq!(kind(block_on(reader.chunk())), ErrorKind::Timeout);
        assert_eq!(block_on(reader.chunk()).unwrap(), None);
    }
}
