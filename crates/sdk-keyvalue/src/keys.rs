//! Listing keys: as a stream that asks for page after page, or one page at a time.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Stream, TryStreamExt};

use crate::{Bucket, Error};

/// One page of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The keys, in an order that the store chooses.
    pub keys: Vec<String>,
    /// What to ask the next page with; `None` when this is the last.
    pub cursor: Option<String>,
}

impl Bucket {
    /// The keys that begin with `prefix`: all of them with `""`. The order is the store's, and keys that come and go meanwhile
    /// may be among them or not.
    ///
    /// It is a [`Stream`], and without any other crate a loop:
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
        Keys { bucket: self, prefix: prefix.into(), page: Vec::new().into_iter(), state: State::Ask(None) }
    }

    /// One page of the keys that begin with `prefix`: the first without a cursor, the next with the same prefix and the cursor
    /// of the page before.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the cursor is not one that the host gave out.
    pub async fn keys_page(&self, prefix: impl Into<String>, cursor: Option<String>) -> Result<Page, Error> {
        let prefix = Some(prefix.into()).filter(|prefix| !prefix.is_empty());
        let response = self.host.list_keys(prefix, cursor).await?;
        Ok(Page { keys: response.keys, cursor: response.cursor })
    }
}

/// The keys of a bucket, page by page: see [`Bucket::keys`].
#[must_use = "streams do nothing unless polled"]
pub struct Keys<'a> {
    bucket: &'a Bucket,
    prefix: String,
    page: std::vec::IntoIter<String>,
    state: State<'a>,
}

/// Where the next page comes from.
enum State<'a> {
    /// It is asked for with this cursor.
    Ask(Option<String>),
    /// It was asked for.
    Asked(Pin<Box<dyn Future<Output = Result<Page, Error>> + Send + 'a>>),
    /// There is none.
    Done,
}

impl Keys<'_> {
    /// The next key, or `None` at the end.
    ///
    /// # Errors
    /// When the host says so; then there are no more keys.
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
                State::Ask(cursor) => {
                    let bucket: &'a Bucket = this.bucket;
                    let page = bucket.keys_page(this.prefix.clone(), cursor.take());
                    this.state = State::Asked(Box::pin(page));
                }
                State::Asked(page) => {
                    let page = ready!(page.as_mut().poll(cx));
                    this.state = State::Done;
                    match page {
                        Err(error) => return Poll::Ready(Some(Err(error))),
                        Ok(page) => {
                            this.page = page.keys.into_iter();
                            if page.cursor.is_some() {
                                this.state = State::Ask(page.cursor);
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
