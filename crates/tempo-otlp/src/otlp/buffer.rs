//! `Buffer`: encoded messages that wait to be sent, one buffer per signal, bounded in bytes.
//!
//! Messages are stored as they are sent, with tag and length, so that a request is assembled without parsing them. The
//! bound counts allocated bytes, including those of a batch in flight until it is dropped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tempo_telemetry::Signal;
use tokio::sync::Notify;

use crate::losses::{LossReason, Losses};
use crate::otlp::wire;

/// Size from which the sender is woken before its schedule.
pub(crate) const WAKE_BYTES: usize = 256 * 1024;
/// Maximum size of a batch, unless a single message is larger.
pub(crate) const MAX_BATCH_BYTES: usize = 512 * 1024;
/// Maximum number of resources and scopes in one buffer.
pub(crate) const MAX_GROUPS: usize = 64;
/// Messages share chunks of memory; chunks grow with their group, so that many small groups fit.
const MIN_CHUNK_BYTES: usize = 1024;
const MAX_CHUNK_BYTES: usize = 64 * 1024;
/// Upper bound of a group's size besides its key and messages.
const GROUP_OVERHEAD: usize = 256;
/// Size of a chunk besides its messages.
const CHUNK_OVERHEAD: usize = 64;

/// The field number of messages in `ScopeSpans`, `ScopeMetrics` and `ScopeLogs`.
const ITEM_FIELD: u32 = 2;

/// The key by which messages are grouped into one `ScopeSpans`, `ScopeMetrics` or `ScopeLogs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScopeKey<'a> {
    /// Attributes added to the host's resource: an encoded `Resource`.
    pub(crate) resource: &'a [u8],
    /// An encoded `InstrumentationScope`.
    pub(crate) scope: &'a [u8],
    pub(crate) schema_url: &'a str,
}

#[derive(Debug)]
struct OwnedScopeKey {
    resource: Box<[u8]>,
    scope: Box<[u8]>,
    schema_url: Box<str>,
}

impl OwnedScopeKey {
    fn as_key(&self) -> ScopeKey<'_> {
        ScopeKey { resource: &self.resource, scope: &self.scope, schema_url: &self.schema_url }
    }
}

impl ScopeKey<'_> {
    fn cost(&self) -> usize {
        GROUP_OVERHEAD
            .saturating_add(self.resource.len())
            .saturating_add(self.scope.len())
            .saturating_add(self.schema_url.len())
    }

    fn to_owned_key(self) -> OwnedScopeKey {
        OwnedScopeKey { resource: self.resource.into(), scope: self.scope.into(), schema_url: self.schema_url.into() }
    }
}

struct Chunk {
    bytes: Vec<u8>,
    items: u64,
}

impl Chunk {
    fn cost(&self) -> usize {
        self.bytes.capacity().saturating_add(CHUNK_OVERHEAD)
    }

    fn has_room(&self, length: usize) -> bool {
        self.bytes.capacity().saturating_sub(self.bytes.len()) >= length
    }
}

struct Group {
    key: Arc<OwnedScopeKey>,
    chunks: VecDeque<Chunk>,
    size: usize,
}

#[derive(Default)]
struct Queue {
    groups: VecDeque<Group>,
    /// Allocated bytes, including those in flight.
    held: usize,
    /// Bytes that wait to be sent.
    ready: usize,
    woken: bool,
}

/// The buffer of one signal.
pub(crate) struct Buffer {
    signal: Signal,
    capacity: usize,
    queue: Mutex<Queue>,
    filled: Notify,
    losses: Arc<Losses>,
}

impl Buffer {
    pub(crate) fn new(signal: Signal, capacity: usize, losses: Arc<Losses>) -> Arc<Self> {
        Arc::new(Self { signal, capacity, queue: Mutex::default(), filled: Notify::new(), losses })
    }

    /// Appends a message, or counts it as dropped if there is no room.
    pub(crate) fn push(&self, key: ScopeKey<'_>, message: &[u8]) {
        let pushed = self.queue().push(self.capacity, key, message);
        match pushed {
            Ok(false) => {}
            Ok(true) => self.filled.notify_one(),
            Err(reason) => self.losses.add(self.signal, reason, 1),
        }
    }

    /// Waits until [`WAKE_BYTES`] wait to be sent.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Returns whether [`WAKE_BYTES`] wait to be sent.
    pub(crate) fn is_filled(&self) -> bool {
        self.queue().ready >= WAKE_BYTES
    }

    /// Takes the next batch, if any.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Batch> {
        let mut queue = self.queue();
        queue.woken = false;
        let mut batch = Batch { groups: Vec::new(), items: 0, cost: 0, settled: false, buffer: Arc::clone(self) };
        let mut size = 0;
        while let Some(mut group) = queue.groups.pop_front() {
            let before = size;
            let mut chunks = Vec::new();
            while let Some(chunk) =
                group.chunks.pop_front_if(|chunk| size == 0 || size + chunk.bytes.len() <= MAX_BATCH_BYTES)
            {
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
                // Moved behind the other groups, so that all are served in turn.
                queue.groups.push_back(group);
                break;
            }
            batch.cost += group.key.as_key().cost();
        }
        queue.ready = queue.ready.saturating_sub(size);
        drop(queue);
        (batch.items > 0).then_some(batch)
    }

    /// Drops all waiting messages, and counts them.
    pub(crate) fn discard(self: &Arc<Self>) {
        while self.take().is_some() {}
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Appends a message. Returns whether to wake the sender.
    fn push(&mut self, capacity: usize, key: ScopeKey<'_>, message: &[u8]) -> Result<bool, LossReason> {
        let length = wire::field_len(message.len());
        let place = self.groups.iter().position(|group| group.key.as_key() == key);
        let cost = if place.is_some() { 0 } else { key.cost() };
        if length.saturating_add(cost).saturating_add(CHUNK_OVERHEAD) > capacity {
            return Err(LossReason::TooLarge);
        }
        if place.is_none() && self.groups.len() >= MAX_GROUPS {
            return Err(LossReason::TooManySources);
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
                let mut group = Group { key: Arc::new(key.to_owned_key()), chunks: VecDeque::from([chunk]), size: 0 };
                group.append(length, message);
                self.groups.push_back(group);
            }
        }
        self.ready += length;
        Ok(self.ready >= WAKE_BYTES && !std::mem::replace(&mut self.woken, true))
    }
}

/// Allocates a chunk for `length` bytes of a group of `size` bytes, within `free` bytes.
fn chunk(length: usize, size: usize, free: usize) -> Result<Chunk, LossReason> {
    let free = free.saturating_sub(CHUNK_OVERHEAD);
    let wanted = size.clamp(MIN_CHUNK_BYTES, MAX_CHUNK_BYTES).min(free).max(length);
    if wanted > free {
        return Err(LossReason::QueueFull);
    }
    Ok(Chunk { bytes: Vec::with_capacity(wanted), items: 0 })
}

impl Group {
    fn append(&mut self, length: usize, message: &[u8]) {
        if let Some(chunk) = self.chunks.back_mut() {
            wire::bytes(&mut chunk.bytes, ITEM_FIELD, message);
            chunk.items += 1;
            self.size += length;
        }
    }
}

/// A batch of messages. It counts towards the buffer's bound until it is dropped; dropping it unsent counts it as lost.
pub(crate) struct Batch {
    groups: Vec<(Arc<OwnedScopeKey>, Vec<Bytes>)>,
    items: u64,
    cost: usize,
    settled: bool,
    buffer: Arc<Buffer>,
}

impl Batch {
    /// Returns the messages, grouped by key.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (ScopeKey<'_>, &[Bytes])> {
        self.groups.iter().map(|(key, chunks)| (key.as_key(), chunks.as_slice()))
    }

    /// Records that the collector accepted all but `rejected` items.
    pub(crate) fn sent(mut self, rejected: u64) {
        self.settled = true;
        let rejected = rejected.min(self.items);
        self.buffer.losses.sent(self.buffer.signal, self.items - rejected);
        self.buffer.losses.add(self.buffer.signal, LossReason::Rejected, rejected);
    }

    /// Records that the batch was lost.
    pub(crate) fn lost(mut self, reason: LossReason) {
        self.settled = true;
        self.buffer.losses.add(self.buffer.signal, reason, self.items);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if !self.settled {
            self.buffer.losses.add(self.buffer.signal, LossReason::Shutdown, self.items);
        }
        let mut queue = self.buffer.queue();
        queue.held = queue.held.saturating_sub(self.cost);
    }
}

#[cfg(test)]
mod tests;
