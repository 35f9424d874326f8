//! What is known about an object.

use crate::Reader;
use crate::bindings::tempo::blobstore::store;

/// All that is known about an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The object's name.
    pub name: String,
    /// The size in bytes: of the whole object, also where only a range of it is read.
    pub size: u64,
    /// When it was written, in seconds since 1970-01-01T00:00:00Z.
    pub created: u64,
    /// Another whenever the object was replaced by another. Only equality has a meaning.
    pub etag: String,
    /// The media type that its writer gave it.
    pub content_type: Option<String>,
    /// What else its writer noted, in the order of the keys.
    pub metadata: Vec<(String, String)>,
}

impl ObjectInfo {
    /// The value that its writer noted under `key`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl From<store::ObjectInfo> for ObjectInfo {
    fn from(info: store::ObjectInfo) -> Self {
        let store::ObjectInfo { name, size, created, etag, content_type, metadata } = info;
        Self { name, size, created, etag, content_type, metadata }
    }
}

/// An object that was opened for reading.
#[derive(Debug)]
#[non_exhaustive]
pub struct Object {
    /// What is known about it.
    pub info: ObjectInfo,
    /// Its bytes, or those of the range that was asked for.
    pub reader: Reader,
}

/// An object as a [list](crate::Container::list) shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The object's name.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
    /// When it was written, in seconds since 1970-01-01T00:00:00Z.
    pub created: u64,
    /// Another whenever the object was replaced by another. Only equality has a meaning.
    pub etag: String,
}

impl From<store::Entry> for Entry {
    fn from(entry: store::Entry) -> Self {
        let store::Entry { name, size, created, etag } = entry;
        Self { name, size, created, etag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_found_by_its_key() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let info = ObjectInfo::from(store::ObjectInfo {
            name: "n".to_owned(),
            size: 1,
            created: 2,
            etag: "e".to_owned(),
            content_type: None,
            metadata: vec![pair("a", "1"), pair("b", "2")],
        });
        assert_eq!((info.metadata("b"), info.metadata("c")), (Some("2"), None));
    }
}
