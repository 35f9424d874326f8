//! `wasi:blobstore/blobstore`: finds containers, and moves objects between them.

use std::sync::Arc;

use futures::StreamExt as _;
use tempo_backend::ByteBudget;
use wasmtime::component::Resource;

use super::container::clear;
use super::{Answer, answer};
use crate::bindings::draft::wasi::blobstore::blobstore::{Host, ObjectId};
use crate::check::{self, Checked};
use crate::copies::Copies;
use crate::service::OpenContainer;
use crate::{BlobstoreCtx, BlobstoreView, Container, Error, ErrorKind, PutOptions, Result};

impl Host for BlobstoreView<'_> {
    async fn create_container(&mut self, name: String) -> Answer<Resource<OpenContainer>> {
        let container = self.state.find_or_create(&name).await;
        self.open(name, container).and_then(answer)
    }

    async fn get_container(&mut self, name: String) -> Answer<Resource<OpenContainer>> {
        let container = self.state.find(&name).await;
        self.open(name, container).and_then(answer)
    }

    async fn delete_container(&mut self, name: String) -> Answer<()> {
        answer(delete(self.state, &name).await)
    }

    async fn container_exists(&mut self, name: String) -> Answer<bool> {
        answer(match self.state.find(&name).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NoSuchContainer => Ok(false),
            Err(error) => Err(error),
        })
    }

    async fn copy_object(&mut self, src: ObjectId, dest: ObjectId) -> Answer<()> {
        let ends = Ends::find(self.state, &src, &dest).await;
        answer(match ends {
            Ok(ends) => ends.copy(&src.object, &dest.object).await,
            Err(error) => Err(error),
        })
    }

    async fn move_object(&mut self, src: ObjectId, dest: ObjectId) -> Answer<()> {
        let ends = Ends::find(self.state, &src, &dest).await;
        answer(match ends {
            Ok(ends) => ends.rename(&src.object, &dest.object).await,
            Err(error) => Err(error),
        })
    }
}

/// Deletes a container of the component's own, or the objects of a configured one.
async fn delete(state: &BlobstoreCtx, name: &str) -> Result<()> {
    match (state.containers.get(name), &state.own) {
        (Some(container), _) => clear(&**container).await,
        (None, Some(own)) if own.delete(name).await? => Ok(()),
        _ => Err(Error::no_such_container()),
    }
}

/// Where an object comes from and where it goes.
struct Ends {
    from: Arc<dyn Container>,
    to: Arc<dyn Container>,
    max_object: u64,
    copies: Copies,
    bytes: ByteBudget,
}

impl Ends {
    async fn find(state: &BlobstoreCtx, src: &ObjectId, dest: &ObjectId) -> Result<Self> {
        check::name(&src.object)?;
        check::name(&dest.object)?;
        let from = state.find(&src.container).await?;
        let to = if src.container == dest.container { from.clone() } else { state.find(&dest.container).await? };
        let BlobstoreCtx { max_object, copies, bytes, .. } = state;
        Ok(Self { from, to, max_object: *max_object, copies: copies.clone(), bytes: bytes.clone() })
    }

    /// Two names may stand for one container.
    fn is_one(&self) -> bool {
        Arc::ptr_eq(&self.from, &self.to)
    }

    async fn copy(&self, from: &str, to: &str) -> Result<()> {
        if self.is_one() {
            return self.copies.copy(&*self.from, from, to).await.map(drop);
        }
        self.copies.run(self.copy_between(from, to)).await
    }

    async fn copy_between(&self, from: &str, to: &str) -> Result<()> {
        let (info, mut data) = self.from.get(from, None).await?;
        let options = PutOptions::default().with_content_type(info.content_type).with_metadata(info.metadata);
        let mut upload = Checked::begin(&*self.to, to, options, self.max_object, &self.bytes).await?;
        while let Some(chunk) = data.next().await {
            upload.write(chunk?).await?;
        }
        upload.complete().await.map(drop)
    }

    async fn rename(&self, from: &str, to: &str) -> Result<()> {
        if self.is_one() && from == to {
            return self.from.stat(from).await?.map(drop).ok_or_else(crate::Error::no_such_object);
        }
        self.copy(from, to).await?;
        self.from.delete(from).await
    }
}
