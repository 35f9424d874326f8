//! Lists keys, as a stream or page by page.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Stream, TryStreamExt};

use crate::{Bucket, Error};

/// A page of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The keys, in the store's order.
    pub keys: Vec<String>,
    /// The cursor of the next page; `None` on the last page.
    pub cursor: Option<String>,
}

impl Bucket {
    /// Returns a stream of the keys that begin with `prefix`; `""` lists all keys. The order is the store's. Keys that
    /// are added or deleted during the listing may be missing or included.
    ///
    /// `Keys` is a [`Stream`]; [`try_next`](Keys::try_next) reads it without another crate:
    ///
    /// ```no_run
    /// # async fn example(bucket: tempo_sdk_keyvalue::Bucket) -> Result<(), tempo_sdk_keyvalue::Error> {
    /// let mut keys = bucket.keys("users/");
    /// while let Some(key) = keys.try_next().await? {
    ///     println!("{key}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn keys(&self, prefix: impl Into<String>) -> Keys<'_> {
        Keys { bucket: self, prefix: prefix.into(), page: Vec::new().into_iter(), state: State::Next(None) }
    }

    /// Returns one page of the keys that begin with `prefix`: the first page without a cursor, the next with the same
    /// prefix and the cursor of the page before.
    ///
    /// # Errors
    /// Returns [`Error::InvalidArgument`] if the cursor does not come from the host.
    pub async fn keys_page(&self, prefix: impl Into<String>, cursor: Option<String>) -> Result<Page, Error> {
        let prefix = Some(prefix.into()).filter(|prefix| !prefix.is_empty());
        let response = self.host.list_keys(prefix, cursor).await?;
        Ok(Page { keys: response.keys, cursor: response.cursor })
    }
}

/// A stream of the keys of a bucket: see [`Bucket::keys`].
#[must_use = "streams do nothing unless polled"]
pub struct Keys<'a> {
    bucket: &'a Bucket,
    prefix: String,
    page: std::vec::IntoIter<String>,
    state: State<'a>,
}

/// The progress of the listing.
enum State<'a> {
    /// The next page will be requested with this cursor.
    Next(Option<String>),
    /// The request for the next page is in flight.
    Fetching(Pin<Box<dyn Future<Output = Result<Page, Error>> + Send + 'a>>),
    /// The last page was read, or a request failed.
    Done,
}

impl Keys<'_> {
    /// Returns the next key, or `None` at the end.
    ///
    /// # Errors
    /// Returns the host's error; the stream then ends.
    pub async fn try_next(&mut self) -> Result<Option<String>, Error> {
        TryStreamExt::try_next(self).await
    }
}

impl<'a> Stream for Keys<'a> {
    type Item = Result<String, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(key) = this.page.next() {
                return Poll::Ready(Some(Ok(key)));
            }
            match &mut this.state {
                State::Done => return Poll::Ready(None),
                State::Next(cursor) => {
                    let bucket: &'a Bucket = this.bucket;
                    let page = bucket.keys_page(this.prefix.clone(), cursor.take());
                    this.state = State::Fetching(Box::pin(page));
                }
                State::Fetching(page) => {
                    let page = ready!(page.as_mut().poll(cx));
                    this.state = State::Done;
                    match page {
                        Err(error) => return Poll::Ready(Some(Err(error))),
                        Ok(page) => {
                            this.page = page.keys.into_iter();
                            if page.cursor.is_some() {
                                this.state = State::Next(page.cursor);
                            }
                        }
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
