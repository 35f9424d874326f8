//! Reads a stream of the host together with its terminal future: the stream is complete only if the future reports
//! success.

use futures::stream::{BoxStream, unfold};
use wit_bindgen::{FutureReader, StreamReader};

use crate::Error;
use crate::bindings::tempo::blobstore::store;

/// A stream of non-empty batches. An error is the last item.
pub(crate) type Batches<T> = BoxStream<'static, Result<Vec<T>, Error>>;

/// Reads `items` on demand, at most `size` items per batch.
pub(crate) fn batches<T: Send + 'static>(
    items: StreamReader<T>,
    end: FutureReader<Result<(), store::Error>>,
    size: usize,
) -> Batches<T> {
    Box::pin(unfold(Some((items, end)), move |ends| async move {
        let (mut items, end) = ends?;
        match read(&mut items, size).await {
            Some(batch) => Some((Ok(batch), Some((items, end)))),
            None => end.await.err().map(|error| (Err(error.into()), None)),
        }
    }))
}

/// Reads the next batch; `None` once the host has closed the stream, on success or error.
async fn read<T>(items: &mut StreamReader<T>, size: usize) -> Option<Vec<T>> {
    let mut buffer = Vec::with_capacity(size);
    loop {
        let result;
        (result, buffer) = items.read(buffer).await;
        if !buffer.is_empty() {
            return Some(buffer);
        }
        if result == wit_bindgen::StreamResult::Dropped {
            return None;
        }
    }
}
