//! Helpers of the backends that store objects themselves.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Entry, Error, ErrorKind, ObjectInfo, PutOptions, Result};

/// Creates the info of an object of `size` bytes that is written now.
pub(crate) fn info(name: &str, size: u64, options: PutOptions) -> Result<ObjectInfo> {
    let PutOptions { if_absent: _, content_type, metadata } = options;
    Ok(ObjectInfo { name: name.to_owned(), size, created: now(), etag: random_name()?, content_type, metadata })
}

/// Converts the info to a listing entry.
pub(crate) fn entry(info: &ObjectInfo) -> Entry {
    Entry { name: info.name.clone(), size: info.size, created: info.created, etag: info.etag.clone() }
}

/// Returns 128 random bits as hexadecimal digits.
pub(crate) fn random_name() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|_| Error::new(ErrorKind::Unavailable, "the host's system gives no random numbers"))?;
    Ok(hex(&bytes))
}

/// Formats `bytes` as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
