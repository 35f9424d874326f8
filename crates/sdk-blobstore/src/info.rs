//! Information about objects.

use crate::Reader;
use crate::bindings::tempo::blobstore::store;

/// The properties of an object, without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The object's name.
    pub name: String,
    /// The size of the whole object in bytes, also if only a range is read.
    pub size: u64,
    /// The time of the write, in seconds since 1970-01-01T00:00:00Z.
    pub created: u64,
    /// The entity tag, which changes whenever the object is replaced. Only equality has a meaning.
    pub etag: String,
    /// The media type that the writer set.
    pub content_type: Option<String>,
    /// The metadata that the writer set, sorted by key.
    pub metadata: Vec<(String, String)>,
}

impl ObjectInfo {
    /// Returns the metadata value under `key`.
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

/// An object that is open for reading.
#[derive(Debug)]
#[non_exhaustive]
pub struct Object {
    /// The object's properties.
    pub info: ObjectInfo,
    /// The object's bytes, or those of the requested range.
    pub reader: Reader,
}

/// An object in a [list](crate::Container::list).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The object's name.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
    /// The time of the write, in seconds since 1970-01-01T00:00:00Z.
    pub created: u64,
    /// The entity tag, which changes whenever the object is replaced. Only equality has a meaning.
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
