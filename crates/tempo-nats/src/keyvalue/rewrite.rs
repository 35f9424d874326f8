//! Writes over an entry that keep its lifetime: increments and replacements. The server checks that the entry is unchanged
//! since it was read.

use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::message::StreamMessage;
use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use tempo_keyvalue::{Backoff, Error, ErrorKind, Increment, Result, Version};

use super::expiry::Expiry;
use super::{NatsKeyValue, error, marker};
use crate::key;

impl NatsKeyValue {
    /// Adds to the counter under `key`, with the lifetime that it has.
    pub(super) async fn add(&self, key: &str, increment: Increment) -> Result<i128> {
        let key = key::encode(key);
        let mut backoff = Backoff::default();
        loop {
            let last = self.last(&key).await?;
            let mut headers = expecting(last.as_ref().map_or(0, |message| message.sequence));
            let entry = match last {
                Some(message) => self.living(message, &mut headers).await?,
                None => None,
            };
            let sum = increment.apply(entry.as_ref().map(|message| &*message.payload))?;
            match self.publish(&key, Some(headers), Bytes::from(sum.to_string())).await {
                Ok(version) => {
                    self.seen.note(version);
                    return Ok(sum);
                }
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => backoff.pause().await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes over `version`, with the lifetime that the entry has.
    pub(super) async fn write_over(&self, key: &str, value: Bytes, version: Version) -> Result<Version> {
        let key = key::encode(key);
        let last = self.last(&key).await?.filter(|message| message.sequence == version);
        let mut headers = expecting(version);
        let entry = match last {
            Some(message) => self.living(message, &mut headers).await?,
            None => None,
        };
        entry.ok_or_else(error::condition)?;
        let version = self.publish(&key, Some(headers), value).await?;
        self.seen.note(version);
        Ok(version)
    }

    /// Returns `message` if it is a value whose lifetime has not ended, and adds the rest of its lifetime to `headers`.
    async fn living(&self, message: StreamMessage, headers: &mut HeaderMap) -> Result<Option<StreamMessage>> {
        if marker::is_marker(&message.headers) {
            return Ok(None);
        }
        let malformed = || Error::new(ErrorKind::Other, "the lifetime of the entry is malformed");
        let expiry = Expiry::of(&message).ok_or_else(malformed)?;
        if let Expiry::At(_) = expiry {
            let now = self.clock.now(&self.connection, &self.bucket).await?;
            // The clock is inaccurate by half a round trip. The rest of a lifetime is never more than all of it.
            let now = now.max(message.time.into());
            // The server removes an entry up to a second late.
            if expiry.has_ended(now) {
                return Ok(None);
            }
            expiry.write(now, headers);
        } else {
            expiry.write(message.time.into(), headers);
        }
        Ok(Some(message))
    }
}

/// Returns the headers of a write over the message `sequence`, or over none if it is 0.
fn expecting(sequence: Version) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(sequence));
    headers
}
