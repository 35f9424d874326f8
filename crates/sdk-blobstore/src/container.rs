//! `Container` and its operations on one object.

use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;

use crate::batches::batches;
use crate::bindings::tempo::blobstore::store::{self, ByteRange};
use crate::{Error, List, Object, ObjectInfo, PutOptions, Reader, Writer, list, range, reader};

/// A container of named objects. Objects outlive the component, unless the host's store is in memory. Cheap to clone.
///
/// A name is 1 to 1,024 bytes of UTF-8. No character is special: `/` and `..` have no meaning. A write returns once the
/// host's store has accepted the object, and a component reads its own writes.
///
/// ```no_run
/// # async fn example() -> Result<(), tempo_sdk_blobstore::Error> {
/// use tempo_sdk_blobstore::Container;
///
/// let container = Container::open("default").await?;
/// container.put("greetings/en", "Hello").await?;
/// assert_eq!(container.get("greetings/en").await?.reader.text().await?, "Hello");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Container {
    host: Arc<store::Container>,
}

impl Container {
    /// Opens the container with the host's name `name`. Hosts provide `default` unless they are configured otherwise.
    ///
    /// # Errors
    /// Returns [`NoSuchContainer`](crate::ErrorKind::NoSuchContainer) if the host has no container of that name for
    /// this component.
    pub async fn open(name: impl Into<String>) -> Result<Self, Error> {
        Ok(Self { host: Arc::new(store::Container::open(name.into()).await?) })
    }

    /// Returns the information about the object `name`, or `None` if there is no such object.
    ///
    /// # Errors
    /// Returns the host's error; see [`ErrorKind`](crate::ErrorKind).
    pub async fn stat(&self, name: impl Into<String>) -> Result<Option<ObjectInfo>, Error> {
        Ok(self.host.stat(name.into()).await?.map(ObjectInfo::from))
    }

    /// Opens the object `name` for reading.
    ///
    /// # Errors
    /// Returns [`NoSuchObject`](crate::ErrorKind::NoSuchObject) if there is no such object.
    pub async fn get(&self, name: impl Into<String>) -> Result<Object, Error> {
        self.read(name.into(), None).await
    }

    /// Opens a range of the object `name` for reading: `..100`, `100..`, `100..200`. The range is clamped to the
    /// object's size, so it may be empty.
    ///
    /// ```no_run
    /// # async fn example(container: tempo_sdk_blobstore::Container) -> Result<(), tempo_sdk_blobstore::Error> {
    /// let head = container.get_range("film", ..16).await?;
    /// println!("{:?} of {} bytes", head.reader.bytes().await?, head.info.size);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`NoSuchObject`](crate::ErrorKind::NoSuchObject) if there is no such object.
    pub async fn get_range(&self, name: impl Into<String>, range: impl RangeBounds<u64>) -> Result<Object, Error> {
        self.read(name.into(), Some(range::to_host(&range))).await
    }

    async fn read(&self, name: String, range: Option<ByteRange>) -> Result<Object, Error> {
        let (info, data, end) = self.host.get(name, range).await?;
        let length = range::length(range, info.size);
        Ok(Object { info: info.into(), reader: Reader::new(batches(data, end, reader::CHUNK_BYTES), length) })
    }

    /// Writes `bytes` as the object `name`, and replaces an existing object.
    ///
    /// # Errors
    /// Returns the host's error; nothing was written, except perhaps after [`Timeout`](crate::ErrorKind::Timeout).
    pub async fn put(&self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Result<ObjectInfo, Error> {
        self.put_with(name, bytes, PutOptions::new()).await
    }

    /// Writes `bytes` as the object `name` with a media type or metadata, or only if there is no object.
    ///
    /// ```no_run
    /// # async fn example(container: tempo_sdk_blobstore::Container) -> Result<bool, tempo_sdk_blobstore::Error> {
    /// use tempo_sdk_blobstore::{ErrorKind, PutOptions};
    ///
    /// let options = PutOptions::new().if_absent().content_type("text/plain").metadata("author", "Ada");
    /// match container.put_with("notes/1", "Remember the milk.", options).await {
    ///     Ok(_) => Ok(true),
    ///     Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
    ///     Err(error) => Err(error),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put), and [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if [`PutOptions::if_absent`] is
    /// set and there is an object.
    pub async fn put_with(
        &self,
        name: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
        options: PutOptions,
    ) -> Result<ObjectInfo, Error> {
        let mut writer = self.writer(name, options);
        writer.write(bytes).await?;
        writer.finish().await
    }

    /// Creates a writer for the object `name`. The host call begins with the first write: the host rejects the name or
    /// the options then, or in [`finish`](Writer::finish).
    pub fn writer(&self, name: impl Into<String>, options: PutOptions) -> Writer {
        Writer::new(self.host.clone(), name.into(), options)
    }

    /// Deletes the object `name`, if there is one.
    ///
    /// # Errors
    /// Returns the host's error; see [`ErrorKind`](crate::ErrorKind).
    pub async fn delete(&self, name: impl Into<String>) -> Result<(), Error> {
        Ok(self.host.delete(name.into()).await?)
    }

    /// Returns a stream of the objects whose names begin with `prefix`; `""` lists all objects. They are sorted by the
    /// bytes of their names. Objects that are written or deleted during the listing may be missing or included.
    ///
    /// `List` is a [`Stream`](futures::Stream); [`try_next`](List::try_next) reads it without another crate:
    ///
    /// ```no_run
    /// # async fn example(container: tempo_sdk_blobstore::Container) -> Result<(), tempo_sdk_blobstore::Error> {
    /// let mut objects = container.list("films/");
    /// while let Some(object) = objects.try_next().await? {
    ///     println!("{} has {} bytes", object.name, object.size);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn list(&self, prefix: impl Into<String>) -> List {
        let prefix = Some(prefix.into()).filter(|prefix| !prefix.is_empty());
        let (entries, end) = self.host.list(prefix.as_deref());
        List::new(batches(entries, end, list::PAGE_ENTRIES))
    }

    /// Copies the object `from`, with its media type and metadata, to the name `to`, and replaces an existing object.
    /// The data does not pass through the component.
    ///
    /// # Errors
    /// Returns [`NoSuchObject`](crate::ErrorKind::NoSuchObject) if there is no object `from`.
    pub async fn copy(&self, from: impl Into<String>, to: impl Into<String>) -> Result<ObjectInfo, Error> {
        Ok(self.host.copy(from.into(), to.into()).await?.into())
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frameworks such as axum require `Send` futures of every handler, and `Send` streams for bodies.
    #[test]
    fn futures_and_streams_are_send() {
        fn send<T: Send>(_: impl FnOnce(&'static Container) -> T) {}
        fn owned<T: Send + 'static>() {}
        send(|container| container.stat("name"));
        send(|container| container.get_range("name", 1..));
        send(|container| container.put("name", "value"));
        send(|container| container.copy("from", "to"));
        send(|container| async { container.writer("name", PutOptions::new()).finish().await });
        owned::<Reader>();
        owned::<Writer>();
        owned::<List>();
    }
}
