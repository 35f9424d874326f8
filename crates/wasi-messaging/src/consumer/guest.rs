//! Calls a component's handler, through any of the interfaces.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tempo_core::{Export, Instance, StoreData};
use tempo_settings::{Error, ErrorKind};
use wasmtime::Store;
use wasmtime::component::{Accessor, InstancePre};

use super::attempt::{Attempt, Disposition};
use crate::bindings::{draft, tempo, wasmcloud_v0_2, wasmcloud_v0_3};
use crate::error::TrappableError;
use crate::{Broker, Message, WasiMessaging};

/// The exported handler, ready for instantiation.
pub(super) enum Exported {
    Tempo(tempo::HandlerServicePre<StoreData>),
    WasmCloudV0_3(wasmcloud_v0_3::HandlerServicePre<StoreData>),
    Draft(draft::MessagingRequestReplyPre<StoreData>),
    WasmCloudV0_2(wasmcloud_v0_2::HandlerServicePre<StoreData>),
}

/// The handler of one instance.
pub(super) enum Guest {
    Tempo(tempo::HandlerService),
    WasmCloudV0_3(wasmcloud_v0_3::HandlerService),
    Draft(draft::MessagingRequestReply),
    WasmCloudV0_2(wasmcloud_v0_2::HandlerService),
}

impl Exported {
    /// Finds the exported handler; of several, the most expressive one.
    ///
    /// # Errors
    ///
    /// The handler has an unknown version or type.
    pub(super) fn find(name: &str, component: &InstancePre<StoreData>) -> Result<Self, Error> {
        if let Ok(handler) = tempo::HandlerServicePre::new(component.clone()) {
            return Ok(Self::Tempo(handler));
        }
        if let Ok(handler) = wasmcloud_v0_3::HandlerServicePre::new(component.clone()) {
            return Ok(Self::WasmCloudV0_3(handler));
        }
        if let Ok(handler) = draft::MessagingRequestReplyPre::new(component.clone()) {
            return Ok(Self::Draft(handler));
        }
        wasmcloud_v0_2::HandlerServicePre::new(component.clone()).map(Self::WasmCloudV0_2).map_err(|_| {
            let packages = <WasiMessaging as tempo_core::Service>::PACKAGES.join(", ");
            let message = format!("{name}: its messaging handler is of another version; this runtime has {packages}");
            Error::new(ErrorKind::BadComponent, message)
        })
    }
}

/// A message for the guest, and its broker.
pub(super) struct Handling {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) attempt: Attempt,
}

impl Export for Exported {
    type Guest = Guest;
    type Request = Handling;
    type Response = Disposition;

    async fn instantiate(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Guest> {
        match self {
            Self::Tempo(handler) => handler.instantiate_async(store).await.map(Guest::Tempo),
            Self::WasmCloudV0_3(handler) => handler.instantiate_async(store).await.map(Guest::WasmCloudV0_3),
            Self::Draft(handler) => handler.instantiate_async(store).await.map(Guest::Draft),
            Self::WasmCloudV0_2(handler) => handler.instantiate_async(store).await.map(Guest::WasmCloudV0_2),
        }
    }

    async fn call(&self, instance: Instance<'_, Guest>, handling: Handling) -> wasmtime::Result<Disposition> {
        let (store, Handling { broker, attempt }) = (instance.store, handling);
        store.data_mut().service::<WasiMessaging>().handling(broker.clone(), &attempt.message);
        let disposition = match instance.guest {
            Guest::Tempo(guest) => handle_tempo(store, guest, attempt).await,
            Guest::WasmCloudV0_3(guest) => handle_wasmcloud_v0_3(store, guest, attempt.message).await,
            Guest::Draft(guest) => handle_draft(store, guest, broker, attempt.message).await,
            Guest::WasmCloudV0_2(guest) => {
                let handler = guest.wasmcloud_messaging_handler();
                let handled = handler.call_handle_message(&mut *store, &attempt.message.into()).await;
                handled.map(|result| result.map_or_else(|error| failed(&error), |()| Disposition::Ack))
            }
        }?;
        store.data_mut().service::<WasiMessaging>().handled();
        Ok(disposition)
    }
}

async fn handle_tempo(
    store: &mut Store<StoreData>,
    guest: &tempo::HandlerService,
    attempt: Attempt,
) -> wasmtime::Result<Disposition> {
    use tempo::exports::tempo::messaging::handler::Disposition as Answer;
    let delivery = crate::tempo::delivery(attempt.message, attempt.number, attempt.timestamp, attempt.sequence);
    let handled = store.run_concurrent(async |accessor| -> wasmtime::Result<Answer> {
        let disposition = guest.tempo_messaging_handler().call_handle(accessor, delivery).await?;
        finish(accessor).await;
        Ok(disposition)
    });
    Ok(match handled.await?? {
        Answer::Ack => Disposition::Ack,
        Answer::Retry(after) => {
            let after = after.map(Duration::from_millis);
            Disposition::Retry { after, why: "its handler requested a retry".to_owned() }
        }
        Answer::Reject(reason) => Disposition::Reject(reason),
    })
}

async fn handle_wasmcloud_v0_3(
    store: &mut Store<StoreData>,
    guest: &wasmcloud_v0_3::HandlerService,
    message: Message,
) -> wasmtime::Result<Disposition> {
    use wasmcloud_v0_3::wasmcloud::messaging::types::HandleMessageError;
    let handled = store.run_concurrent(async |accessor| -> wasmtime::Result<Result<(), HandleMessageError>> {
        let message = accessor.with(|access| crate::wasmcloud_v0_3::message(access, message))?;
        let result = guest.wasmcloud_messaging_handler().call_handle_message(accessor, message).await?;
        finish(accessor).await;
        Ok(result)
    });
    Ok(match handled.await?? {
        Ok(()) => Disposition::Ack,
        Err(HandleMessageError::Retry) => {
            Disposition::Retry { after: None, why: "its handler requested a retry".to_owned() }
        }
        Err(HandleMessageError::Reject) => Disposition::Reject("its handler rejected it".to_owned()),
        Err(HandleMessageError::Other(reason)) => Disposition::Reject(reason),
    })
}

async fn handle_draft(
    store: &mut Store<StoreData>,
    guest: &draft::MessagingRequestReply,
    broker: Arc<dyn Broker>,
    message: Message,
) -> wasmtime::Result<Disposition> {
    use draft::wasi::messaging::types::Error;
    let message = match store.data_mut().service::<WasiMessaging>().receive(message, Some(broker)) {
        Ok(message) => message,
        Err(TrappableError::Trap(trap)) => return Err(trap),
        Err(TrappableError::Error(error)) => {
            return Ok(Disposition::Retry {
                after: None,
                why: format!("the message cannot be passed to the component: {error}"),
            });
        }
    };
    let handled = guest.wasi_messaging_incoming_handler().call_handle(&mut *store, message).await?;
    Ok(match handled {
        Ok(()) => Disposition::Ack,
        Err(Error::Timeout) => failed("timeout"),
        Err(Error::Connection(text) | Error::PermissionDenied(text) | Error::Other(text)) => failed(&text),
    })
}

/// Waits for tasks that outlive the handler's function: they are part of the handling.
async fn finish(accessor: &Accessor<StoreData>) {
    poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
}

/// The disposition of a handler that returned an error.
fn failed(error: &str) -> Disposition {
    Disposition::Retry { after: None, why: format!("its handler returned an error: {error}") }
}
