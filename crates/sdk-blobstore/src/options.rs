//! `PutOptions`: options of a write.

use crate::bindings::tempo::blobstore::store;

/// Options of a write. Without an option the write replaces an existing object, and sets no media type and no metadata.
///
/// ```
/// use tempo_sdk_blobstore::PutOptions;
///
/// let options = PutOptions::new().if_absent().content_type("image/png").metadata("author", "Ada");
/// assert_ne!(options, PutOptions::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct PutOptions {
    if_absent: bool,
    content_type: Option<String>,
    metadata: Vec<(String, String)>,
}

impl PutOptions {
    /// Creates options with nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes only if there is no object of that name; otherwise the write fails with
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists). The host checks when the upload is complete, so exactly one
    /// of several concurrent writers succeeds.
    pub fn if_absent(mut self) -> Self {
        self.if_absent = true;
        self
    }

    /// Sets the media type, such as `image/png`.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets the metadata value of `key`, and replaces an earlier one. A key is 1 to 64 lower-case letters, digits and
    /// `_`, and begins with a letter; a value is printable ASCII without leading or trailing spaces. The limit for all
    /// of it is 2,048 bytes.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let key = key.into();
        self.metadata.retain(|(known, _)| *known != key);
        self.metadata.push((key, value.into()));
        self
    }

    pub(crate) fn into_host(self) -> store::PutOptions {
        let Self { if_absent, content_type, metadata } = self;
        store::PutOptions { if_absent, content_type, metadata }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_reach_the_host() {
        let host = PutOptions::new().into_host();
        assert_eq!((host.if_absent, host.content_type, host.metadata), (false, None, Vec::new()));
        let host = PutOptions::new().if_absent().content_type("a/b").metadata("k", "1").metadata("k", "2").into_host();
        assert_eq!((host.if_absent, host.content_type.as_deref()), (true, Some("a/b")));
        assert_eq!(host.metadata, [("k".to_owned(), "2".to_owned())]);
    }
}
