//! Group commit: a writer commits all waiting requests in one transaction, since a commit costs much more than a write.

use tokio::sync::mpsc::Receiver;

/// Maximum queued requests, and so maximum requests per commit.
pub const MAX_QUEUED_REQUESTS: usize = 256;
/// A commit takes no further requests once those it has have this many bytes.
pub const MAX_COMMIT_BYTES: usize = 16 << 20;

/// Returns `first` and the requests that wait behind it, as many as fit into one commit, with the sum of their `size`s in
/// bytes.
pub fn group<R>(first: R, requests: &mut Receiver<R>, size: impl Fn(&R) -> usize) -> (Vec<R>, usize) {
    let mut bytes = size(&first);
    let mut group = vec![first];
    while bytes < MAX_COMMIT_BYTES && group.len() < MAX_QUEUED_REQUESTS {
        let Ok(next) = requests.try_recv() else { break };
        bytes = bytes.saturating_add(size(&next));
        group.push(next);
    }
    (group, bytes)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn a_group_ends_at_either_limit() {
        let (sender, mut requests) = mpsc::channel(600);
        (0..600).for_each(|_| sender.try_send(1_usize).unwrap());
        let first = requests.try_recv().unwrap();
        assert_eq!(group(first, &mut requests, |size| *size), (vec![1; 256], 256));
        let first = requests.try_recv().unwrap();
        let (large, bytes) = group(first, &mut requests, |_| MAX_COMMIT_BYTES / 2);
        assert_eq!((large.len(), bytes), (2, MAX_COMMIT_BYTES));
        let first = requests.try_recv().unwrap();
        assert_eq!(group(first, &mut requests, |_| MAX_COMMIT_BYTES - 1).0.len(), 2);
    }

    #[test]
    fn a_group_does_not_wait() {
        let (sender, mut requests) = mpsc::channel(1);
        assert_eq!(group(7_usize, &mut requests, |_| 3), (vec![7], 3));
        drop(sender);
    }
}
