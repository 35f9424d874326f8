//! `Change`: the argument of a watcher.

use crate::Bucket;

/// A change of one entry, by this component, another client of the store, or an expired TTL.
///
/// A component's [`watcher`](crate::watcher) receives every change of every bucket that the component may open:
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
/// Changes of one key are delivered one after the other, changes of different keys concurrently. Each change is
/// delivered at most once, also if the watcher fails. The watcher receives its own writes too: write under other keys
/// than it reacts to, or only if the value differs.
#[derive(Debug)]
#[non_exhaustive]
pub struct Change {
    /// The bucket of the entry. It may already hold a newer value under the key.
    pub bucket: Bucket,
    /// The key of the entry.
    pub key: String,
    /// The written value, or `None` if the entry was deleted or expired.
    pub value: Option<Vec<u8>>,
}

/// Restricts the type of a watcher's argument, with a compiler message that names the right one.
#[diagnostic::on_unimplemented(
    message = "a watcher cannot take `{Self}`",
    label = "not a change",
    note = "take `tempo_sdk_keyvalue::Change`, and read the rest from it"
)]
pub trait FromChange {
    /// Converts the change to the argument.
    fn from_change(change: Change) -> Self;
}

impl FromChange for Change {
    fn from_change(change: Change) -> Self {
        change
    }
}
