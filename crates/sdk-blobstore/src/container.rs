//! A container, and what is done with one object of it.

use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;

use crate::batches::batches;
use crate::bindings::tempo::blobstore::store::{self, ByteRange};
use crate::{Error, List, Object, ObjectInfo, PutOptions, Reader, Writer, list, range, reader};

/// Objects by name, which outlive the component (unless the host's store is one that forgets). Cheap to clone.
///
/// A name has 1 to 1,024 bytes of UTF-8, in which every character is data: `/` and `..` have no meaning. A success is
/// reported once the host's store has the object, and a component reads what it has written.
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
    /// Opens the container that the host knows as `name`. `default` is there unless the one who runs the component decided
    /// otherwise.
    ///
    /// # Errors
    /// [`NoSuchContainer`](crate::ErrorKind::NoSuchContainer) when the host has none of that name for this component.
    pub async fn open(name: impl Into<String>) -> Result<Self, Error> {
        Ok(Self { host: Arc::new(store::Container::open(name.into()).await?) })
    }

    /// What is known about the object `name`, or `None` when there is none.
    ///
    /// # Errors
    /// When the host says so; see [`ErrorKind`](crate::ErrorKind).
    pub async fn stat(&self, name: impl Into<String>) -> Result<Option<ObjectInfo>, Error> {
        Ok(self.host.stat(name.into()).await?.map(ObjectInfo::from))
    }

    /// Opens the object `name` for reading.
    ///
    /// # Errors
    /// [`NoSuchObject`](crate::ErrorKind::NoSuchObject) when there is none.
    pub async fn get(&self, name: impl Into<String>) -> Result<Object, Error> {
        self.read(name.into(), None).await
    }

    /// Opens a part of the object `name` for reading: `..100`, `100..`, `100..200`. What lies beyond the object's end is left
    /// out, so it may turn out empty.
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
    /// [`NoSuchObject`](crate::ErrorKind::NoSuchObject) when there is none.
    pub async fn get_range(&self, name: impl Into<String>, range: impl RangeBounds<u64>) -> Result<Object, Error> {
        self.read(name.into(), Some(range::to_host(&range))).await
    }

    async fn read(&self, name: String, range: Option<ByteRange>) -> Result<Object, Error> {
        let (info, data, end) = self.host.get(name, range).await?;
        let length = range::length(range, info.size);
        Ok(Object { info: info.into(), reader: Reader::new(batches(data, end, reader::CHUNK), length) })
    }

    /// Writes `bytes` as the object `name`, over any that is there.
    ///
    /// # Errors
    /// When the host says so; then nothing was written, but for [`Timeout`](crate::ErrorKind::Timeout).
    pub async fn put(&self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Result<ObjectInfo, Error> {
        self.put_with(name, bytes, PutOptions::new()).await
    }

    /// Writes `bytes` as the object `name` with a media type or metadata, or only where nothing is.
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
    /// As [`put`](Self::put); [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when the write was to be done only if there
    /// is no object, and there is one.
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

    /// Begins to write the object `name` piece by piece. The host is asked with the first write: what it has against the name
    /// or the options shows there, or at the end.
    pub fn writer(&self, name: impl Into<String>, options: PutOptions) -> Writer {
        Writer::new(self.host.clone(), name.into(), options)
    }

    /// Deletes the object `name`, if there is one.
    ///
    /// # Errors
    /// When the host says so; see [`ErrorKind`](crate::ErrorKind).
    pub async fn delete(&self, name: impl Into<String>) -> Result<(), Error> {
        Ok(self.host.delete(name.into()).await?)
    }

    /// The objects whose names begin with `prefix`: all of them with `""`. They come in the order of the bytes of their names;
    /// those that come and go meanwhile may be among them or not.
    ///
    /// It is a [`Stream`](futures::Stream), and without any other crate a loop:
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
        List::new(batches(entries, end, list::PAGE))
    }

    /// Copies the object `from` with its media type and metadata to the name `to`, over any that is there. The data does not
    /// pass through the component.
    ///
    /// # Errors
    /// [`NoSuchObject`](crate::ErrorKind::NoSuchObject) when there is none to copy.
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

    /// Frameworks such as axum ask it of every handler, and bodies of what they are made from.
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
