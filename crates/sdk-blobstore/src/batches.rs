//! A stream of the host with its terminal future: items come in batches, and the end is an end only if the future says so.

use futures::stream::{BoxStream, unfold};
use wit_bindgen::{FutureReader, StreamReader};

use crate::Error;
use crate::bindings::tempo::blobstore::store;

/// What comes, in batches that are not empty. An error is the last item.
pub(crate) type Batches<T> = BoxStream<'static, Result<Vec<T>, Error>>;

/// Reads `items` as they are asked for, at most `size` at once.
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

/// The next batch, or `None` when the host has closed the stream, for whatever reason.
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
