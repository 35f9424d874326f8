//! Imports under a label: messages are sent by the client that the label names. `wasi:messaging` has none, as a component
//! connects its clients by name.

use tempo_core::Provide;
use wasmtime::component::{LinkerInstance, StreamReader};

use crate::WasiMessaging;
use crate::bindings::tempo::tempo::messaging::{producer, types};
use crate::bindings::{wasmcloud_v0_2, wasmcloud_v0_3};
use crate::error::TrappableError;

/// Adds the functions of `interface` to the instance `label`.
pub(crate) fn add_to_linker<T: Provide<WasiMessaging>>(
    instance: &mut LinkerInstance<'_, T>,
    interface: &str,
    label: &str,
) -> wasmtime::Result<()> {
    match interface {
        "tempo:messaging/producer@0.1.0" => tempo(instance, label),
        "wasmcloud:messaging/consumer@0.2.0" => wasmcloud_v0_2(instance, label),
        "wasmcloud:messaging/consumer@0.3.0" => wasmcloud_v0_3(instance, label),
        _ => Err(wasmtime::format_err!("{interface} cannot be imported under the label `{label}`")),
    }
}

/// Returns the result for the guest. Other errors trap.
fn result<R, E: From<crate::Error>>(result: Result<R, TrappableError>) -> wasmtime::Result<(Result<R, E>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(failure) => Err(failure.into_error()?.into()),
    },))
}

fn tempo<T: Provide<WasiMessaging>>(instance: &mut LinkerInstance<'_, T>, label: &str) -> wasmtime::Result<()> {
    let client = label.to_owned();
    instance.func_wrap_concurrent("publish", move |accessor, (_, message): (String, types::Message)| {
        let client = client.clone();
        Box::pin(async move {
            let accessor = accessor.with_getter::<WasiMessaging>(T::provide);
            result::<_, types::Error>(producer::HostWithStore::<T>::publish(&accessor, client, message).await)
        })
    })?;
    let client = label.to_owned();
    instance.func_wrap_concurrent("publish-many", move |accessor, (_, messages): (String, Vec<types::Message>)| {
        let client = client.clone();
        Box::pin(async move {
            let accessor = accessor.with_getter::<WasiMessaging>(T::provide);
            Ok((producer::HostWithStore::<T>::publish_many(&accessor, client, messages).await?,))
        })
    })?;
    let client = label.to_owned();
    instance.func_wrap_concurrent("request", move |accessor, (_, message, timeout): (String, types::Message, u32)| {
        let client = client.clone();
        Box::pin(async move {
            let accessor = accessor.with_getter::<WasiMessaging>(T::provide);
            result::<_, types::Error>(producer::HostWithStore::<T>::request(&accessor, client, message, timeout).await)
        })
    })
}

fn wasmcloud_v0_2<T: Provide<WasiMessaging>>(
    instance: &mut LinkerInstance<'_, T>,
    label: &str,
) -> wasmtime::Result<()> {
    use crate::wasmcloud_v0_2::{publish, request};
    use wasmcloud_v0_2::wasmcloud::messaging::types::BrokerMessage;

    let client = label.to_owned();
    instance.func_wrap_async("request", move |mut store, (subject, body, timeout): (String, Vec<u8>, u32)| {
        let client = T::provide(store.data_mut()).named(&client);
        Box::new(async move { Ok((request(client, subject, body, timeout).await,)) })
    })?;
    let client = label.to_owned();
    instance.func_wrap_async("publish", move |mut store, (message,): (BrokerMessage,)| {
        let client = T::provide(store.data_mut()).named(&client);
        Box::new(async move { Ok((publish(client, message).await,)) })
    })
}

fn wasmcloud_v0_3<T: Provide<WasiMessaging>>(
    instance: &mut LinkerInstance<'_, T>,
    label: &str,
) -> wasmtime::Result<()> {
    use crate::wasmcloud_v0_3::{publish, request};
    use wasmcloud_v0_3::wasmcloud::messaging::types::{BrokerMessage, Error};

    let client = label.to_owned();
    instance.func_wrap_concurrent(
        "request",
        move |accessor, (subject, body, timeout): (String, StreamReader<u8>, Option<u32>)| {
            let client = client.clone();
            Box::pin(async move {
                let accessor = accessor.with_getter::<WasiMessaging>(T::provide);
                result::<_, Error>(request(&accessor, &client, subject, body, timeout).await)
            })
        },
    )?;
    let client = label.to_owned();
    instance.func_wrap_concurrent("publish", move |accessor, (message,): (BrokerMessage,)| {
        let client = client.clone();
        Box::pin(async move {
            let accessor = accessor.with_getter::<WasiMessaging>(T::provide);
            result::<_, Error>(publish(&accessor, &client, message).await)
        })
    })
}
