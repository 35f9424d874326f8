//! Calls a component's watcher, through any version of the interface.

use std::future::poll_fn;
use std::sync::Arc;

use opentelemetry::trace::SpanKind;
use tempo_core::{Export, Instance, Instances, StoreData};
use tempo_telemetry::within;
use wasmtime::Store;
use wasmtime::component::{InstancePre, Resource};

use crate::bindings::{wasi_v0_2_draft, wasi_v0_2_draft2, wasmcloud_v0_2};
use crate::{Bucket, Change, WasiKeyValue};

/// The exported watcher, ready for instantiation.
pub(super) enum Watcher {
    WasiDraft(wasi_v0_2_draft::WatchServicePre<StoreData>),
    WasiDraft2(wasi_v0_2_draft2::WatchServicePre<StoreData>),
    WasmCloud(wasmcloud_v0_2::WatchServicePre<StoreData>),
}

/// The watcher of one instance.
pub(super) enum Guest {
    WasiDraft(wasi_v0_2_draft::WatchService),
    WasiDraft2(wasi_v0_2_draft2::WatchService),
    WasmCloud(wasmcloud_v0_2::WatchService),
}

impl Watcher {
    /// Finds the newest exported watcher.
    ///
    /// # Errors
    ///
    /// The watcher has an unknown version or type.
    pub(super) fn find(component: &InstancePre<StoreData>) -> wasmtime::Result<Self> {
        if let Ok(watcher) = wasmcloud_v0_2::WatchServicePre::new(component.clone()) {
            return Ok(Self::WasmCloud(watcher));
        }
        if let Ok(watcher) = wasi_v0_2_draft2::WatchServicePre::new(component.clone()) {
            return Ok(Self::WasiDraft2(watcher));
        }
        wasi_v0_2_draft::WatchServicePre::new(component.clone()).map(Self::WasiDraft)
    }
}

impl Export for Watcher {
    type Guest = Guest;
    type Request = StoreChange;
    type Response = ();

    async fn instantiate(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Guest> {
        match self {
            Self::WasiDraft(watcher) => watcher.instantiate_async(store).await.map(Guest::WasiDraft),
            Self::WasiDraft2(watcher) => watcher.instantiate_async(store).await.map(Guest::WasiDraft2),
            Self::WasmCloud(watcher) => watcher.instantiate_async(store).await.map(Guest::WasmCloud),
        }
    }

    async fn call(&self, instance: Instance<'_, Guest>, change: StoreChange) -> wasmtime::Result<()> {
        let store = instance.store;
        match instance.guest {
            Guest::WasiDraft(guest) => {
                let (bucket, watcher) = (change.push(store)?, guest.wasi_keyvalue_watcher());
                match &change.change {
                    Change::Set { key, value } => watcher.call_on_set(store, bucket, key, value).await,
                    Change::Delete { key } => watcher.call_on_delete(store, bucket, key).await,
                }
            }
            Guest::WasiDraft2(guest) => {
                let (bucket, watcher) = (change.push(store)?, guest.wasi_keyvalue_watcher());
                match &change.change {
                    Change::Set { key, value } => watcher.call_on_set(store, bucket, key, value).await,
                    Change::Delete { key } => watcher.call_on_delete(store, bucket, key).await,
                }
            }
            Guest::WasmCloud(guest) => call_async(store, guest, change).await,
        }
    }
}

async fn call_async(
    store: &mut Store<StoreData>,
    guest: &wasmcloud_v0_2::WatchService,
    change: StoreChange,
) -> wasmtime::Result<()> {
    let bucket = change.push(store)?;
    let watcher = guest.wasmcloud_keyvalue_watcher();
    let finished = store.run_concurrent(async |accessor| -> wasmtime::Result<()> {
        match change.change {
            Change::Set { key, value } => watcher.call_on_set(accessor, bucket, key, value.into()).await?,
            Change::Delete { key } => watcher.call_on_delete(accessor, bucket, key).await?,
        }
        // Wait for tasks that outlive the function.
        poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
        Ok(())
    });
    finished.await?
}

/// A change of the store `name`.
pub(super) struct StoreChange {
    pub(super) name: Arc<str>,
    pub(super) change: Change,
}

impl StoreChange {
    fn push(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Resource<Bucket>> {
        Ok(store.data_mut().service::<WasiKeyValue>().open(&self.name)??)
    }
}

/// Delivers `change` to the component on one of `instances`, and returns when the call has ended.
pub(super) async fn deliver(instances: &Arc<Instances<Watcher>>, change: StoreChange) {
    let workload = instances.workload();
    // Without a timeout: a change is not sent again.
    let permit = workload.admission().wait().await;
    let (context, mut span) = workload.telemetry().root(SpanKind::Consumer, || "watch".into());
    if let Err(error) = instances.run(permit, context.clone(), change).await {
        within(context.as_ref(), || error.log(workload, "a change of a keyvalue store"));
        if let Some(span) = &mut span {
            span.fail("failed");
        }
    }
}
