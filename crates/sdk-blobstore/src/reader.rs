//! Reading an object piece by piece, or whole.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt};

use crate::batches::Batches;
use crate::{Error, ErrorKind};

/// How much is asked of the host at once, in bytes.
pub(crate) const CHUNK: usize = 64 * 1024;

/// The bytes of an object, or of a range of it.
///
/// It is a [`Stream`] of [`Bytes`], and without any other crate a loop over [`chunk`](Self::chunk). Nothing is read ahead:
/// the host reads on as chunks are asked for. The bytes are those of the object that was opened, whatever is written
/// meanwhile. An object that does not come whole ends with an error, never with a plain end.
///
/// It can be handed to the client of an HTTP request as it is:
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
#[must_use = "nothing is read before it is asked for"]
pub struct Reader {
    chunks: Batches<u8>,
    /// How many bytes the host has announced that have not come.
    left: u64,
    done: bool,
}

impl Reader {
    /// Reads `chunks`, which must have `length` bytes.
    pub(crate) fn new(chunks: Batches<u8>, length: u64) -> Self {
        Self { chunks, left: length, done: false }
    }

    /// How many bytes are still to come; before the first was read, how many there are. Of use for a `content-length`.
    pub fn remaining(&self) -> u64 {
        self.left
    }

    /// The next chunk, which is not empty, or `None` at the end.
    ///
    /// # Errors
    /// When the object did not come whole; then nothing more comes.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.try_next().await
    }

    /// Reads everything into memory. [`remaining`](Self::remaining) says how much that is.
    ///
    /// # Errors
    /// When the object did not come whole.
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

    /// Reads everything as UTF-8 text.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] when it is not UTF-8; when the object did not come whole.
    pub async fn text(self) -> Result<String, Error> {
        String::from_utf8(self.bytes().await?.into()).map_err(|error| Error::new(ErrorKind::Decode, error.to_string()))
    }

    /// Reads everything as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] when it is not the JSON of a `T`; when the object did not come whole.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        serde_json::from_slice(&self.bytes().await?).map_err(|error| Error::new(ErrorKind::Decode, error.to_string()))
    }

    /// Judges what the host gave next against what it has announced.
    fn judge(&mut self, next: Option<Result<Vec<u8>, Error>>) -> Result<Option<Bytes>, Error> {
        let Some(chunk) = next.transpose()? else {
            return match self.left {
                0 => Ok(None),
                left => Err(Error::new(ErrorKind::Incomplete, format!("the object ended {left} bytes before its end"))),
            };
        };
        let left = self.left.checked_sub(chunk.len() as u64);
        self.left = left.ok_or(Error::new(ErrorKind::Incomplete, "the object has more bytes than it should have"))?;
        Ok(Some(shrunk(chunk)))
    }
}

impl Stream for Reader {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        let next = ready!(self.chunks.as_mut().poll_next(cx));
        let item = self.judge(next).transpose();
        self.done = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("remaining", &self.left).finish_non_exhaustive()
    }
}

/// A small piece is copied, so that it does not hold on to a large buffer.
fn shrunk(chunk: Vec<u8>) -> Bytes {
    if chunk.len() < CHUNK / 4 { Bytes::copy_from_slice(&chunk) } else { chunk.into() }
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
    fn what_does_not_come_whole_is_an_error() {
        for chunks in [&[][..], &[Ok("who")]] {
            assert_eq!(kind(block_on(reader(5, chunks).bytes())), ErrorKind::Incomplete, "too short");
        }
        assert_eq!(kind(block_on(reader(4, &[Ok("whole")]).bytes())), ErrorKind::Incomplete, "too long");
        for chunks in [&[Ok("whole"), Err(ErrorKind::Unavailable)][..], &[Ok("who"), Err(ErrorKind::Unavailable)]] {
            assert_eq!(kind(block_on(reader(5, chunks).bytes())), ErrorKind::Unavailable, "the host says so");
        }
    }

    #[test]
    fn after_an_error_nothing_comes() {
        let mut reader = reader(9, &[Ok("who"), Err(ErrorKind::Timeout), Ok("le")]);
        assert!(block_on(reader.chunk()).is_ok());
        assert_eq!(kind(block_on(reader.chunk())), ErrorKind::Timeout);
        assert_eq!(block_on(reader.chunk()).unwrap(), None);
    }
}
