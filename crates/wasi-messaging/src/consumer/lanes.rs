//! One message of a key at a time, for subscriptions that are ordered.
//!
//! The order itself is the broker's: with `ordered` it delivers a message only once the one before it, of the same key, is
//! done with, retries included. A broker that knows no acknowledgements delivers them at once, one after the other; then
//! this keeps two handlers from running for one key.

use std::collections::HashMap;

use tokio::sync::oneshot::{self, error::TryRecvError};

/// The last delivery of each key. The fetching task owns it, so that the turns are taken in the order of the deliveries.
pub(super) struct Lanes {
    last: HashMap<String, oneshot::Receiver<()>>,
    /// How many deliveries there are at once.
    most: usize,
}

/// A delivery's turn, which begins when that of the one before it is dropped.
pub(super) struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _after: oneshot::Sender<()>,
}

impl Lanes {
    pub(super) fn new(most: usize) -> Self {
        Self { last: HashMap::new(), most }
    }

    /// The turn of the delivery that came last, of the key `key`.
    pub(super) fn turn(&mut self, key: &str) -> Turn {
        // Keys whose deliveries have all ended: no more than there are deliveries are kept beside those that have not.
        if self.last.len() > self.most.saturating_mul(2) {
            self.last.retain(|_, last| last.try_recv() == Err(TryRecvError::Empty));
        }
        let (after, last) = oneshot::channel();
        Turn { before: self.last.insert(key.to_owned(), last), _after: after }
    }
}

impl Turn {
    /// Waits until the delivery before it has ended.
    pub(super) async fn begins(&mut self) {
        if let Some(before) = &mut self.before {
            // The other end is never used but to be dropped.
            let _ = before.await;
        }
        self.before = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn turns_of_one_key_follow_each_other_and_others_do_not_wait() {
        let mut lanes = Lanes::new(2);
        let mut first = lanes.turn("a");
        let mut second = lanes.turn("a");
        let mut other = lanes.turn("b");
        assert!(first.begins().now_or_never().is_some());
        assert!(other.begins().now_or_never().is_some());
        assert!(second.begins().now_or_never().is_none());
        drop(first);
        assert!(second.begins().now_or_never().is_some());
    }

    #[test]
    fn keys_are_forgotten_once_their_deliveries_have_ended() {
        let mut lanes = Lanes::new(2);
        let running = lanes.turn("running");
        for key in 0..1000 {
            lanes.turn(&key.to_string());
            assert!(lanes.last.len() <= 6);
        }
        assert!(lanes.turn("running").begins().now_or_never().is_none());
        drop(running);
    }
}
