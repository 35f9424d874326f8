//! The file of an object: its data, its record, and a footer with the length of the record.
//!
//! A file is written under a temporary name, synced, and renamed, so that data and record are replaced together: after
//! a crash the old or the new object exists.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, ObjectInfo, Result};

/// The last bytes of each file, after the length of the record.
const MAGIC: &[u8; 8] = b"TEMPOBL1";

/// Length of the footer in bytes: the length of the record, and `MAGIC`.
const FOOTER: u64 = 12;

/// Maximum length of a record: names, media types and metadata are bounded.
const MAX_RECORD: u64 = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Record {
    name: String,
    created: u64,
    etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    metadata: Vec<(String, String)>,
}

/// Serializes the record of an object.
pub(super) fn write_record(info: &ObjectInfo) -> io::Result<Vec<u8>> {
    let record = Record {
        name: info.name.clone(),
        created: info.created,
        etag: info.etag.clone(),
        content_type: info.content_type.clone(),
        metadata: info.metadata.clone(),
    };
    let mut bytes = serde_json::to_vec(&record)?;
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(MAGIC);
    Ok(bytes)
}

/// Opens the file at `path` and reads the record.
pub(super) fn open(path: &Path) -> Result<(File, ObjectInfo)> {
    let mut file = File::open(path).map_err(|error| failed("open", &error))?;
    let info = read_record(&mut file).map_err(|error| failed("read", &error))?;
    Ok((file, info))
}

fn read_record(file: &mut File) -> io::Result<ObjectInfo> {
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let end = file.metadata()?.len().checked_sub(FOOTER).ok_or_else(damaged)?;
    let mut footer = [0; FOOTER as usize];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut footer)?;
    let [a, b, c, d, magic @ ..] = footer;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if &magic != MAGIC || length > MAX_RECORD {
        return Err(damaged());
    }
    let size = end.checked_sub(length).ok_or_else(damaged)?;
    file.seek(SeekFrom::Start(size))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    let Record { name, created, etag, content_type, metadata } = serde_json::from_slice(&bytes)?;
    Ok(ObjectInfo { name, size, created, etag, content_type, metadata })
}

/// Converts an I/O error for the guest, and logs it.
pub(super) fn failed(operation: &str, error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => return Error::no_such_object(),
        io::ErrorKind::AlreadyExists => return Error::already_exists(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::AccessDenied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            ErrorKind::QuotaExceeded
        }
        _ => ErrorKind::Other,
    };
    tracing::warn!(%error, operation, "blobstore: an operation on a file failed");
    Error::new(kind, format!("cannot {operation} the object: {}", error.kind()))
}
