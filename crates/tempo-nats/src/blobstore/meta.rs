//! The metadata message of an object, in the JSON format of all NATS clients.

use async_nats::HeaderMap;
use async_nats::datetime::{self, DateTime};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::object_store::{ObjectInfo as Meta, ObjectOptions};
use bytes::Bytes;
use tempo_blobstore::{Entry, ObjectInfo, PutOptions, Result};

use crate::error::NatsError;

/// The object's header for its media type.
const CONTENT_TYPE: &str = "Content-Type";

/// Maximum metadata entries and bytes that a component receives from an object of another client. Components can write
/// fewer.
const MAX_METADATA: usize = 2048;
const MAX_METADATA_BYTES: usize = 16 << 10;

/// The last metadata message of an object.
pub(super) struct Last {
    /// The stream sequence of the message.
    pub(super) sequence: u64,
    time: DateTime,
    meta: Option<Meta>,
}

impl Last {
    /// Parses a message. An empty payload is the server's marker for an expired message.
    pub(super) fn read(message: &StreamMessage) -> Result<Self> {
        Self::parse(message.sequence, message.time, &message.payload)
    }

    pub(super) fn parse(sequence: u64, time: DateTime, payload: &[u8]) -> Result<Self> {
        let parsed = (!payload.is_empty()).then(|| serde_json::from_slice(payload)).transpose();
        Ok(Self { sequence, time, meta: parsed.map_err(|error| NatsError::other(&error))? })
    }

    /// Returns the metadata of the object, unless the object is deleted or a link.
    pub(super) fn object(&self) -> Option<&Meta> {
        let link = |meta: &Meta| meta.options.as_ref().is_some_and(|options| options.link.is_some());
        self.meta.as_ref().filter(|meta| !meta.deleted && !link(meta))
    }

    /// Returns true if the name has no object and no link.
    pub(super) fn is_free(&self) -> bool {
        self.meta.as_ref().is_none_or(|meta| meta.deleted)
    }

    /// Returns the NUID of its chunks, which may remain after an interrupted removal.
    pub(super) fn nuid(&self) -> Option<String> {
        // The NUID becomes a token of a subject: another client could have written a wildcard.
        let plain = |nuid: &str| !nuid.is_empty() && nuid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        self.meta.as_ref().map(|meta| meta.nuid.clone()).filter(|nuid| plain(nuid))
    }

    /// Returns the object's info.
    pub(super) fn info(&self, name: &str) -> Option<ObjectInfo> {
        Some(info(name, self.object()?, self.time))
    }

    /// Returns the object's entry in a listing.
    pub(super) fn entry(&self, name: &str) -> Option<Entry> {
        let ObjectInfo { name, size, created, etag, .. } = self.info(name)?;
        Some(Entry::new(name, size, created, etag))
    }

    /// Returns the metadata message that marks the object as deleted.
    pub(super) fn deleted(&self) -> Result<Option<Bytes>> {
        let Some(meta) = self.object() else { return Ok(None) };
        let now = Some(datetime::now());
        let deleted = Meta { deleted: true, size: 0, chunks: 0, digest: None, modified: now, ..meta.clone() };
        json(&deleted).map(Some)
    }
}

/// Size and digest of the chunks of a new object.
pub(super) struct Written {
    pub(super) bucket: String,
    pub(super) nuid: String,
    pub(super) size: usize,
    pub(super) chunks: usize,
    pub(super) chunk_size: usize,
    pub(super) digest: String,
}

/// Returns the metadata message of a new object, and its info.
pub(super) fn describe(name: &str, options: PutOptions, written: Written) -> Result<(Bytes, ObjectInfo)> {
    let now = datetime::now();
    let headers = options.content_type.map(|content_type| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.as_str());
        headers
    });
    let meta = Meta {
        name: name.to_owned(),
        description: None,
        metadata: options.metadata.into_iter().collect(),
        headers,
        options: Some(ObjectOptions { link: None, max_chunk_size: Some(written.chunk_size) }),
        bucket: written.bucket,
        nuid: written.nuid,
        size: written.size,
        chunks: written.chunks,
        modified: Some(now),
        digest: Some(written.digest),
        deleted: false,
    };
    Ok((json(&meta)?, info(name, &meta, now)))
}

fn json(meta: &Meta) -> Result<Bytes> {
    serde_json::to_vec(meta).map(Bytes::from).map_err(|error| NatsError::other(&error).into())
}

fn info(name: &str, meta: &Meta, time: DateTime) -> ObjectInfo {
    let seconds = |time: DateTime| u64::try_from(time.unix_timestamp()).ok().filter(|seconds| *seconds > 0);
    // Some clients write no time, or the zero time of Go.
    let created = meta.modified.and_then(seconds).or_else(|| seconds(time)).unwrap_or_default();
    let mut headers = meta.headers.iter().flat_map(HeaderMap::iter);
    let content_type = headers.find(|(name, _)| AsRef::<str>::as_ref(*name).eq_ignore_ascii_case(CONTENT_TYPE));
    let content_type = content_type.and_then(|(_, values)| values.first()).map(ToString::to_string);
    let mut metadata = metadata(name, meta);
    metadata.sort();
    let (size, etag) = (meta.size as u64, meta.nuid.clone());
    ObjectInfo::new(name, size, created, etag).with_content_type(content_type).with_metadata(metadata)
}

/// Returns the metadata of an object, or none if it exceeds the limits for components.
fn metadata(name: &str, meta: &Meta) -> Vec<(String, String)> {
    let bytes = meta.metadata.iter().map(|(key, value)| key.len().saturating_add(value.len()));
    let bytes = bytes.fold(0, usize::saturating_add);
    if meta.metadata.len() > MAX_METADATA || bytes > MAX_METADATA_BYTES {
        tracing::warn!(name, count = meta.metadata.len(), bytes, "an object has more metadata than is taken");
        return Vec::new();
    }
    meta.metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(count: usize, bytes: usize) -> ObjectInfo {
        let value = "v".repeat(bytes.saturating_sub(count * 4));
        let metadata = (0..count).map(|number| (format!("{number:04}"), String::new()));
        let metadata: Vec<_> = metadata.chain((bytes > 0).then(|| (String::new(), value))).collect();
        let meta = serde_json::json!({
            "name": "o", "bucket": "b", "nuid": "n", "size": 0, "chunks": 0, "mtime": "2026-11-28T00:00:00Z",
            "metadata": metadata.into_iter().collect::<std::collections::HashMap<_, _>>(),
        });
        info("o", &serde_json::from_value(meta).unwrap(), datetime::now())
    }

    #[test]
    fn metadata_at_the_edge() {
        for (count, kept) in [(0, 0), (2047, 2047), (2048, 2048), (2049, 0)] {
            assert_eq!(object(count, 0).metadata.len(), kept, "{count}");
        }
        for (bytes, kept) in [(MAX_METADATA_BYTES - 1, 1), (MAX_METADATA_BYTES, 1), (MAX_METADATA_BYTES + 1, 0)] {
            assert_eq!(object(0, bytes).metadata.len(), kept, "{bytes}");
        }
    }
}
