//! Records every message that it handles, for the tests of message loss. It exports only the handler, so that a runtime
//! without HTTP can run it; the tests read the records in the keyvalue store `default`.
//!
//! - `effects/ID`: a line per delivery, `ATTEMPT SEQUENCE CALL`, where CALL is a unique ID of the handler's call.
//! - `order/KEY`, if the topic has the token `ordered`: the numbers of the key's messages in the order of their first
//!   calls.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};

use tempo_sdk_keyvalue::Bucket;
use tempo_sdk_messaging::{HandlerError, Message};

/// The payload is `KEY NUMBER`.
#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<(), HandlerError> {
    let text = message.text().map_err(HandlerError::reject)?;
    let (key, number) = text.split_once(' ').ok_or_else(|| HandlerError::reject("no number"))?;
    if message.key() != Some(key) {
        return Err(HandlerError::reject(format!("the key is {:?}, and not {key}", message.key())));
    }
    // The keys of a hasher are the random numbers of the standard library.
    let call = RandomState::new().build_hasher().finish();
    let sequence = message.delivery().and_then(|delivery| delivery.sequence).unwrap_or_default();
    let line = format!("{} {sequence} {call:x}", message.attempt());
    let bucket = Bucket::open("default").await?;
    append(&bucket, format!("effects/{key}/{number}"), &line).await?;
    if message.topic().split('.').any(|word| word == "ordered") {
        append(&bucket, format!("order/{key}"), number).await?;
    }
    Ok(())
}

/// Appends a line, unless it exists.
async fn append(bucket: &Bucket, key: String, line: &str) -> Result<(), tempo_sdk_keyvalue::Error> {
    let change = |old: Option<&[u8]>| {
        let mut text = String::from_utf8_lossy(old.unwrap_or_default()).into_owned();
        if text.lines().any(|known| known == line) {
            return None;
        }
        let _ = writeln!(text, "{line}");
        Some(text)
    };
    bucket.update(key, change).await.map(drop)
}
