//! A value on its way from a container: read from the backend no faster than the guest reads it.

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use tempo_backend::Reservation;
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError, StreamResult};

use crate::{Data, Error, ErrorKind, Result};

/// An object, or a range of one, that a guest may read.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct IncomingValue {
    size: u64,
    data: Data,
    /// For what is read ahead of the guest.
    reserved: Reservation,
}

impl IncomingValue {
    pub(super) fn new(size: u64, data: Data, reserved: Reservation) -> Self {
        Self { size, data, reserved }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Everything at once, if that is at most `max` bytes, and the host may hold as many.
    pub(super) async fn read_all(mut self, max: usize) -> Result<Vec<u8>> {
        let size = usize::try_from(self.size).ok().filter(|size| *size <= max).ok_or_else(|| {
            let problem = format!("the value is larger than {max} bytes: consume it as a stream");
            Error::new(ErrorKind::TooLarge, problem)
        })?;
        self.reserved.try_resize(size)?;
        let mut bytes = Vec::with_capacity(size);
        while let Some(chunk) = self.data.try_next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    pub(super) fn into_stream(self) -> DynInputStream {
        Box::new(Body { data: Some(self.data), next: Bytes::new(), failure: None, _reserved: self.reserved })
    }
}

struct Body {
    /// `None` once the data has ended, well or not.
    data: Option<Data>,
    /// What was read from the backend and not yet by the guest.
    next: Bytes,
    failure: Option<Error>,
    _reserved: Reservation,
}

#[async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        while self.next.is_empty()
            && let Some(data) = &mut self.data
        {
            match data.next().await {
                Some(Ok(chunk)) => self.next = chunk,
                Some(Err(error)) => (self.data, self.failure) = (None, Some(error)),
                None => self.data = None,
            }
        }
    }
}

impl InputStream for Body {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        // A guest that only ever reads, and never waits, gets on too.
        let _ = self.ready().now_or_never();
        if let Some(error) = self.failure.take() {
            return Err(StreamError::LastOperationFailed(error.into()));
        }
        if self.next.is_empty() && self.data.is_none() {
            return Err(StreamError::Closed);
        }
        Ok(self.next.split_to(size.min(self.next.len())))
    }
}
