//! `Window`: a part of a listing, in the order of names.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::{Duration, Instant};

use super::StreamState;

/// Maximum bytes of a window, unless a single page has more.
const MAX_WINDOW_BYTES: usize = 16 << 20;

/// Bytes counted per entry besides its name and its own.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// An entry of a listing.
pub(crate) trait Listed: Clone {
    /// Returns the bytes that it has on the heap.
    fn heap_bytes(&self) -> usize;
}

/// A key, which is its name.
impl Listed for () {
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The entries whose names begin with a prefix, follow a name and, if not all fit, precede another.
pub(crate) struct Window<T> {
    prefix: String,
    after: Option<String>,
    /// The first name that did not fit. The window has no entry from here on.
    end: Option<String>,
    entries: BTreeMap<String, (T, u64)>,
    bytes: usize,
    max_bytes: usize,
    /// Entries that are kept whatever their bytes.
    room: usize,
    /// Number of entries that were removed.
    removed: usize,
    state: Option<StreamState>,
    created: Instant,
    used: Instant,
}

impl<T: Listed> Window<T> {
    /// Creates an empty window that begins after a name.
    pub(super) fn new(prefix: &str, after: Option<&str>, room: usize) -> Self {
        let now = Instant::now();
        Self {
            prefix: prefix.to_owned(),
            after: after.map(str::to_owned),
            end: None,
            entries: BTreeMap::new(),
            bytes: 0,
            max_bytes: MAX_WINDOW_BYTES,
            room,
            removed: 0,
            state: None,
            created: now,
            used: now,
        }
    }

    /// Adds the entry of the message `sequence`, in place of an older one.
    pub(super) fn add(&mut self, name: String, entry: T, sequence: u64) {
        let follows = self.after.as_ref().is_none_or(|after| name > *after);
        let precedes = self.end.as_ref().is_none_or(|end| name < *end);
        if !follows || !precedes || !name.starts_with(&self.prefix) {
            return;
        }
        self.bytes = self.bytes.saturating_add(size(&name, &entry));
        if let Some((name, (old, _))) = self.entries.remove_entry(&name) {
            self.bytes = self.bytes.saturating_sub(size(&name, &old));
        }
        self.entries.insert(name, (entry, sequence));
        while self.bytes > self.max_bytes && self.entries.len() > self.room {
            let Some((name, (entry, _))) = self.entries.pop_last() else { break };
            self.bytes = self.bytes.saturating_sub(size(&name, &entry));
            self.end = Some(name);
        }
    }

    /// Removes the entry of a name if it is older than the message `sequence`.
    pub(super) fn remove(&mut self, name: &str, sequence: u64) {
        if self.entries.get(name).is_some_and(|(_, added)| *added < sequence)
            && let Some((name, (entry, _))) = self.entries.remove_entry(name)
        {
            self.bytes = self.bytes.saturating_sub(size(&name, &entry));
            self.removed = self.removed.saturating_add(1);
        }
    }

    /// Returns the first `limit` entries of a page. `None` if the window does not have all of them.
    pub(super) fn page(&self, prefix: &str, after: Option<&str>, limit: usize) -> Option<Vec<(String, T)>> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let following = self.entries.range::<str, _>((start, Bound::Unbounded));
        let entries = following.take_while(|(name, _)| name.starts_with(prefix)).take(limit);
        let page: Vec<_> = entries.map(|(name, (entry, _))| (name.clone(), entry.clone())).collect();
        let is_whole = page.len() == limit || self.end.as_ref().is_none_or(|end| !could_have(prefix, end));
        is_whole.then_some(page)
    }

    /// Returns true if the window has the first entry of such a page, if there is one.
    pub(super) fn covers(&self, prefix: &str, after: Option<&str>) -> bool {
        let begins = match (&self.after, after) {
            (None, _) => true,
            // A window that begins before the first name with the prefix has all of them.
            (Some(own), after) => after.is_some_and(|after| after >= own.as_str()) || own.as_str() < prefix,
        };
        let ends = self.end.as_deref().is_some_and(|end| end <= prefix || after.is_some_and(|after| end <= after));
        prefix.starts_with(&self.prefix) && begins && !ends
    }

    pub(super) fn removed(&self) -> usize {
        self.removed
    }

    pub(super) fn state(&self) -> Option<StreamState> {
        self.state
    }

    pub(super) fn set_state(&mut self, state: StreamState) {
        self.state = Some(state);
    }

    pub(super) fn touch(&mut self) {
        self.used = Instant::now();
    }

    pub(super) fn is_fresh(&self, idle: Duration, age: Duration) -> bool {
        self.used.elapsed() < idle && self.created.elapsed() < age
    }
}

/// Returns true if names that begin with `prefix` may follow `end`, or be equal to it.
fn could_have(prefix: &str, end: &str) -> bool {
    end.starts_with(prefix) || end < prefix
}

fn size<T: Listed>(name: &str, entry: &T) -> usize {
    name.len().saturating_add(entry.heap_bytes()).saturating_add(size_of::<T>()).saturating_add(ENTRY_OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests;
