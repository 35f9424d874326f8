//! Validates names, options and sizes of guests before a backend sees them.

use bytes::{Bytes, BytesMut};
use tempo_backend::{ByteBudget, Reservation};
use tempo_blobstore::{CHUNK, MAX_NAME};

use crate::{Container, Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload};

/// Reserves in `bytes` what a read of `size` bytes from `container` holds until it is dropped.
pub(crate) fn reserve_read(container: &dyn Container, size: u64, bytes: &ByteBudget) -> Result<Reservation> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    Ok(bytes.hold(size.min(container.read_buffer()))?)
}

/// The longest media type, in bytes.
const MAX_CONTENT_TYPE: usize = 255;

/// The longest key of metadata, in bytes.
const MAX_KEY: usize = 64;

/// The longest metadata, keys and values together, in bytes.
const MAX_METADATA: usize = 2048;

/// Whether `name` may be the name of an object.
pub(crate) fn name(name: &str) -> Result<()> {
    if (1..=MAX_NAME).contains(&name.len()) {
        return Ok(());
    }
    Err(Error::invalid(format!("the name of an object must have between 1 and {MAX_NAME} bytes")))
}

/// Whether `prefix` may be what names begin with.
pub(crate) fn prefix(prefix: &str) -> Result<()> {
    if prefix.len() <= MAX_NAME {
        return Ok(());
    }
    Err(Error::invalid(format!("a prefix must have at most {MAX_NAME} bytes")))
}

/// Checks `options`, and brings the metadata into the order of its keys.
pub(crate) fn options(mut options: PutOptions) -> Result<PutOptions> {
    if options.content_type.as_ref().is_some_and(|text| text.len() > MAX_CONTENT_TYPE || !is_value(text)) {
        let problem = format!("a content type must have between 1 and {MAX_CONTENT_TYPE} printable ASCII characters");
        return Err(Error::invalid(problem));
    }
    let metadata = &mut options.metadata;
    let size =
        metadata.iter().fold(0usize, |sum, (key, value)| sum.saturating_add(key.len()).saturating_add(value.len()));
    if size > MAX_METADATA {
        return Err(Error::invalid(format!("the metadata is larger than {MAX_METADATA} bytes")));
    }
    if !metadata.iter().all(|(key, value)| is_key(key) && is_value(value)) {
        return Err(Error::invalid(format!(
            "metadata must have keys of at most {MAX_KEY} characters a-z, 0-9 and _, beginning with a letter, and values of printable ASCII"
        )));
    }
    metadata.sort();
    if metadata.windows(2).any(|pair| matches!(pair, [(first, _), (second, _)] if first == second)) {
        return Err(Error::invalid("a key of the metadata is there twice"));
    }
    Ok(options)
}

fn is_key(key: &str) -> bool {
    key.len() <= MAX_KEY
        && key.starts_with(|first: char| first.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// What every server keeps as it is: no control characters, and no spaces that a header would lose.
fn is_value(text: &str) -> bool {
    let graphic = |end: Option<u8>| end.is_some_and(|byte| byte.is_ascii_graphic());
    let bytes = text.as_bytes();
    graphic(bytes.first().copied())
        && graphic(bytes.last().copied())
        && bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// An upload that ends with an error when it grows beyond what an object may have, and hands on data in whole chunks.
pub(crate) struct Checked {
    upload: Box<dyn Upload>,
    pending: BytesMut,
    size: u64,
    max: u64,
    /// For what the backend holds of it, which is never more than `buffer`.
    reserved: Reservation,
    buffer: usize,
}

impl Checked {
    /// Begins to write the object `name` of at most `max` bytes. What is in memory of it is reserved in `bytes`.
    pub(crate) async fn begin(
        container: &dyn Container,
        name: &str,
        options: PutOptions,
        max: u64,
        bytes: &ByteBudget,
    ) -> Result<Self> {
        self::name(name)?;
        let upload = container.put(name, self::options(options)?).await?;
        let buffer = container.upload_buffer();
        Ok(Self { upload, pending: BytesMut::new(), size: 0, max, reserved: bytes.empty(), buffer })
    }

    /// Takes the next bytes.
    pub(crate) async fn write(&mut self, data: Bytes) -> Result<()> {
        self.size = self.size.saturating_add(data.len() as u64);
        if self.size > self.max {
            return Err(too_large(self.max));
        }
        let held = usize::try_from(self.size).unwrap_or(usize::MAX).min(self.buffer);
        self.reserved.try_resize(held)?;
        if self.pending.is_empty() && data.len() >= CHUNK {
            return self.upload.write(data).await;
        }
        self.pending.extend_from_slice(&data);
        if self.pending.len() < CHUNK {
            return Ok(());
        }
        let pending = self.pending.split().freeze();
        self.upload.write(pending).await
    }

    /// Makes the object visible.
    pub(crate) async fn complete(mut self) -> Result<ObjectInfo> {
        if !self.pending.is_empty() {
            let pending = self.pending.split().freeze();
            self.upload.write(pending).await?;
        }
        self.upload.complete().await
    }
}

pub(crate) fn too_large(max: u64) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the object is larger than {max} bytes (--max-object-size)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    fn with(metadata: &[(&str, &str)]) -> PutOptions {
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        PutOptions::default().with_metadata(metadata)
    }

    fn typed(content_type: &str) -> PutOptions {
        PutOptions::default().with_content_type(content_type.to_owned())
    }

    #[test]
    fn names_at_their_edges() {
        for (length, allowed) in [(0, false), (1, true), (1023, true), (1024, true), (1025, false)] {
            assert_eq!(name(&"n".repeat(length)).is_ok(), allowed, "{length}");
        }
        assert!(name("../\0 ü🔑").is_ok());
        assert!(prefix("").is_ok());
        assert!(prefix(&"n".repeat(1024)).is_ok());
        assert!(prefix(&"n".repeat(1025)).is_err());
    }

    #[test]
    fn options_at_their_edges() {
        for (length, allowed) in [(0, false), (1, true), (254, true), (255, true), (256, false)] {
            assert_eq!(options(typed(&"t".repeat(length))).is_ok(), allowed, "{length}");
        }
        for (length, allowed) in [(0, false), (1, true), (63, true), (64, true), (65, false)] {
            assert_eq!(options(with(&[(&"k".repeat(length), "v")])).is_ok(), allowed, "{length}");
        }
        for (length, allowed) in [(0, false), (2046, true), (2047, true), (2048, false)] {
            assert_eq!(options(with(&[("k", &"v".repeat(length))])).is_ok(), allowed, "{length}");
        }
        for bad in ["K", "1", "a-b", "_a", "ü", "a b"] {
            assert!(options(with(&[(bad, "v")])).is_err(), "{bad}");
        }
        for bad in [" v", "v ", "a\nb", "ü", "a\u{7f}"] {
            assert!(options(with(&[("k", bad)])).is_err(), "{bad}");
            assert!(options(typed(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_is_put_in_order() {
        let sorted = options(with(&[("b", "1"), ("a", "2")])).unwrap();
        assert_eq!(sorted, with(&[("a", "2"), ("b", "1")]));
        assert!(options(with(&[("a", "1"), ("b", "1"), ("a", "2")])).is_err());
    }

    #[tokio::test]
    async fn what_the_backend_holds_is_reserved_and_no_more() {
        let memory = Memory::default();
        let buffer = memory.upload_buffer();
        for (budget, fits) in [(buffer - 1, false), (buffer, true), (buffer + 1, true)] {
            let budget = ByteBudget::new(budget);
            let mut upload = Checked::begin(&memory, "n", PutOptions::default(), 1 << 30, &budget).await.unwrap();
            let mut result = Ok(());
            for _ in 0..10 {
                result = result.and(upload.write(vec![1; CHUNK].into()).await);
            }
            assert_eq!(result.is_ok(), fits, "{budget:?}");
            drop(upload);
            assert_eq!(budget.left(), budget.limit());
        }
    }

    #[tokio::test]
    async fn sizes_at_their_edges() {
        const MAX: usize = CHUNK + 10;
        for (size, allowed) in [(MAX - 1, true), (MAX, true), (MAX + 1, false)] {
            for piece in [7, CHUNK - 1, CHUNK + 10, 2 * CHUNK] {
                let (memory, budget) = (Memory::default(), ByteBudget::new(1 << 20));
                let mut upload =
                    Checked::begin(&memory, "n", PutOptions::default(), MAX as u64, &budget).await.unwrap();
                let mut result = Ok(());
                for piece in vec![1u8; size].chunks(piece) {
                    result = result.and(upload.write(Bytes::copy_from_slice(piece)).await);
                }
                match result {
                    Ok(()) => assert_eq!(upload.complete().await.unwrap().size, size as u64),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::TooLarge),
                }
                assert_eq!(memory.stat("n").await.unwrap().is_some(), allowed, "{size} in pieces of {piece}");
            }
        }
    }
}
