//! What a durable consumer of JetStream says about itself, and how what Tempo knows of one is written into it.

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use tempo_messaging::{ConsumerConfig, ConsumerInfo, Handling, Owner, topic};

use super::stream::MARK;
use crate::connection::Connection;

/// Whose the consumer is.
const APP: &str = "tempo-app";
const COMPONENT: &str = "tempo-component";

/// What the names of other entries of Tempo's begin with.
const PREFIX: &str = "tempo-";

/// What begins with this in a consumer's metadata is the server's.
const RESERVED: &str = "_nats.";

/// How many messages may be on their way in all replicas. Those that wait to be tried again are among them, so that many
/// must be able to fail before a consumer comes to a halt.
const MAX_ACK_PENDING: i64 = 65_536;

/// How long a consumer stays that was made to count messages, if it cannot be deleted.
const COUNTING: std::time::Duration = std::time::Duration::from_secs(5);

/// Whether Tempo made the consumer, and may change it.
pub(super) fn is_ours(config: &consumer::Config) -> bool {
    config.metadata.contains_key(MARK)
}

/// What the consumer is.
pub(super) fn read(config: &consumer::Config) -> ConsumerConfig {
    let text = |name: &str| config.metadata.get(name).cloned();
    ConsumerConfig {
        topics: topics(config),
        ack_wait: config.ack_wait,
        // One after the other in all replicas is the order of each key.
        ordered: config.max_ack_pending == 1,
        handling: Handling::from_properties(|name| text(&format!("{PREFIX}{name}"))),
        owner: text(COMPONENT).map(|component| Owner { app: text(APP), component }),
    }
}

/// Makes the consumer what `wanted` says. What that does not speak of stays as it is.
pub(super) fn write(wanted: &ConsumerConfig, config: &mut consumer::Config) {
    let kept = read(config);
    if kept.topics != wanted.topics {
        config.filter_subject = String::new();
        config.filter_subjects = topic::prune(&wanted.topics);
    }
    if kept.ordered != wanted.ordered || config.max_ack_pending == 0 {
        config.max_ack_pending = if wanted.ordered { 1 } else { MAX_ACK_PENDING };
    }
    config.ack_wait = wanted.ack_wait;
    let metadata = &mut config.metadata;
    metadata.retain(|name, _| !name.starts_with(RESERVED) && name != APP && name != COMPONENT);
    metadata.insert(MARK.to_owned(), "messaging".to_owned());
    if let Some(Owner { app, component }) = &wanted.owner {
        metadata.insert(COMPONENT.to_owned(), component.clone());
        metadata.extend(app.iter().map(|app| (APP.to_owned(), app.clone())));
    }
    for (name, text) in wanted.handling.iter().flat_map(Handling::properties) {
        let name = format!("{PREFIX}{name}");
        match text {
            Some(text) => metadata.insert(name, text),
            None => metadata.remove(&name),
        };
    }
}

/// A new consumer.
pub(super) fn new(name: &str, wanted: &ConsumerConfig, deliver_policy: DeliverPolicy) -> consumer::Config {
    let mut config = consumer::Config {
        durable_name: Some(name.to_owned()),
        deliver_policy,
        ack_policy: AckPolicy::Explicit,
        max_deliver: -1,
        filter_subjects: topic::prune(&wanted.topics),
        ..consumer::Config::default()
    };
    write(wanted, &mut config);
    config
}

/// The consumer as one that is pulled from, which it is.
pub(super) fn pulled(config: consumer::Config) -> Option<pull::Config> {
    consumer::FromConsumer::try_from_consumer_config(config).ok()
}

fn topics(config: &consumer::Config) -> Vec<String> {
    let mut filters = config.filter_subjects.clone();
    if !config.filter_subject.is_empty() {
        filters.push(config.filter_subject.clone());
    }
    if filters.is_empty() {
        filters.push(">".to_owned());
    }
    topic::prune(&filters)
}

/// What an operator sees of it.
pub(super) fn info(info: &consumer::Info) -> ConsumerInfo {
    let ConsumerConfig { topics, owner, .. } = read(&info.config);
    ConsumerInfo {
        name: info.name.clone(),
        topics,
        owner,
        pending: info.num_pending,
        in_flight: info.num_ack_pending as u64,
        redelivered: info.num_redelivered as u64,
    }
}

/// How many messages that were never delivered to the consumer it would not be delivered if it had these topics and went
/// on at `start` at the earliest. `None` if the server does not say, as for a work queue, which has one consumer a subject.
pub(super) async fn skipped(
    connection: &Connection,
    stream: &Stream,
    info: &consumer::Info,
    topics: &[String],
    start: u64,
) -> Option<u64> {
    let filter_subjects = topic::common(&self::topics(&info.config), topics);
    if filter_subjects.is_empty() || info.num_pending == 0 {
        return Some(info.num_pending);
    }
    let start_sequence = start.max(info.delivered.stream_sequence.saturating_add(1));
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ack_policy: AckPolicy::None,
        filter_subjects,
        inactive_threshold: COUNTING,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let counting = connection.ask(stream.create_consumer(config)).await.ok()?.ok()?;
    let (kept, name) = (counting.cached_info().num_pending, counting.cached_info().name.clone());
    // If this fails, the server deletes it a little later.
    let _ = connection.ask(stream.delete_consumer(&name)).await;
    Some(info.num_pending.saturating_sub(kept))
}
