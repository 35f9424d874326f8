//! Imports of `store` under a label: `open` opens the store that the label names.

use tempo_core::Provide;
use wasmtime::component::LinkerInstance;

use crate::WasiKeyValue;
use crate::bindings::{wasi_v0_2_draft, wasi_v0_2_draft2, wasmcloud_v0_2};

/// Adds the functions of `interface` to the instance `label`, of a linker that allows shadowing.
pub(crate) fn add_to_linker<T: Provide<WasiKeyValue>>(
    instance: &mut LinkerInstance<'_, T>,
    interface: &str,
    label: &str,
) -> wasmtime::Result<()> {
    let label = label.to_owned();
    match interface {
        "wasi:keyvalue/store@0.2.0-draft" => {
            use wasi_v0_2_draft::wasi::keyvalue::store;
            store::add_to_linker_instance::<T, WasiKeyValue>(instance, T::provide)?;
            instance.func_wrap("open", move |mut store, (_,): (String,)| {
                Ok((T::provide(store.data_mut()).open(&label)?.map_err(store::Error::from),))
            })
        }
        "wasi:keyvalue/store@0.2.0-draft2" => {
            use wasi_v0_2_draft2::wasi::keyvalue::store;
            store::add_to_linker_instance::<T, WasiKeyValue>(instance, T::provide)?;
            instance.func_wrap("open", move |mut store, (_,): (String,)| {
                Ok((T::provide(store.data_mut()).open(&label)?.map_err(store::Error::from),))
            })
        }
        "wasmcloud:keyvalue/store@0.2.0" => {
            use wasmcloud_v0_2::wasmcloud::keyvalue::store;
            store::add_to_linker_instance::<T, WasiKeyValue>(instance, T::provide)?;
            instance.func_wrap_concurrent("open", move |accessor, (_,): (String,)| {
                let label = label.clone();
                Box::pin(async move {
                    let accessor = accessor.with_getter::<WasiKeyValue>(T::provide);
                    Ok((store::HostWithStore::<T>::open(&accessor, label).await?,))
                })
            })
        }
        _ => Err(wasmtime::format_err!("{interface} cannot be imported under the label `{label}`")),
    }
}
