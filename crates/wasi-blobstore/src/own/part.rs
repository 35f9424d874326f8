//! `Part`: the objects of a container whose names have a prefix, as a container of their own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tempo_blobstore::MAX_NAME;

use crate::{ByteRange, Container, Data, Entry, Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload};

/// A container whose objects are those of `base` with a prefix.
pub(super) struct Part {
    base: Arc<dyn Container>,
    prefix: String,
    /// The object of `base` that exists as long as the container does.
    marker: String,
}

impl Part {
    pub(super) fn new(base: Arc<dyn Container>, prefix: String, marker: String) -> Self {
        Self { base, prefix, marker }
    }

    /// Returns the name of an object in `base`.
    fn outer(&self, name: &str) -> Result<String> {
        let most = MAX_NAME.saturating_sub(self.prefix.len());
        if name.len() > most {
            let problem =
                format!("the name of an object in a container of the component's own has at most {most} bytes");
            return Err(Error::invalid(problem));
        }
        Ok(format!("{}{name}", self.prefix))
    }

    fn inner(&self, mut info: ObjectInfo) -> ObjectInfo {
        info.name = self.strip(info.name);
        info
    }

    fn strip(&self, name: String) -> String {
        name.strip_prefix(&self.prefix).map(str::to_owned).unwrap_or(name)
    }

    /// A handle may outlive its container, and must not write objects that a container of this name would begin with.
    async fn check_exists(&self) -> Result<()> {
        let marker = self.base.stat(&self.marker).await?;
        marker.map(drop).ok_or_else(|| Error::new(ErrorKind::NoSuchContainer, "the container was deleted"))
    }
}

#[async_trait]
impl Container for Part {
    fn read_buffer(&self) -> usize {
        self.base.read_buffer()
    }

    fn upload_buffer(&self) -> usize {
        self.base.upload_buffer()
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectInfo>> {
        let info = self.base.stat(&self.outer(name)?).await?;
        Ok(info.map(|info| self.inner(info)))
    }

    async fn get(&self, name: &str, range: Option<ByteRange>) -> Result<(ObjectInfo, Data)> {
        let (info, data) = self.base.get(&self.outer(name)?, range).await?;
        Ok((self.inner(info), data))
    }

    async fn put(&self, name: &str, options: PutOptions) -> Result<Box<dyn Upload>> {
        let name = self.outer(name)?;
        self.check_exists().await?;
        let upload = self.base.put(&name, options).await?;
        Ok(Box::new(PartUpload { upload, prefix: self.prefix.len() }))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.base.delete(&self.outer(name)?).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        // No object has a longer prefix.
        let Ok(prefix) = self.outer(prefix) else { return Ok(Vec::new()) };
        let after = after.map(|after| format!("{}{after}", self.prefix));
        let mut entries = self.base.list(&prefix, after.as_deref(), limit).await?;
        for entry in &mut entries {
            entry.name = self.strip(std::mem::take(&mut entry.name));
        }
        Ok(entries)
    }

    async fn copy(&self, from: &str, to: &str) -> Result<ObjectInfo> {
        let (from, to) = (self.outer(from)?, self.outer(to)?);
        self.check_exists().await?;
        Ok(self.inner(self.base.copy(&from, &to).await?))
    }
}

/// An upload whose object is named without the prefix.
struct PartUpload {
    upload: Box<dyn Upload>,
    prefix: usize,
}

#[async_trait]
impl Upload for PartUpload {
    async fn write(&mut self, data: Bytes) -> Result<()> {
        self.upload.write(data).await
    }

    async fn complete(self: Box<Self>) -> Result<ObjectInfo> {
        let mut info = self.upload.complete().await?;
        info.name = info.name.get(self.prefix..).map(str::to_owned).unwrap_or(info.name);
        Ok(info)
    }
}
