//! Where encoded messages wait to be sent: one buffer a signal, bounded in bytes.
//!
//! The messages stand as they will be sent, each with its tag and length, so a request is made of them without looking at
//! them again. What the buffer holds is counted by what was allocated for it, and a batch that is being sent counts until
//! it is gone, so the bound holds for both together.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tempo_telemetry::Signal;

use crate::losses::{Losses, Reason};
use crate::wire;

/// From here on the sender is woken rather than left to its schedule.
pub(crate) const WAKE: usize = 256 * 1024;
/// What is sent at once, unless a single message is larger.
pub(crate) const BATCH: usize = 512 * 1024;
/// Libraries and resources that are kept apart in one buffer.
pub(crate) const MAX_GROUPS: usize = 64;
/// Messages share pieces of memory: small ones where little is told, so that many groups fit.
const MIN_CHUNK: usize = 1024;
const MAX_CHUNK: usize = 64 * 1024;
/// What a group takes besides its key and its messages, generously.
const GROUP: usize = 256;
/// What a chunk takes besides its messages.
const CHUNK: usize = 64;

/// The field of the messages in `ScopeSpans`, `ScopeMetrics` and `ScopeLogs`: the same in all three.
const ITEM: u32 = 2;

/// What messages must have in common to stand in one `ScopeSpans`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source<'a> {
    /// What is added to the host's resource: an encoded `Resource`.
    pub(crate) resource: &'a [u8],
    /// An encoded `InstrumentationScope`.
    pub(crate) scope: &'a [u8],
    pub(crate) schema_url: &'a str,
}

#[derive(Debug)]
struct Key {
    resource: Box<[u8]>,
    scope: Box<[u8]>,
    schema_url: Box<str>,
}

impl Key {
    fn source(&self) -> Source<'_> {
        Source { resource: &self.resource, scope: &self.scope, schema_url: &self.schema_url }
    }
}

impl Source<'_> {
    fn cost(&self) -> usize {
        GROUP.saturating_add(self.resource.len()).saturating_add(self.scope.len()).saturating_add(self.schema_url.len())
    }

    fn to_key(self) -> Key {
        Key { resource: self.resource.into(), scope: self.scope.into(), schema_url: self.schema_url.into() }
    }
}

struct Chunk {
    bytes: Vec<u8>,
    items: u64,
}

impl Chunk {
    fn cost(&self) -> usize {
        self.bytes.capacity().saturating_add(CHUNK)
    }

    fn has_room(&self, length: usize) -> bool {
        self.bytes.capacity().saturating_sub(self.bytes.len()) >= length
    }
}

struct Group {
    key: Arc<Key>,
    chunks: VecDeque<Chunk>,
    size: usize,
}

#[derive(Default)]
struct Waiting {
    groups: VecDeque<Group>,
    /// Everything allocated, with what is being sent.
    held: usize,
    /// What waits to be sent.
    ready: usize,
    woken: bool,
}

/// The buffer of one signal.
pub(crate) struct Buffer {
    signal: Signal,
    capacity: usize,
    waiting: Mutex<Waiting>,
    filled: Notify,
    losses: Arc<Losses>,
}

impl Buffer {
    pub(crate) fn new(signal: Signal, capacity: usize, losses: Arc<Losses>) -> Arc<Self> {
        Arc::new(Self { signal, capacity, waiting: Mutex::default(), filled: Notify::new(), losses })
    }

    /// Takes a message, or counts that there was no room for it.
    pub(crate) fn push(&self, source: Source<'_>, message: &[u8]) {
        let pushed = self.waiting().push(self.capacity, source, message);
        match pushed {
            Ok(false) => {}
            Ok(true) => self.filled.notify_one(),
            Err(reason) => self.losses.add(self.signal, reason, 1),
        }
    }

    /// Waits until there is much to send.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Whether there is much to send.
    pub(crate) fn is_filled(&self) -> bool {
        self.waiting().ready >= WAKE
    }

    /// Takes what is to be sent next, if anything.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Batch> {
        let mut waiting = self.waiting();
        waiting.woken = false;
        let mut batch = Batch { groups: Vec::new(), items: 0, cost: 0, settled: false, buffer: Arc::clone(self) };
        let mut size = 0;
        while let Some(mut group) = waiting.groups.pop_front() {
            let before = size;
            let mut chunks = Vec::new();
            while let Some(chunk) = group.chunks.pop_front_if(|chunk| size == 0 || size + chunk.bytes.len() <= BATCH) {
                size += chunk.bytes.len();
                batch.items += chunk.items;
                batch.cost += chunk.cost();
                chunks.push(Bytes::from(chunk.bytes));
            }
            group.size = group.size.saturating_sub(size - before);
            if !chunks.is_empty() {
                batch.groups.push((Arc::clone(&group.key), chunks));
            }
            if !group.chunks.is_empty() {
                // Behind the others, so that all have their turn.
                waiting.groups.push_back(group);
                break;
            }
            batch.cost += group.key.source().cost();
        }
        waiting.ready = waiting.ready.saturating_sub(size);
        drop(waiting);
        (batch.items > 0).then_some(batch)
    }

    /// Gives up what waits, and counts it.
    pub(crate) fn abandon(self: &Arc<Self>) {
        while self.take().is_some() {}
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Whether the sender is to be woken.
    fn push(&mut self, capacity: usize, source: Source<'_>, message: &[u8]) -> Result<bool, Reason> {
        let length = wire::field_len(message.len());
        let place = self.groups.iter().position(|group| group.key.source() == source);
        let cost = if place.is_some() { 0 } else { source.cost() };
        if length.saturating_add(cost).saturating_add(CHUNK) > capacity {
            return Err(Reason::TooLarge);
        }
        if place.is_none() && self.groups.len() >= MAX_GROUPS {
            return Err(Reason::TooManySources);
        }
        let free = capacity.saturating_sub(self.held).saturating_sub(cost);
        match place.and_then(|place| self.groups.get_mut(place)) {
            Some(group) => {
                if group.chunks.back().is_none_or(|chunk| !chunk.has_room(length)) {
                    let chunk = chunk(length, group.size, free)?;
                    self.held += chunk.cost();
                    group.chunks.push_back(chunk);
                }
                group.append(length, message);
            }
            None => {
                let chunk = chunk(length, 0, free)?;
                self.held += cost + chunk.cost();
                let mut group = Group { key: Arc::new(source.to_key()), chunks: VecDeque::from([chunk]), size: 0 };
                group.append(length, message);
                self.groups.push_back(group);
            }
        }
        self.ready += length;
        Ok(self.ready >= WAKE && !std::mem::replace(&mut self.woken, true))
    }
}

/// A piece of memory for at least `length` bytes of a group that has `size` already, and at most `free`.
fn chunk(length: usize, size: usize, free: usize) -> Result<Chunk, Reason> {
    let free = free.saturating_sub(CHUNK);
    let wanted = size.clamp(MIN_CHUNK, MAX_CHUNK).min(free).max(length);
    if wanted > free {
        return Err(Reason::QueueFull);
    }
    Ok(Chunk { bytes: Vec::with_capacity(wanted), items: 0 })
}

impl Group {
    fn append(&mut self, length: usize, message: &[u8]) {
        if let Some(chunk) = self.chunks.back_mut() {
            wire::bytes(&mut chunk.bytes, ITEM, message);
            chunk.items += 1;
            self.size += length;
        }
    }
}

/// What is sent at once. It counts as held by the buffer until it is dropped; dropped without a word, it was lost.
pub(crate) struct Batch {
    groups: Vec<(Arc<Key>, Vec<Bytes>)>,
    items: u64,
    cost: usize,
    settled: bool,
    buffer: Arc<Buffer>,
}

impl Batch {
    /// What is in it, by where it comes from.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (Source<'_>, &[Bytes])> {
        self.groups.iter().map(|(key, chunks)| (key.source(), chunks.as_slice()))
    }

    /// The collector took it, but for so many.
    pub(crate) fn sent(mut self, rejected: u64) {
        self.settled = true;
        let rejected = rejected.min(self.items);
        self.buffer.losses.sent(self.buffer.signal, self.items - rejected);
        self.buffer.losses.add(self.buffer.signal, Reason::Rejected, rejected);
    }

    /// It was not taken.
    pub(crate) fn lost(mut self, reason: Reason) {
        self.settled = true;
        self.buffer.losses.add(self.buffer.signal, reason, self.items);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if !self.settled {
            self.buffer.losses.add(self.buffer.signal, Reason::Shutdown, self.items);
        }
        let mut waiting = self.buffer.waiting();
        waiting.held = waiting.held.saturating_sub(self.cost);
    }
}

#[cfg(test)]
mod tests;
