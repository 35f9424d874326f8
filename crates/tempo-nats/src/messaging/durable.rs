//! Maps [`ConsumerConfig`] to and from the configuration and metadata of durable JetStream consumers.

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use tempo_messaging::{ConsumerConfig, ConsumerInfo, Handling, Owner, topic};

use super::stream::TEMPO_METADATA_KEY;
use crate::connection::Connection;

/// Metadata keys of the owner.
const APP_KEY: &str = "tempo-app";
const COMPONENT_KEY: &str = "tempo-component";

/// Prefix of Tempo's metadata keys.
const TEMPO_KEY_PREFIX: &str = "tempo-";

/// Prefix of the server's metadata keys.
const SERVER_KEY_PREFIX: &str = "_nats.";

/// Maximum unacknowledged messages over all replicas. Messages that wait for redelivery count, so the limit is high
/// enough for many to fail.
const MAX_ACK_PENDING: i64 = 65_536;

/// Inactivity after which the server deletes a counting consumer.
const COUNTING_CONSUMER_TTL: std::time::Duration = std::time::Duration::from_secs(5);

/// Returns whether Tempo created the consumer and may change it.
pub(super) fn is_ours(config: &consumer::Config) -> bool {
    config.metadata.contains_key(TEMPO_METADATA_KEY)
}

/// Reads the configuration.
pub(super) fn read(config: &consumer::Config) -> ConsumerConfig {
    let text = |name: &str| config.metadata.get(name).cloned();
    let mut read = ConsumerConfig::recorded(topics(config), config.ack_wait);
    // One message in flight over all replicas preserves the order of each key.
    read.ordered = config.max_ack_pending == 1;
    read.handling = Handling::from_properties(|name| text(&format!("{TEMPO_KEY_PREFIX}{name}")));
    read.owner = text(COMPONENT_KEY).map(|component| Owner::new(text(APP_KEY), component));
    read
}

/// Writes `wanted` into `config`, and leaves other fields unchanged.
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
    metadata.retain(|name, _| !name.starts_with(SERVER_KEY_PREFIX) && name != APP_KEY && name != COMPONENT_KEY);
    metadata.insert(TEMPO_METADATA_KEY.to_owned(), "messaging".to_owned());
    if let Some(Owner { app, component, .. }) = &wanted.owner {
        metadata.insert(COMPONENT_KEY.to_owned(), component.clone());
        metadata.extend(app.iter().map(|app| (APP_KEY.to_owned(), app.clone())));
    }
    for (name, text) in wanted.handling.iter().flat_map(Handling::properties) {
        let name = format!("{TEMPO_KEY_PREFIX}{name}");
        match text {
            Some(text) => metadata.insert(name, text),
            None => metadata.remove(&name),
        };
    }
}

/// The configuration of a new consumer.
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

/// Converts to a pull consumer; `None` for a push consumer.
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

/// Converts to the info of an operator.
pub(super) fn info(info: &consumer::Info) -> ConsumerInfo {
    let ConsumerConfig { topics, owner, .. } = read(&info.config);
    ConsumerInfo::new(&info.name, topics)
        .with_owner(owner)
        .with_pending(info.num_pending)
        .with_in_flight(info.num_ack_pending as u64)
        .with_redelivered(info.num_redelivered as u64)
}

/// Counts the undelivered messages that the consumer would skip with these topics, from `start` at the earliest. `None`
/// if the server cannot count them, as on a work queue, which has one consumer per subject.
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
        inactive_threshold: COUNTING_CONSUMER_TTL,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let counting = connection.request(stream.create_consumer(config)).await.ok()?.ok()?;
    let (kept, name) = (counting.cached_info().num_pending, counting.cached_info().name.clone());
    // If this fails, the server deletes it after the inactivity timeout.
    let _ = connection.request(stream.delete_consumer(&name)).await;
    Some(info.num_pending.saturating_sub(kept))
}
