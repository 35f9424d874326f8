//! The handler's records of deliveries in the keyvalue store, which all instances share.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tempo_sdk_http::sleep;
use tempo_sdk_keyvalue::{Bucket, Error};
use tempo_sdk_messaging::Message;

use crate::outcome::Differs;

/// The number of polls before a check gives up: a minute in total.
const LOOKS: u32 = 6_000;

/// The pause between two polls.
const PAUSE: Duration = Duration::from_millis(10);

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// The name and the value of its counter: deliveries of one key, or of one payload without a key.
    pub(crate) lane: String,
    pub(crate) number: i64,
    pub(crate) topic: String,
    pub(crate) key: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) reply_to: Option<String>,
    /// The length and a hash of the payload.
    pub(crate) payload: Payload,
    pub(crate) attempt: u32,
    /// The host's timestamp and the time of the handler's call, in milliseconds since 1970.
    pub(crate) accepted: u64,
    pub(crate) at: u64,
    pub(crate) sequence: Option<u64>,
}

/// A payload in a form that is short enough to compare as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payload {
    length: usize,
    hash: u64,
    /// The beginning, for people.
    text: String,
}

impl Payload {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let text = String::from_utf8_lossy(bytes).chars().take(60).collect();
        Self { length: bytes.len(), hash: hasher.finish(), text }
    }
}

pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Records a delivery.
pub(crate) async fn write(bucket: &Bucket, message: &Message) -> Result<(), Error> {
    let at = milliseconds(SystemTime::now());
    let lane = message.key().map_or_else(|| shard(message.bytes()).to_string(), |key| format!("key {key}"));
    let topic = message.topic();
    let number = bucket.increment(format!("deliveries {topic} {lane}"), 1).await?;
    let delivery = message.delivery();
    let seen = Seen {
        lane: String::new(),
        number,
        topic: topic.to_owned(),
        key: message.key().map(str::to_owned),
        content_type: message.content_type().map(str::to_owned),
        headers: message.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        reply_to: message.reply_to().map(str::to_owned),
        payload: Payload::of(message.bytes()),
        attempt: message.attempt(),
        accepted: delivery.map_or(0, |delivery| milliseconds(delivery.timestamp)),
        at,
        sequence: delivery.and_then(|delivery| delivery.sequence),
    };
    let name = format!("{}{lane} {number:012}", prefix(topic));
    bucket.set_json(name, &Seen { lane, ..seen }).await
}

/// Records that the handler of a message has completed: an effect that precedes the acknowledgement.
pub(crate) async fn done(bucket: &Bucket, message: &Message) -> Result<(), Error> {
    bucket.increment(done_key(message.topic(), shard(message.bytes())), 1).await.map(drop)
}

/// Returns the number of completed handlers of messages on `topic`.
pub(crate) async fn count_done(bucket: &Bucket, topic: &str) -> Result<u64, Error> {
    let counts = bucket.get_many((0..SHARDS).map(|shard| done_key(topic, shard))).await?;
    let number = |count: Vec<u8>| String::from_utf8_lossy(&count).parse::<u64>().unwrap_or_default();
    Ok(counts.into_iter().flatten().map(number).sum())
}

fn done_key(topic: &str, shard: u64) -> String {
    format!("done {topic} {shard}")
}

/// The number of counters: concurrent handlers that increment one counter would contend.
const SHARDS: u64 = 64;

fn shard(payload: &[u8]) -> u64 {
    Payload::of(payload).hash % SHARDS
}

/// A topic has no spaces, so that no topic is a prefix of another.
fn prefix(topic: &str) -> String {
    format!("seen {topic} ")
}

/// Returns all deliveries on `topic` so far: those of each lane in the order of the handlers.
pub(crate) async fn on(bucket: &Bucket, topic: &str) -> Result<Vec<Seen>, Error> {
    let mut keys = bucket.keys(prefix(topic));
    let mut all = Vec::new();
    while let Some(key) = keys.try_next().await? {
        let seen: Option<Seen> = bucket.get_json(key).await?;
        all.extend(seen);
    }
    all.sort_by(|one: &Seen, other| (&one.lane, one.number).cmp(&(&other.lane, other.number)));
    Ok(all)
}

/// Waits for at least `least` deliveries on `topic`.
pub(crate) async fn wait(bucket: &Bucket, topic: &str, least: usize) -> Result<Vec<Seen>, Differs> {
    let mut seen = Vec::new();
    for _ in 0..LOOKS {
        seen = on(bucket, topic).await?;
        if seen.len() >= least {
            return Ok(seen);
        }
        sleep(PAUSE).await;
    }
    Err(Differs::new(format_args!("{} of {least} deliveries came on {topic}: {seen:?}", seen.len())))
}
