//! Holds a socket open in the account for as long as a stream of its connection: the stream is `wasmtime-wasi`'s, but its
//! end is known by the future of its result, which is relayed.

use std::pin::Pin;
use std::task::{Context, Poll};

use tempo_core::{OpenFile, StoreData};
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{FutureConsumer, FutureReader, Source};
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

type Ended = Result<(), ErrorCode>;

/// The future `ended`, which keeps `socket` open until it is there, whether the guest reads it or not.
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
            // A guest that is not interested has dropped its future.
            let _ = result.send(ended);
        }
        Poll::Ready(Ok(()))
    }
}
