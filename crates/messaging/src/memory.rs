//! The backend `memory:`, which forgets everything when the process ends. For tests and for trying things out.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tempo_backend::{BackendContext, BackendScheme};
use tempo_settings::{BackendUrl, Flag, Size};

use crate::engine::{
    self, Change, Clock, DEDUP_WINDOW_MILLIS, DeadLetterRecord, Engine, Log, Read, Recorded, State, Stored,
};
use crate::{Broker, DeadLetter, Result};

/// Default capacity of a broker, in bytes.
const DEFAULT_CAPACITY_BYTES: usize = 256 << 20;
const MAX_FLAG: Flag =
    Flag::new("max-memory-broker", "SIZE", "Capacity of a memory: broker").default("256MiB").of::<Size>();

/// The URL scheme `memory:`. The rest of the URL distinguishes brokers of one component: `memory:orders`.
#[derive(Clone, Copy, Debug)]
pub struct Memory;

#[async_trait]
impl BackendScheme<dyn Broker> for Memory {
    const NAMES: &'static [&'static str] = &["memory"];
    const IN_PROCESS: bool = true;

    fn flags() -> Vec<Flag> {
        vec![MAX_FLAG]
    }

    async fn open(_: &BackendUrl, context: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Broker>> {
        let Size(max) = context.settings.require(&MAX_FLAG)?;
        Ok(Arc::new(MemoryBroker::new(max)))
    }
}

/// A broker in memory. Clones share it.
///
/// A message is stored until every consumer with a matching topic has acknowledged it; without one, until such a
/// consumer is created. When the broker is full, publishing fails. Dead letters count too, and are stored in the
/// broker, whatever stream a subscription names for them.
#[derive(Clone)]
pub struct MemoryBroker {
    engine: Arc<Engine<MemoryLog>>,
}

impl fmt::Debug for MemoryBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBroker").finish_non_exhaustive()
    }
}

impl Default for MemoryBroker {
    /// Creates a broker with a capacity of 256 MiB.
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY_BYTES)
    }
}

impl MemoryBroker {
    /// Creates a broker with a capacity of `max` bytes: each message and dead letter counts its
    /// [`size`](crate::Message::size) and 256 more.
    pub fn new(max: usize) -> Self {
        Self::over(Clock::default(), max)
    }

    fn over(clock: Clock, max: usize) -> Self {
        let engine =
            Engine::new("memory".to_owned(), clock, State::new(max, DEDUP_WINDOW_MILLIS), MemoryLog::default());
        Self { engine: Arc::new(engine) }
    }

    #[cfg(test)]
    pub(crate) fn with_clock(clock: Clock) -> Self {
        Self::over(clock, DEFAULT_CAPACITY_BYTES)
    }
}

engine::broker!(MemoryBroker);

/// Stores messages and dead letters.
#[derive(Default)]
pub(crate) struct MemoryLog {
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    messages: HashMap<u64, Stored>,
    letters: BTreeMap<u64, DeadLetter>,
}

impl MemoryLog {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    type Permit = ();

    async fn reserve(&self) -> Result<()> {
        Ok(())
    }

    fn try_reserve(&self) -> Option<()> {
        Some(())
    }

    fn record(&self, (): (), changes: Vec<Change>, read: Vec<u64>) -> Recorded {
        let mut content = self.content();
        changes.into_iter().for_each(|change| content.apply(change));
        Recorded::Now(read.iter().map(|sequence| content.messages.get(sequence).cloned()).collect::<Read>())
    }

    async fn letters(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let content = self.content();
        Ok(content.letters.range((start, Bound::Unbounded)).take(limit).map(|(_, letter)| letter.clone()).collect())
    }
}

impl Content {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Publish { sequence, timestamp, message } => {
                self.messages.insert(sequence, Stored { message, timestamp });
            }
            Change::Remove { sequence } => drop(self.messages.remove(&sequence)),
            Change::DeadLetter(dead_letter) => self.insert_dead_letter(dead_letter),
            Change::RemoveDeadLetter { letter } => drop(self.letters.remove(&letter)),
            // The engine holds these, and is never reopened.
            Change::Progress { .. }
            | Change::Consumer { .. }
            | Change::RemoveConsumer { .. }
            | Change::Remember { .. }
            | Change::Forget { .. } => {}
        }
    }

    fn insert_dead_letter(&mut self, dead_letter: DeadLetterRecord) {
        let Some(stored) = self.messages.get(&dead_letter.sequence) else { return };
        let letter = dead_letter.letter(stored.message.clone());
        self.letters.insert(letter.sequence, letter);
    }
}
