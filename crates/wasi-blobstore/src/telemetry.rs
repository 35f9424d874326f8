//! Spans and metrics of container operations, as a decorator of containers.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tempo_telemetry::{Operation, Operations, Telemetry};

use crate::{ByteRange, Container, Data, Entry, Error, ObjectInfo, PutOptions, Result, Upload};

/// Records spans and metrics of the operations of a container.
struct InstrumentedContainer {
    container: Arc<dyn Container>,
    operations: Operations,
}

/// An upload, one operation from its first byte to its end.
struct InstrumentedUpload {
    upload: Box<dyn Upload>,
    operation: Operation,
}

/// Instruments `container`, which has this `name` and the scheme `system`.
pub(crate) fn instrument(
    telemetry: &Telemetry,
    system: &str,
    name: &str,
    container: Arc<dyn Container>,
) -> Arc<dyn Container> {
    if !telemetry.is_on() {
        return container;
    }
    Arc::new(InstrumentedContainer { container, operations: Operations::new(telemetry, system, name) })
}

fn word(error: &Error) -> &'static str {
    error.kind().name()
}

#[async_trait]
impl Container for InstrumentedContainer {
    fn read_buffer(&self) -> usize {
        self.container.read_buffer()
    }

    fn upload_buffer(&self) -> usize {
        self.container.upload_buffer()
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectInfo>> {
        self.operations.instrument("stat", word, self.container.stat(name)).await
    }

    /// Ends with the first bytes.
    async fn get(&self, name: &str, range: Option<ByteRange>) -> Result<(ObjectInfo, Data)> {
        self.operations.instrument("get", word, self.container.get(name, range)).await
    }

    async fn put(&self, name: &str, options: PutOptions) -> Result<Box<dyn Upload>> {
        let operation = self.operations.begin("put");
        match self.container.put(name, options).await {
            Ok(upload) => Ok(Box::new(InstrumentedUpload { upload, operation })),
            Err(error) => {
                operation.end(Some(word(&error)));
                Err(error)
            }
        }
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.operations.instrument("delete", word, self.container.delete(name)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        self.operations.instrument("list", word, self.container.list(prefix, after, limit)).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<ObjectInfo> {
        self.operations.instrument("copy", word, self.container.copy(from, to)).await
    }
}

#[async_trait]
impl Upload for InstrumentedUpload {
    async fn write(&mut self, data: Bytes) -> Result<()> {
        self.upload.write(data).await
    }

    async fn complete(self: Box<Self>) -> Result<ObjectInfo> {
        let Self { upload, operation } = *self;
        let result = upload.complete().await;
        operation.end(result.as_ref().err().map(word));
        result
    }
}
