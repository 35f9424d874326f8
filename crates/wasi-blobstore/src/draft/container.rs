//! `wasi:blobstore/container`: one container.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tempo_backend::ByteBudget;
use wasmtime::component::Resource;

use super::{Answer, IncomingValue, ObjectNames, OutgoingValue, answer};
use crate::bindings::draft::wasi::blobstore::container::{Host, HostContainer};
use crate::bindings::draft::wasi::blobstore::types::{ContainerMetadata, ObjectMetadata};
use crate::check;
use crate::service::OpenContainer;
use crate::{BlobstoreView, ByteRange, Container, Error, Result};

/// Maximum concurrent deletions.
const MAX_CONCURRENT_DELETES: usize = 16;

/// Names per page of a backend.
const PAGE: usize = 1000;

impl Host for BlobstoreView<'_> {}

impl HostContainer for BlobstoreView<'_> {
    async fn name(&mut self, this: Resource<OpenContainer>) -> Answer<String> {
        Ok(Ok(self.table.get(&this)?.name.clone()))
    }

    async fn info(&mut self, this: Resource<OpenContainer>) -> Answer<ContainerMetadata> {
        Ok(Ok(ContainerMetadata { name: self.table.get(&this)?.name.clone(), created_at: 0 }))
    }

    async fn get_data(
        &mut self,
        this: Resource<OpenContainer>,
        name: String,
        start: u64,
        end: u64,
    ) -> Answer<Resource<IncomingValue>> {
        match open_range(&*self.container(&this)?, &name, (start, end), &self.state.bytes).await {
            Ok(value) => Ok(Ok(self.table.push(value)?)),
            Err(error) => answer(Err(error)),
        }
    }

    async fn write_data(
        &mut self,
        this: Resource<OpenContainer>,
        name: String,
        data: Resource<OutgoingValue>,
    ) -> Answer<()> {
        let container = self.container(&this)?;
        let (max, bytes) = (self.state.max_object, &self.state.bytes);
        let value = self.table.get_mut(&data)?;
        answer(value.write_to(&*container, &name, max, bytes).await)
    }

    async fn list_objects(&mut self, this: Resource<OpenContainer>) -> Answer<Resource<ObjectNames>> {
        let container = self.container(&this)?;
        Ok(Ok(self.table.push(ObjectNames::new(container, self.state.max_answer))?))
    }

    async fn delete_object(&mut self, this: Resource<OpenContainer>, name: String) -> Answer<()> {
        self.delete_objects(this, vec![name]).await
    }

    async fn delete_objects(&mut self, this: Resource<OpenContainer>, names: Vec<String>) -> Answer<()> {
        let container = self.container(&this)?;
        // Either every name makes sense, or nothing is deleted.
        if let Err(error) = names.iter().try_for_each(|name| check::name(name)) {
            return answer(Err(error));
        }
        answer(delete_all(&*container, names).await)
    }

    async fn has_object(&mut self, this: Resource<OpenContainer>, name: String) -> Answer<bool> {
        let container = self.container(&this)?;
        answer(match check::name(&name) {
            Ok(()) => container.stat(&name).await.map(|info| info.is_some()),
            Err(error) => Err(error),
        })
    }

    async fn object_info(&mut self, this: Resource<OpenContainer>, name: String) -> Answer<ObjectMetadata> {
        let open = self.table.get(&this)?;
        let (container, container_name) = (open.container.clone(), open.name.clone());
        let info = match check::name(&name) {
            Ok(()) => container.stat(&name).await.and_then(|info| info.ok_or_else(Error::no_such_object)),
            Err(error) => Err(error),
        };
        answer(info.map(|info| ObjectMetadata {
            name: info.name,
            container: container_name,
            created_at: info.created,
            size: info.size,
        }))
    }

    async fn clear(&mut self, this: Resource<OpenContainer>) -> Answer<()> {
        answer(clear(&*self.container(&this)?).await)
    }

    async fn drop(&mut self, this: Resource<OpenContainer>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

/// Opens the bytes `start..=end` of an object. What is read ahead of the guest is reserved in `bytes`.
async fn open_range(
    container: &dyn Container,
    name: &str,
    (start, end): (u64, u64),
    bytes: &ByteBudget,
) -> Result<IncomingValue> {
    check::name(name)?;
    let last = end.checked_sub(start).ok_or_else(|| Error::invalid("the range ends before it starts"))?;
    let range = Some(ByteRange { offset: start, length: last.checked_add(1) });
    let (info, data) = container.get(name, range).await?;
    let (start, end) = ByteRange::within(range, info.size);
    let size = end.saturating_sub(start);
    Ok(IncomingValue::new(size, data, check::reserve_read(container, size, bytes)?))
}

/// Deletes every object that is there, but not what others write meanwhile.
pub(crate) async fn clear(container: &dyn Container) -> Result<()> {
    let mut after: Option<String> = None;
    loop {
        let page = container.list("", after.as_deref(), PAGE).await?;
        let more = page.len() == PAGE;
        after = page.last().map(|entry| entry.name.clone());
        delete_all(container, page.into_iter().map(|entry| entry.name).collect()).await?;
        if !more {
            return Ok(());
        }
    }
}

async fn delete_all(container: &dyn Container, names: Vec<String>) -> Result<()> {
    let deletions = stream::iter(names).map(|name| async move { container.delete(&name).await });
    deletions.buffer_unordered(MAX_CONCURRENT_DELETES).try_collect().await
}
