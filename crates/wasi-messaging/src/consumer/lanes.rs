//! One message of a key at a time, for subscriptions that are ordered.
//!
//! The broker provides the order: with `ordered` it delivers a message only after the previous one of its key is
//! settled, retries included. A broker without acknowledgements delivers them immediately, in order; lanes then keep
//! two handlers from running for one key.

use std::collections::HashMap;

use tokio::sync::oneshot::{self, error::TryRecvError};

/// The last delivery of each key. Owned by the fetch loop, so that turns follow the order of deliveries.
pub(super) struct Lanes {
    last: HashMap<String, oneshot::Receiver<()>>,
    /// Maximum concurrent deliveries.
    most: usize,
}

/// A delivery's turn. It begins when the previous turn of its key is dropped.
pub(super) struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _after: oneshot::Sender<()>,
}

impl Lanes {
    pub(super) fn new(most: usize) -> Self {
        Self { last: HashMap::new(), most }
    }

    /// Creates the turn of the latest delivery with `key`.
    pub(super) fn turn(&mut self, key: &str) -> Turn {
        // Drops keys without running deliveries; the map stays below twice the number of deliveries.
        if self.last.len() > self.most.saturating_mul(2) {
            self.last.retain(|_, last| last.try_recv() == Err(TryRecvError::Empty));
        }
        let (after, last) = oneshot::channel();
        Turn { before: self.last.insert(key.to_owned(), last), _after: after }
    }
}

impl Turn {
    /// Waits until the previous delivery has ended.
    pub(super) async fn begins(&mut self) {
        if let Some(before) = &mut self.before {
            // Resolves when the sender is dropped.
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
