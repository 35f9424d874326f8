//! Imports under a label: the functions that take the name of a container use the one that the label names.

use tempo_core::Provide;
use wasmtime::component::LinkerInstance;

use crate::WasiBlobstore;
use crate::bindings::draft::wasi::blobstore::blobstore;
use crate::bindings::draft::wasi::blobstore::types::ObjectId;
use crate::bindings::tempo::tempo::blobstore::store;

/// Adds the functions of `interface` to the instance `label`, of a linker that allows shadowing.
pub(crate) fn add_to_linker<T: Provide<WasiBlobstore>>(
    instance: &mut LinkerInstance<'_, T>,
    interface: &str,
    label: &str,
) -> wasmtime::Result<()> {
    match interface {
        "wasi:blobstore/blobstore@0.2.0-draft" => draft(instance, label),
        "tempo:blobstore/store@0.1.0" => {
            store::add_to_linker_instance::<T, WasiBlobstore>(instance, T::provide)?;
            let label = label.to_owned();
            instance.func_wrap_concurrent("[static]container.open", move |accessor, (_,): (String,)| {
                let label = label.clone();
                Box::pin(async move {
                    let accessor = accessor.with_getter::<WasiBlobstore>(T::provide);
                    Ok((store::HostContainerWithStore::<T>::open(&accessor, label).await?,))
                })
            })
        }
        _ => Err(wasmtime::format_err!("{interface} cannot be imported under the label `{label}`")),
    }
}

/// Adds a function that calls the one of `blobstore` with the label in place of the container's name.
macro_rules! with_container {
    ($instance:ident, $label:ident, $($name:literal $function:ident)*) => { $({
        let label = $label.to_owned();
        $instance.func_wrap_async($name, move |mut store, (_,): (String,)| {
            let label = label.clone();
            Box::new(async move { Ok((blobstore::Host::$function(&mut T::provide(store.data_mut()), label).await?,)) })
        })?;
    })* };
}

/// As `with_container`, for a function with two objects.
macro_rules! with_objects {
    ($instance:ident, $label:ident, $($name:literal $function:ident)*) => { $({
        let label = $label.to_owned();
        $instance.func_wrap_async($name, move |mut store, (from, to): (ObjectId, ObjectId)| {
            let labelled = |id: ObjectId| ObjectId { container: label.clone(), object: id.object };
            let (from, to) = (labelled(from), labelled(to));
            Box::new(async move { Ok((blobstore::Host::$function(&mut T::provide(store.data_mut()), from, to).await?,)) })
        })?;
    })* };
}

/// All functions of the interface take names.
fn draft<T: Provide<WasiBlobstore>>(instance: &mut LinkerInstance<'_, T>, label: &str) -> wasmtime::Result<()> {
    with_container! {
        instance, label,
        "create-container" create_container
        "get-container" get_container
        "delete-container" delete_container
        "container-exists" container_exists
    }
    with_objects! {
        instance, label,
        "copy-object" copy_object
        "move-object" move_object
    }
    Ok(())
}
