//! Uploads an object to a temporary file, which is renamed once it is synced.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tempo_settings::private;

use super::object::write_record;
use super::usage::{DiskUsage, on_disk};
use super::{Directory, absent, blocking};
use crate::{Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload, record};

/// A temporary file. Dropping it removes it.
pub(super) struct Partial {
    file: File,
    path: Option<PathBuf>,
    usage: Arc<DiskUsage>,
    length: u64,
    /// Bytes reserved of the quota.
    taken: u64,
}

impl Partial {
    /// Creates the file. Its lock marks the writer as alive for other processes.
    pub(super) fn create(directory: &Directory) -> Result<Self> {
        let path = directory.partial.join(record::random_name()?);
        let created = private::options().read(true).write(true).create_new(true).open(&path);
        let file = created.map_err(|error| directory.failed("write", &error))?;
        let partial = Self { file, path: Some(path), usage: directory.usage.clone(), length: 0, taken: 0 };
        partial.file.lock().map_err(|error| directory.failed("write", &error))?;
        Ok(partial)
    }

    /// Reserves `more` bytes of the quota, before they are written.
    fn grow(&mut self, more: u64) -> Result<()> {
        let length = self.length.saturating_add(more);
        self.usage.take(on_disk(length).saturating_sub(self.taken))?;
        self.taken = on_disk(length);
        self.length = length;
        Ok(())
    }

    /// Writes `data`.
    pub(super) fn write(&mut self, directory: &Directory, data: &[u8]) -> Result<()> {
        self.grow(data.len() as u64)?;
        self.file.write_all(data).map_err(|error| directory.failed("write", &error))
    }

    /// Copies the next `size` bytes of `source`.
    pub(super) fn fill(&mut self, directory: &Directory, source: &mut File, size: u64) -> Result<()> {
        self.grow(size)?;
        let copied = io::copy(&mut source.take(size), &mut self.file);
        let all = |copied| if copied == size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        copied.and_then(all).map_err(|error| directory.failed("copy", &error))
    }

    /// Syncs the file, and renames it to the object of `info`.
    pub(super) fn complete(mut self, directory: &Directory, info: &ObjectInfo, if_absent: bool) -> Result<()> {
        let failed = |error: io::Error| match error.kind() {
            // Another program has removed the upload.
            io::ErrorKind::NotFound => Error::new(ErrorKind::Other, "the upload was removed from outside"),
            _ => directory.failed("write", &error),
        };
        let (path, object) = (self.path.clone().unwrap_or_default(), directory.object(&info.name));
        let record = write_record(info).map_err(failed)?;
        self.grow(record.len() as u64)?;
        self.file.write_all(&record).and_then(|()| self.file.sync_all()).map_err(failed)?;
        if if_absent {
            // Unlike a rename, a hard link never replaces a file.
            fs::hard_link(&path, &object).map_err(failed)?;
        } else {
            self.usage.vacate(&object, || fs::rename(&path, &object)).map_err(failed)?;
            self.path = None;
        }
        // The reservation passes to the object.
        self.taken = 0;
        directory.sync().map_err(|error| directory.failed("write", &error))?;
        directory.fault.clear();
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let (path, usage, taken) = (self.path.take(), self.usage.clone(), self.taken);
        if path.is_none() && taken == 0 {
            return;
        }
        let remove = move || {
            // A file that cannot be removed now is removed when the container is opened again.
            let removed = path.map_or(Ok(()), |path| fs::remove_file(path).or_else(absent));
            if removed.is_ok() {
                usage.give(taken);
            }
        };
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
    /// `None` after an error, and while a thread writes.
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
        let directory = self.directory.clone();
        self.size = self.size.saturating_add(data.len() as u64);
        let written = blocking(move || {
            partial.write(&directory, &data)?;
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
