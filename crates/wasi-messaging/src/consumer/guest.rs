//! One call of a component's handler, in any of the interfaces.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempo_core::StoreData;
use tempo_settings::{Error, ErrorKind};
use wasmtime::Store;
use wasmtime::component::{Accessor, InstancePre};

use super::disposition::Ending;
use crate::bindings::{draft, tempo, wasmcloud2, wasmcloud3};
use crate::failure::Failure;
use crate::{Broker, Message, WasiMessaging};

/// A message that a guest is to handle.
pub(super) struct Order {
    pub(super) message: Message,
    pub(super) attempt: u32,
    pub(super) timestamp: SystemTime,
    pub(super) sequence: Option<u64>,
}

/// What the component exports, ready to be instantiated.
pub(super) enum Exported {
    Tempo(tempo::HandlerServicePre<StoreData>),
    WasmCloud3(wasmcloud3::HandlerServicePre<StoreData>),
    Draft(draft::MessagingRequestReplyPre<StoreData>),
    WasmCloud2(wasmcloud2::HandlerServicePre<StoreData>),
}

/// The handler of one instance.
pub(super) enum Guest {
    Tempo(tempo::HandlerService),
    WasmCloud3(wasmcloud3::HandlerService),
    Draft(draft::MessagingRequestReply),
    WasmCloud2(wasmcloud2::HandlerService),
}

impl Exported {
    /// The handler that the component exports; of several, the one that can say most.
    ///
    /// # Errors
    ///
    /// It is of another version, or has another type.
    pub(super) fn find(name: &str, component: &InstancePre<StoreData>) -> Result<Self, Error> {
        if let Ok(handler) = tempo::HandlerServicePre::new(component.clone()) {
            return Ok(Self::Tempo(handler));
        }
        if let Ok(handler) = wasmcloud3::HandlerServicePre::new(component.clone()) {
            return Ok(Self::WasmCloud3(handler));
        }
        if let Ok(handler) = draft::MessagingRequestReplyPre::new(component.clone()) {
            return Ok(Self::Draft(handler));
        }
        wasmcloud2::HandlerServicePre::new(component.clone()).map(Self::WasmCloud2).map_err(|_| {
            let packages = <WasiMessaging as tempo_core::Service>::PACKAGES.join(", ");
            let message = format!("{name}: its messaging handler is of another version; this runtime has {packages}");
            Error::new(ErrorKind::BadComponent, message)
        })
    }

    pub(super) async fn instantiate(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Guest> {
        match self {
            Self::Tempo(handler) => handler.instantiate_async(store).await.map(Guest::Tempo),
            Self::WasmCloud3(handler) => handler.instantiate_async(store).await.map(Guest::WasmCloud3),
            Self::Draft(handler) => handler.instantiate_async(store).await.map(Guest::Draft),
            Self::WasmCloud2(handler) => handler.instantiate_async(store).await.map(Guest::WasmCloud2),
        }
    }
}

impl Guest {
    /// Has the guest handle `order`, which `broker` has delivered, and returns when it has left nothing undone.
    ///
    /// # Errors
    ///
    /// It trapped.
    pub(super) async fn handle(
        &self,
        store: &mut Store<StoreData>,
        broker: Arc<dyn Broker>,
        order: Order,
    ) -> wasmtime::Result<Ending> {
        store.data_mut().service::<WasiMessaging>().handling(broker.clone(), &order.message);
        let ending = match self {
            Self::Tempo(guest) => handle_tempo(store, guest, order).await,
            Self::WasmCloud3(guest) => handle_wasmcloud3(store, guest, order.message).await,
            Self::Draft(guest) => handle_draft(store, guest, broker, order.message).await,
            Self::WasmCloud2(guest) => {
                let handler = guest.wasmcloud_messaging_handler();
                let handled = handler.call_handle_message(&mut *store, &order.message.into()).await;
                handled.map(|result| result.map_or_else(|error| asked(&error), |()| Ending::Done))
            }
        }?;
        store.data_mut().service::<WasiMessaging>().handled();
        Ok(ending)
    }
}

async fn handle_tempo(
    store: &mut Store<StoreData>,
    guest: &tempo::HandlerService,
    order: Order,
) -> wasmtime::Result<Ending> {
    use tempo::exports::tempo::messaging::handler::Disposition;
    let delivery = crate::tempo::delivery(order.message, order.attempt, order.timestamp, order.sequence);
    let handled = store.run_concurrent(async |accessor| -> wasmtime::Result<Disposition> {
        let disposition = guest.tempo_messaging_handler().call_handle(accessor, delivery).await?;
        finish(accessor).await;
        Ok(disposition)
    });
    Ok(match handled.await?? {
        Disposition::Ack => Ending::Done,
        Disposition::Retry(after) => {
            let after = after.map(Duration::from_millis);
            Ending::Failed { after, why: "its handler asked for another delivery".to_owned() }
        }
        Disposition::Reject(reason) => Ending::Refused(reason),
    })
}

async fn handle_wasmcloud3(
    store: &mut Store<StoreData>,
    guest: &wasmcloud3::HandlerService,
    message: Message,
) -> wasmtime::Result<Ending> {
    use wasmcloud3::wasmcloud::messaging::types::HandleMessageError;
    let handled = store.run_concurrent(async |accessor| -> wasmtime::Result<Result<(), HandleMessageError>> {
        let message = accessor.with(|access| crate::wasmcloud3::message(access, message))?;
        let result = guest.wasmcloud_messaging_handler().call_handle_message(accessor, message).await?;
        finish(accessor).await;
        Ok(result)
    });
    Ok(match handled.await?? {
        Ok(()) => Ending::Done,
        Err(HandleMessageError::Retry) => {
            Ending::Failed { after: None, why: "its handler asked for another delivery".to_owned() }
        }
        Err(HandleMessageError::Reject) => Ending::Refused("its handler rejected it".to_owned()),
        Err(HandleMessageError::Other(reason)) => Ending::Refused(reason),
    })
}

async fn handle_draft(
    store: &mut Store<StoreData>,
    guest: &draft::MessagingRequestReply,
    broker: Arc<dyn Broker>,
    message: Message,
) -> wasmtime::Result<Ending> {
    use draft::wasi::messaging::types::Error;
    let message = match store.data_mut().service::<WasiMessaging>().receive(message, Some(broker)) {
        Ok(message) => message,
        Err(Failure::Trap(trap)) => return Err(trap),
        Err(Failure::Error(error)) => {
            return Ok(Ending::Failed { after: None, why: format!("it cannot be handed to the component: {error}") });
        }
    };
    let handled = guest.wasi_messaging_incoming_handler().call_handle(&mut *store, message).await?;
    Ok(match handled {
        Ok(()) => Ending::Done,
        Err(Error::Timeout) => asked("timeout"),
        Err(Error::Connection(text) | Error::PermissionDenied(text) | Error::Other(text)) => asked(&text),
    })
}

/// The guest's tasks may still work when its function has returned: what they do belongs to the handling.
async fn finish(accessor: &Accessor<StoreData>) {
    poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
}

/// The ending of a handler that returned an error.
fn asked(error: &str) -> Ending {
    Ending::Failed { after: None, why: format!("its handler returned an error: {error}") }
}
