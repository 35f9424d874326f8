//! Moves or removes a consumer. JetStream can update its topics in place; for another position or name the consumer is recreated.

use async_nats::jetstream::consumer::{self, DeliverPolicy};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::Stream;
use tempo_messaging::{ConsumerInfo, ConsumerMove, Error, ErrorKind, Moved, Result, Start};

use super::stream::NamedStream;
use super::{durable, error, join};
use crate::error::NatsError;

/// Changes the topics, the position or the name of the consumer.
pub(super) async fn move_consumer(named: &NamedStream, consumer: &str, change: &ConsumerMove) -> Result<Moved> {
    let stream = named.get().await?.ok_or_else(missing)?;
    let old = info(named, &stream, consumer).await?.ok_or_else(missing)?;
    check_unused(&old)?;
    let before = durable::read(&old.config);
    let topics = change.topics.clone().unwrap_or_else(|| before.topics.clone());
    let start = match change.start {
        None | Some(Start::All) => 0,
        Some(Start::New) => u64::MAX,
        Some(Start::Sequence(sequence)) => sequence,
        Some(_) => return Err(unsupported()),
    };
    let skipped = match change.start {
        Some(Start::New) => Some(old.num_pending),
        _ => durable::skipped(&named.connection, &stream, &old, &topics, start).await,
    };
    let mut config = old.config.clone();
    let mut moved = before.clone();
    (moved.topics, moved.owner) = (topics, None);
    durable::write(&moved, &mut config);
    // The stream may lack the new topics.
    let extended = named.with(&durable::read(&config).topics, 1).await;
    let stream = extended.map_err(|error| Error::new(ErrorKind::Other, format!("{error:#}")))?;
    let name = change.name.as_deref().filter(|name| *name != consumer);
    let now = match (change.start, name) {
        (None, None) => update(named, &stream, config).await?,
        (start, name) => replace(named, &stream, &old, config, start, name).await?,
    };
    Ok(Moved::new(before.topics, durable::info(&now)).with_skipped(skipped))
}

/// Refuses to change a consumer from which a program fetches: the program would handle messages of topics that it did not
/// subscribe to, share the messages with the next owner, or recreate the consumer. One whose handlers are all busy is not
/// seen.
fn check_unused(consumer: &consumer::Info) -> Result<()> {
    if consumer.num_waiting > 0 {
        return Err(Error::new(ErrorKind::Unavailable, "a program fetches from the consumer; stop it first"));
    }
    Ok(())
}

/// Removes the consumer. Returns its last state.
pub(super) async fn remove_consumer(named: &NamedStream, consumer: &str) -> Result<ConsumerInfo> {
    let stream = named.get().await?.ok_or_else(missing)?;
    let old = info(named, &stream, consumer).await?.ok_or_else(missing)?;
    check_unused(&old)?;
    delete(named, &stream, &old.name).await?;
    Ok(durable::info(&old))
}

async fn info(named: &NamedStream, stream: &Stream, name: &str) -> Result<Option<consumer::Info>> {
    match named.connection.request(stream.consumer_info(name)).await.map_err(error::lost)? {
        Ok(info) => Ok(Some(info)),
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ConsumerInfoErrorKind::InvalidName => Ok(None),
        Err(error) => Err(NatsError::other(&error).into()),
    }
}

async fn update(named: &NamedStream, stream: &Stream, config: consumer::Config) -> Result<consumer::Info> {
    let config = durable::pulled(config).ok_or_else(pushes)?;
    let updated = named.connection.request(stream.update_consumer(config)).await.map_err(error::lost)?;
    let updated = updated.map_err(|error| Error::new(ErrorKind::Other, format!("it cannot be updated: {error}")))?;
    Ok(updated.cached_info().clone())
}

/// Recreates the consumer at another position or under another name.
async fn replace(
    named: &NamedStream,
    stream: &Stream,
    old: &consumer::Info,
    mut config: consumer::Config,
    start: Option<Start>,
    name: Option<&str>,
) -> Result<consumer::Info> {
    let position = old.ack_floor.stream_sequence.saturating_add(1);
    config.deliver_policy = match start {
        Some(Start::New) => DeliverPolicy::New,
        Some(Start::All | Start::Sequence(0)) => DeliverPolicy::All,
        Some(Start::Sequence(start_sequence)) => DeliverPolicy::ByStartSequence { start_sequence },
        Some(_) => return Err(unsupported()),
        None => DeliverPolicy::ByStartSequence { start_sequence: position },
    };
    (config.name, config.durable_name) = (None, Some(name.unwrap_or(&old.name).to_owned()));
    if let Some(name) = name {
        if info(named, stream, name).await?.is_some() {
            return Err(taken());
        }
        let made = create(named, stream, config).await?.ok_or_else(taken)?;
        delete(named, stream, &old.name).await?;
        return Ok(made);
    }
    delete(named, stream, &old.name).await?;
    let problem = match create(named, stream, config).await {
        Ok(Some(made)) => return Ok(made),
        Ok(None) => return Err(Error::new(ErrorKind::Other, "another program has created the consumer meanwhile")),
        Err(problem) => problem,
    };
    // Restore the consumer at its old position.
    let deliver_policy = DeliverPolicy::ByStartSequence { start_sequence: position };
    create(named, stream, consumer::Config { deliver_policy, ..old.config.clone() }).await?;
    Err(problem)
}

async fn create(named: &NamedStream, stream: &Stream, config: consumer::Config) -> Result<Option<consumer::Info>> {
    join::create(named, stream, config).await.map_err(|error| Error::new(ErrorKind::Other, format!("{error:#}")))
}

async fn delete(named: &NamedStream, stream: &Stream, name: &str) -> Result<()> {
    let deleted = named.connection.request(stream.delete_consumer(name)).await.map_err(error::lost)?;
    deleted.map(drop).map_err(|error| NatsError::other(&error).into())
}

fn missing() -> Error {
    error::invalid("there is no consumer of that name")
}

fn unsupported() -> Error {
    error::invalid("consumers of NATS cannot start at this position")
}

fn taken() -> Error {
    error::invalid("a consumer has the new name already")
}

fn pushes() -> Error {
    Error::new(ErrorKind::Other, "the consumer is a push consumer, which Tempo does not use")
}
