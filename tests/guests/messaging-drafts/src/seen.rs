//! The handler's records of deliveries in the keyvalue store, which all instances share.

use std::hash::{DefaultHasher, Hash, Hasher};

use bindings::wasi::keyvalue::atomics::increment;
use bindings::wasi::keyvalue::store::{Bucket, Error, open};

use crate::bindings::wasi::messaging::types::Message;

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit/keyvalue-draft2", world: "imports" });
}

/// Formats all parts of a message as comparable text. The order of metadata may change.
pub(crate) fn describe(message: &Message) -> String {
    let mut metadata = message.metadata().unwrap_or_default();
    metadata.sort();
    parts(message.topic().as_deref(), message.content_type().as_deref(), &metadata, &message.data())
}

/// Formats the parts.
pub(crate) fn parts(
    topic: Option<&str>,
    content_type: Option<&str>,
    metadata: &[(String, String)],
    data: &[u8],
) -> String {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let begin: String = String::from_utf8_lossy(data).chars().take(40).collect();
    format!("{topic:?} {content_type:?} {metadata:?} {} bytes {begin:?} {:x}", data.len(), hasher.finish())
}

/// Records a delivery on `topic`, and returns the number of earlier ones.
pub(crate) fn write(topic: &str, description: &str) -> Result<u64, Error> {
    let bucket = open("default")?;
    let count = increment(&bucket, &format!("count {topic}"), 1)?;
    bucket.set(&format!("seen {topic} {count}"), description.as_bytes())?;
    Ok(u64::try_from(count).unwrap_or_default().saturating_sub(1))
}

/// Returns the descriptions of all deliveries on `topic`, in their order.
pub(crate) fn on(topic: &str) -> Result<Vec<String>, Error> {
    let bucket = open("default")?;
    let mut all = Vec::new();
    while let Some(seen) = nth(&bucket, topic, all.len().saturating_add(1))? {
        all.push(seen);
    }
    Ok(all)
}

fn nth(bucket: &Bucket, topic: &str, number: usize) -> Result<Option<String>, Error> {
    let seen = bucket.get(&format!("seen {topic} {number}"))?;
    Ok(seen.map(|seen| String::from_utf8_lossy(&seen).into_owned()))
}
