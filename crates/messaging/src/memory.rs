//! The backend `memory:`, which forgets everything when the process ends. For tests and for trying things out.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempo_backend::{BackendContext, BackendScheme};
use tempo_settings::{BackendUrl, Flag, Size};

use crate::engine::{self, Burial, Change, Clock, Engine, Log, Read, Recorded, State, Stored, WINDOW};
use crate::{Broker, DeadLetter, Result};

/// What the messages of one broker may take, in bytes.
const MAX: usize = 256 << 20;
const MAX_FLAG: Flag =
    Flag::new("max-memory-broker", "SIZE", "What the messages of a memory: broker may take").default("256MiB");

/// The scheme `memory:`. What follows the colon tells brokers of one component apart: `memory:orders`.
pub struct Memory;

impl BackendScheme<dyn Broker> for Memory {
    const NAMES: &'static [&'static str] = &["memory"];

    fn flags() -> Vec<Flag> {
        vec![MAX_FLAG]
    }

    async fn open(_: &BackendUrl, context: BackendContext<'_>) -> anyhow::Result<Arc<dyn Broker>> {
        let Size(max) = context.settings.require(&MAX_FLAG)?;
        Ok(Arc::new(MemoryBroker::new(max)))
    }
}

/// A broker in memory. Its clones are the same broker.
///
/// A message stays until every consumer whose topics match has acknowledged it; one that no consumer wants stays until
/// one does. When there is no room for more, publishers are told. Dead letters are kept beside the messages, whatever
/// name a subscription gives for them.
#[derive(Clone)]
pub struct MemoryBroker {
    engine: Arc<Engine<MemoryLog>>,
}

impl Default for MemoryBroker {
    /// A broker whose messages may take 256 MiB.
    fn default() -> Self {
        Self::new(MAX)
    }
}

impl MemoryBroker {
    /// A broker whose messages, dead letters included, may take `max` bytes: of each its [`size`](crate::Message::size)
    /// and 256 more.
    pub fn new(max: usize) -> Self {
        Self::over(Clock::default(), max)
    }

    fn over(clock: Clock, max: usize) -> Self {
        let engine = Engine::new("memory".to_owned(), clock, State::new(max, WINDOW), MemoryLog::default());
        Self { engine: Arc::new(engine) }
    }

    #[cfg(test)]
    pub(crate) fn with_clock(clock: Clock) -> Self {
        Self::over(clock, MAX)
    }
}

engine::broker!(MemoryBroker);

/// The messages themselves.
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
    type Room = ();

    async fn room(&self) -> Result<()> {
        Ok(())
    }

    fn room_now(&self) -> Option<()> {
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
            Change::Bury(burial) => self.bury(burial),
            Change::Exhume { letter } => drop(self.letters.remove(&letter)),
            // The engine has these at hand, and nobody opens it again.
            Change::Progress { .. } | Change::Consumer { .. } | Change::Remember { .. } | Change::Forget { .. } => {}
        }
    }

    fn bury(&mut self, burial: Burial) {
        let Some(stored) = self.messages.get(&burial.sequence) else { return };
        let letter = burial.letter(stored.message.clone());
        self.letters.insert(letter.sequence, letter);
    }
}
