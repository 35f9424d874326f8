//! A change of a bucket, as a watcher is told.

use crate::Bucket;

/// A change of one entry, made by whomever: this component, another, or the end of the entry's time.
///
/// Make a function the component's [`watcher`](crate::watcher) to hear of every change of every bucket that it may open:
///
/// ```
/// # mod guest {
/// use tempo_sdk_keyvalue::Change;
///
/// #[tempo_sdk_keyvalue::watcher]
/// async fn changed(change: Change) {
///     match change.value {
///         Some(value) => println!("{} has {} bytes now", change.key, value.len()),
///         None => println!("{} is gone", change.key),
///     }
/// }
/// # }
/// # fn main() {}
/// ```
///
/// Changes of one key come one after the other, those of different keys at the same time. None is told twice, and none again
/// if the watcher fails. A watcher that writes to the bucket hears of that too: write under other keys than you wait for, or
/// only when there is something to change.
#[derive(Debug)]
#[non_exhaustive]
pub struct Change {
    /// The bucket in which it happened. By now it may hold something newer under the key.
    pub bucket: Bucket,
    /// The key of the entry.
    pub key: String,
    /// The value that was written, or `None` when the entry was deleted or its time was over.
    pub value: Option<Vec<u8>>,
}

/// Gives the compiler words for a watcher that takes something else.
#[diagnostic::on_unimplemented(
    message = "a watcher cannot take `{Self}`",
    label = "not a change",
    note = "take `tempo_sdk_keyvalue::Change`, and read the rest from it"
)]
pub trait FromChange {
    /// Makes the argument.
    fn from_change(change: Change) -> Self;
}

impl FromChange for Change {
    fn from_change(change: Change) -> Self {
        change
    }
}
