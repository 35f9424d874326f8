//! Implements [`Operator`] for the engine.

use async_trait::async_trait;

use super::{Change, Engine, Log, State};
use crate::{ConsumerInfo, ConsumerMove, DeadLetter, Error, ErrorKind, Moved, Operator, Result, StreamInfo};

#[async_trait]
impl<L: Log> Operator for Engine<L> {
    async fn stream(&self) -> Result<StreamInfo> {
        let (messages, dead_letters, consumers) = self.state().info();
        let [messages, dead_letters] = [messages, dead_letters].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        Ok(StreamInfo { name: self.name.clone(), messages, dead_letters, consumers })
    }

    async fn dead_letters(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>> {
        self.log.letters(after, limit).await
    }

    /// Bypasses deduplication: the replayed message keeps its id.
    async fn replay(&self, sequence: u64) -> Result<()> {
        let found = self.log.letters(sequence.checked_sub(1), 1).await?;
        let Some(letter) = found.into_iter().find(|letter| letter.sequence == sequence) else {
            return Err(missing(sequence));
        };
        let replay = |state: &mut State, journal: &mut Vec<Change>| {
            state.replay(sequence, letter.message, self.clock.now(), journal)
        };
        if self.change(replay).await? { Ok(()) } else { Err(missing(sequence)) }
    }

    async fn purge(&self, sequence: u64) -> Result<()> {
        let purge = |state: &mut State, journal: &mut Vec<Change>| state.remove_dead_letter(sequence, journal);
        if self.change(purge).await? { Ok(()) } else { Err(missing(sequence)) }
    }

    async fn move_consumer(&self, consumer: &str, change: &ConsumerMove) -> Result<Moved> {
        self.change(|state, journal| state.move_consumer(consumer, change, journal)).await?
    }

    async fn remove_consumer(&self, consumer: &str) -> Result<ConsumerInfo> {
        self.change(|state, journal| state.remove_consumer(consumer, journal)).await?
    }
}

fn missing(sequence: u64) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("there is no dead letter {sequence}"))
}
