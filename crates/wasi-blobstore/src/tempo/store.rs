//! `tempo:blobstore/store`.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use wasmtime::component::{Access, Accessor, FutureReader, Resource, StreamReader};

use super::consumer::Incoming;
use super::producer::{Producer, ReadOutcome, Started};
use crate::bindings::tempo::tempo::blobstore::store as wit;
use crate::check::{self, Checked};
use crate::service::OpenContainer;
use crate::{BlobstoreView, ByteRange, Container, Entry, Error, Result, WasiBlobstore};

/// Objects per page that is requested from the backend.
const PAGE: usize = 1000;

/// The result of a host function.
type Answer<T> = wasmtime::Result<std::result::Result<T, wit::Error>>;

/// The result of `get`.
type Opened = (wit::ObjectInfo, StreamReader<u8>, FutureReader<ReadOutcome>);

impl wit::Host for BlobstoreView<'_> {}

impl wit::HostContainer for BlobstoreView<'_> {
    fn drop(&mut self, this: Resource<OpenContainer>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl<T: 'static> wit::HostContainerWithStore<T> for WasiBlobstore {
    async fn open(accessor: &Accessor<T, Self>, name: String) -> Answer<Resource<OpenContainer>> {
        let state = accessor.with(|mut access| {
            let state = access.get().state;
            state.for_another_store(&state.bytes)
        });
        let container = state.find(&name).await;
        Ok(accessor.with(|mut access| access.get().open(name, container))?.map_err(Into::into))
    }

    async fn stat(
        accessor: &Accessor<T, Self>,
        this: Resource<OpenContainer>,
        name: String,
    ) -> Answer<Option<wit::ObjectInfo>> {
        let container = container(accessor, &this)?;
        answer(
            async { check::name(&name).map(|()| container.stat(&name))?.await }.await.map(|info| info.map(Into::into)),
        )
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        this: Resource<OpenContainer>,
        name: String,
        range: Option<wit::ByteRange>,
    ) -> Answer<Opened> {
        let container = container(accessor, &this)?;
        let bytes = accessor.with(|mut access| access.get().state.bytes.clone());
        let range = range.map(ByteRange::from);
        let opened = async {
            check::name(&name)?;
            let (info, data) = container.get(&name, range).await?;
            let (start, end) = ByteRange::within(range, info.size);
            let reserved = check::reserve_read(&*container, end.saturating_sub(start), &bytes)?;
            Ok((info, data, reserved))
        };
        match opened.await {
            Ok((info, data, reserved)) => {
                let data = data.inspect(move |_| _ = &reserved).boxed();
                let (data, ending) = accessor.with(|access| Producer::start(access, data))?;
                Ok(Ok((info.into(), data, ending)))
            }
            Err(error) => answer(Err(error)),
        }
    }

    async fn put(
        accessor: &Accessor<T, Self>,
        this: Resource<OpenContainer>,
        name: String,
        mut data: StreamReader<u8>,
        mut complete: FutureReader<std::result::Result<(), ()>>,
        options: wit::PutOptions,
    ) -> Answer<wit::ObjectInfo> {
        let (container, max, bytes) = accessor.with(|mut access| -> wasmtime::Result<_> {
            let view = access.get();
            Ok((view.container(&this)?, view.state.max_object, view.state.bytes.clone()))
        })?;
        match Checked::begin(&*container, &name, options.into(), max, &bytes).await {
            Ok(upload) => {
                let incoming = accessor.with(|access| Incoming::start(access, data, complete))?;
                answer(incoming.upload(upload).await.map(Into::into))
            }
            Err(error) => {
                accessor.with(|mut access| {
                    data.close(&mut access)?;
                    complete.close(&mut access)
                })?;
                answer(Err(error))
            }
        }
    }

    async fn delete(accessor: &Accessor<T, Self>, this: Resource<OpenContainer>, name: String) -> Answer<()> {
        let container = container(accessor, &this)?;
        answer(async { check::name(&name).map(|()| container.delete(&name))?.await }.await)
    }

    fn list(
        mut access: Access<'_, T, Self>,
        this: Resource<OpenContainer>,
        prefix: Option<String>,
    ) -> wasmtime::Result<Started<wit::Entry>> {
        let container = access.get().container(&this)?;
        let prefix = prefix.unwrap_or_default();
        let pages = match check::prefix(&prefix) {
            Ok(()) => pages(container, prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        };
        let chunks = pages.map_ok(|page| page.into_iter().map(wit::Entry::from).collect::<Vec<_>>());
        Producer::start(access, chunks.boxed())
    }

    async fn copy(
        accessor: &Accessor<T, Self>,
        this: Resource<OpenContainer>,
        from: String,
        to: String,
    ) -> Answer<wit::ObjectInfo> {
        let (container, copies) = accessor.with(|mut access| -> wasmtime::Result<_> {
            let view = access.get();
            Ok((view.container(&this)?, view.state.copies.clone()))
        })?;
        let copied = async {
            check::name(&from)?;
            check::name(&to)?;
            copies.copy(&*container, &from, &to).await
        };
        answer(copied.await.map(Into::into))
    }
}

fn answer<T>(result: Result<T>) -> Answer<T> {
    Ok(result.map_err(Into::into))
}

fn container<T: 'static>(
    accessor: &Accessor<T, WasiBlobstore>,
    this: &Resource<OpenContainer>,
) -> wasmtime::Result<Arc<dyn Container>> {
    accessor.with(|mut access| access.get().container(this))
}

/// Returns the whole listing, page by page.
fn pages(container: Arc<dyn Container>, prefix: String) -> BoxStream<'static, Result<Vec<Entry>>> {
    // The name after which the next page starts; `None` after the last page.
    let first: Option<Option<String>> = Some(None);
    stream::try_unfold((container, prefix, first), |(container, prefix, after)| async move {
        let Some(after) = after else { return Ok::<_, Error>(None) };
        let page = container.list(&prefix, after.as_deref(), PAGE).await?;
        let next = page.last().filter(|_| page.len() == PAGE).map(|entry| Some(entry.name.clone()));
        Ok(Some((page, (container, prefix, next))))
    })
    .boxed()
}
