//! Lists the objects of a container.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use futures::{Stream, TryStreamExt};

use crate::batches::Batches;
use crate::bindings::tempo::blobstore::store;
use crate::{Entry, Error};

/// The number of entries of one read from the host's stream.
pub(crate) const PAGE_ENTRIES: usize = 128;

/// A stream of the objects of a container, sorted by the bytes of their names: see
/// [`Container::list`](crate::Container::list).
#[must_use = "streams do nothing unless polled"]
pub struct List {
    pages: Batches<store::Entry>,
    page: vec::IntoIter<store::Entry>,
    done: bool,
}

impl List {
    pub(crate) fn new(pages: Batches<store::Entry>) -> Self {
        Self { pages, page: Vec::new().into_iter(), done: false }
    }

    /// Returns the next object, or `None` at the end.
    ///
    /// # Errors
    /// Returns the host's error; the stream then ends.
    pub async fn try_next(&mut self) -> Result<Option<Entry>, Error> {
        TryStreamExt::try_next(self).await
    }
}

impl Stream for List {
    type Item = Result<Entry, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(entry) = self.page.next() {
                return Poll::Ready(Some(Ok(entry.into())));
            }
            if self.done {
                return Poll::Ready(None);
            }
            match ready!(self.pages.as_mut().poll_next(cx)) {
                Some(Ok(page)) => self.page = page.into_iter(),
                Some(Err(error)) => {
                    self.done = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.done = true,
            }
        }
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use futures::executor::block_on;
    use futures::stream;

    fn page(names: &[&str]) -> Result<Vec<store::Entry>, Error> {
        let entry = |name: &&str| store::Entry { name: (*name).to_owned(), size: 0, created: 0, etag: String::new() };
        Ok(names.iter().map(entry).collect())
    }

    #[test]
    fn pages_follow_each_other_and_an_error_is_the_last() {
        let broken = Err(Error::new(ErrorKind::Timeout, ""));
        let pages = [page(&["a", "b"]), page(&["c"]), broken, page(&["d"])];
        let mut list = List::new(Box::pin(stream::iter(pages)));
        for name in ["a", "b", "c"] {
            assert_eq!(block_on(list.try_next()).unwrap().unwrap().name, name);
        }
        assert_eq!(block_on(list.try_next()).unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(block_on(list.try_next()).unwrap(), None);
    }
}
