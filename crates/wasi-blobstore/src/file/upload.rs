//! Writing an object: into a file of another name, which becomes the object when all of it is on the disk.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::object::{failed, write_record};
use super::{Directory, blocking};
use crate::{Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload, record};

/// A file that is not an object yet. Dropped, it is removed.
pub(super) struct Partial {
    file: File,
    path: Option<PathBuf>,
}

impl Partial {
    /// Makes one. Its lock tells other processes that its writer is alive.
    pub(super) fn create(directory: &Directory) -> Result<Self> {
        let path = directory.partial.join(record::random_name()?);
        let file = File::create_new(&path).map_err(|error| failed("write", &error))?;
        let partial = Self { file, path: Some(path) };
        partial.file.lock().map_err(|error| failed("write", &error))?;
        Ok(partial)
    }

    /// Writes `size` bytes of `source`.
    pub(super) fn fill(&mut self, source: &mut File, size: u64) -> io::Result<()> {
        let copied = io::copy(&mut source.take(size), &mut self.file)?;
        if copied == size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Makes it the object that `info` describes.
    pub(super) fn complete(mut self, directory: &Directory, info: &ObjectInfo, if_absent: bool) -> Result<()> {
        let path = self.path.clone().unwrap_or_default();
        let result = write_record(&mut self.file, info)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| publish(&path, &directory.object(&info.name), if_absent));
        match result {
            Ok(()) if !if_absent => self.path = None,
            Ok(()) => {}
            // Somebody has cleaned up under the upload: there is nothing that could be missing otherwise.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::new(ErrorKind::Other, "the upload was removed from outside"));
            }
            Err(error) => return Err(failed("write", &error)),
        }
        directory.sync().map_err(|error| failed("write", &error))
    }
}

/// Gives the file at `from` the name `to`. A link, unlike a rename, never replaces a file.
fn publish(from: &Path, to: &Path, if_absent: bool) -> io::Result<()> {
    if if_absent { fs::hard_link(from, to) } else { fs::rename(from, to) }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let Some(path) = self.path.take() else { return };
        // What cannot be removed now is removed when the container is opened again.
        let remove = move || drop(fs::remove_file(path));
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

pub(super) struct FileUpload {
    directory: Arc<Directory>,
    name: String,
    options: PutOptions,
    /// `None` after a failure, and while a thread writes.
    partial: Option<Partial>,
    size: u64,
}

impl FileUpload {
    pub(super) fn new(directory: Arc<Directory>, name: String, options: PutOptions, partial: Partial) -> Self {
        Self { directory, name, options, partial: Some(partial), size: 0 }
    }

    fn take(&mut self) -> Result<Partial> {
        self.partial.take().ok_or_else(|| Error::new(ErrorKind::Other, "the upload has failed before"))
    }
}

#[async_trait]
impl Upload for FileUpload {
    async fn write(&mut self, data: Bytes) -> Result<()> {
        let mut partial = self.take()?;
        self.size = self.size.saturating_add(data.len() as u64);
        let written = blocking(move || {
            partial.file.write_all(&data).map_err(|error| failed("write", &error))?;
            Ok(partial)
        });
        self.partial = Some(written.await?);
        Ok(())
    }

    async fn complete(mut self: Box<Self>) -> Result<ObjectInfo> {
        let partial = self.take()?;
        blocking(move || {
            let if_absent = self.options.if_absent;
            let info = record::info(&self.name, self.size, std::mem::take(&mut self.options))?;
            partial.complete(&self.directory, &info, if_absent)?;
            Ok(info)
        })
        .await
    }
}
