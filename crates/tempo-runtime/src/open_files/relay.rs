//! Counts a socket as open until a stream of its connection ends. The stream belongs to `wasmtime-wasi`; the future of its
//! result, which is relayed, resolves when it ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use tempo_core::{OpenFile, StoreData};
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{FutureConsumer, FutureReader, Source};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

type Ended = Result<(), ErrorCode>;

/// Relays the future `ended`, and counts `socket` as open until it resolves, whether the guest reads it or not.
pub(super) fn until_ended(
    mut store: StoreContextMut<'_, StoreData>,
    ended: FutureReader<Ended>,
    socket: Option<OpenFile>,
) -> wasmtime::Result<FutureReader<Ended>> {
    let (result, relayed) = oneshot::channel();
    ended.pipe(&mut store, Relay(Some((result, socket))))?;
    FutureReader::new(&mut store, relayed)
}

struct Relay(Option<(oneshot::Sender<Ended>, Option<OpenFile>)>);

impl FutureConsumer<StoreData> for Relay {
    type Item = Ended;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, StoreData>,
        mut source: Source<'_, Ended>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut ended = None;
        source.read(store, &mut ended)?;
        if let (Some(ended), Some((result, socket))) = (ended, self.0.take()) {
            drop(socket);
            // The guest may have dropped its future.
            let _ = result.send(ended);
        }
        Poll::Ready(Ok(()))
    }
}
