//! What one component may have on its way at once, in bytes: calls that run and messages that it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Error, ErrorKind, Message, Result};

/// What a message takes besides its texts and its payload, rounded up.
const ELEMENT: usize = 256;

/// A number of bytes to be shared.
pub(crate) struct Budget {
    limit: usize,
    left: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, left: AtomicUsize::new(limit) })
    }

    /// How many bytes are left.
    #[cfg(test)]
    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// A share that is large enough for `messages`.
    pub(crate) fn hold<'a>(self: &Arc<Self>, messages: impl IntoIterator<Item = &'a Message>) -> Result<Share> {
        let sizes = messages.into_iter().map(|message| message.size().saturating_add(ELEMENT));
        let mut share = Share { budget: self.clone(), bytes: 0 };
        share.grow(sizes.fold(0, usize::saturating_add))?;
        Ok(share)
    }
}

/// A share of a budget, given back when it is dropped.
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// Adds `bytes`.
    ///
    /// # Errors
    ///
    /// `TooLarge` if there are never so many, `QuotaExceeded` if they are not left just now.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<()> {
        let limit = self.budget.limit;
        let take = |left: usize| left.checked_sub(bytes);
        if self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            self.bytes = self.bytes.saturating_add(bytes);
            return Ok(());
        }
        if bytes > limit {
            return Err(Error::new(ErrorKind::TooLarge, format!("that is more than {limit} bytes in one call")));
        }
        Err(Error::new(ErrorKind::QuotaExceeded, format!("the component has {limit} bytes on their way already")))
    }

    /// Goes from `before` to `after` bytes.
    ///
    /// # Errors
    ///
    /// As [`grow`](Self::grow).
    pub(crate) fn resize(&mut self, before: usize, after: usize) -> Result<()> {
        if let Some(more) = after.checked_sub(before) {
            return self.grow(more);
        }
        let less = before.saturating_sub(after).min(self.bytes);
        self.bytes = self.bytes.saturating_sub(less);
        self.budget.left.fetch_add(less, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Budget::new(2 * ELEMENT);
        let message = Message { topic: "t".into(), ..Message::default() };
        let mut one = budget.hold([&message]).unwrap();
        assert_eq!(budget.hold([&message]).err().unwrap().kind(), ErrorKind::QuotaExceeded);
        assert_eq!(budget.hold([&message, &message]).err().unwrap().kind(), ErrorKind::TooLarge);
        assert!(one.grow(ELEMENT).is_err());
        assert!(one.grow(ELEMENT - 1).is_ok());
        assert!(one.grow(1).is_err());
        drop(one);
        assert_eq!(budget.left(), 2 * ELEMENT);
    }
}
