//! Administration of a stream.

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _};
use tempo_messaging::{ConsumerInfo, ConsumerMove, DeadLetter, Moved, Operator, Result, StreamInfo};

use super::jetstream::JetStreamBroker;
use super::{durable, error, moves};
use crate::error::NatsError;

/// Maximum listed consumers.
const MAX_LISTED_CONSUMERS: usize = 1000;

#[async_trait]
impl Operator for JetStreamBroker {
    async fn stream(&self) -> Result<StreamInfo> {
        let name = self.stream.name.clone();
        let letters = self.letters().stream.get().await?;
        let dead_letters = letters.map_or(0, |stream| stream.cached_info().state.messages);
        let Some(stream) = self.stream.get().await? else {
            return Ok(StreamInfo::new(name, 0, dead_letters, Vec::new()));
        };
        let asking = stream.consumers().take(MAX_LISTED_CONSUMERS).try_collect::<Vec<_>>();
        let infos = self.stream.connection.request(asking).await.map_err(error::lost)?;
        let infos = infos.map_err(|error| NatsError::other(&error))?;
        let mut consumers: Vec<ConsumerInfo> = infos.into_iter().map(|info| durable::info(&info)).collect();
        consumers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(StreamInfo::new(name, stream.cached_info().state.messages, dead_letters, consumers))
    }

    async fn dead_letters(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>> {
        self.letters().list(after, limit, &self.stream).await
    }

    async fn replay(&self, sequence: u64) -> Result<()> {
        self.letters().replay(sequence, &self.stream).await
    }

    async fn purge(&self, sequence: u64) -> Result<()> {
        self.letters().purge(sequence).await
    }

    async fn move_consumer(&self, consumer: &str, change: &ConsumerMove) -> Result<Moved> {
        moves::move_consumer(&self.stream, consumer, change).await
    }

    async fn remove_consumer(&self, consumer: &str) -> Result<ConsumerInfo> {
        moves::remove_consumer(&self.stream, consumer).await
    }
}
