//! Calls a component's watcher, through any version of the interface.

use std::future::poll_fn;
use std::sync::Arc;

use opentelemetry::trace::SpanKind;
use tempo_core::{Export, Instance, Instances, StoreData};
use tempo_telemetry::within;
use wasmtime::Store;
use wasmtime::component::{InstancePre, Resource};

use crate::bindings::{draft, draft2, wasmcloud};
use crate::{Bucket, Change, KeyValueLimits, WasiKeyValue};

/// The exported watcher, ready for instantiation.
pub(super) enum Watcher {
    Draft(draft::WatchServicePre<StoreData>),
    Draft2(draft2::WatchServicePre<StoreData>),
    WasmCloud(wasmcloud::WatchServicePre<StoreData>),
}

/// The watcher of one instance.
pub(super) enum Guest {
    Draft(draft::WatchService),
    Draft2(draft2::WatchService),
    WasmCloud(wasmcloud::WatchService),
}

impl Watcher {
    /// Finds the newest exported watcher.
    ///
    /// # Errors
    ///
    /// The watcher has an unknown version or type.
    pub(super) fn find(component: &InstancePre<StoreData>) -> wasmtime::Result<Self> {
        if let Ok(watcher) = wasmcloud::WatchServicePre::new(component.clone()) {
            return Ok(Self::WasmCloud(watcher));
        }
        if let Ok(watcher) = draft2::WatchServicePre::new(component.clone()) {
            return Ok(Self::Draft2(watcher));
        }
        draft::WatchServicePre::new(component.clone()).map(Self::Draft)
    }
}

impl Export for Watcher {
    type Guest = Guest;
    type Request = StoreChange;
    type Response = ();

    async fn instantiate(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Guest> {
        match self {
            Self::Draft(watcher) => watcher.instantiate_async(store).await.map(Guest::Draft),
            Self::Draft2(watcher) => watcher.instantiate_async(store).await.map(Guest::Draft2),
            Self::WasmCloud(watcher) => watcher.instantiate_async(store).await.map(Guest::WasmCloud),
        }
    }

    async fn call(&self, instance: Instance<'_, Guest>, change: StoreChange) -> wasmtime::Result<()> {
        let store = instance.store;
        match instance.guest {
            Guest::Draft(guest) => {
                let (bucket, watcher) = (change.push(store)?, guest.wasi_keyvalue_watcher());
                match &change.change {
                    Change::Set { key, value } => watcher.call_on_set(store, bucket, key, value).await,
                    Change::Delete { key } => watcher.call_on_delete(store, bucket, key).await,
                }
            }
            Guest::Draft2(guest) => {
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
    guest: &wasmcloud::WatchService,
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

/// A change, and its store with the limits of its bucket.
pub(super) struct StoreChange {
    pub(super) store: Arc<dyn crate::KeyValueStore>,
    pub(super) limits: KeyValueLimits,
    pub(super) change: Change,
}

impl StoreChange {
    fn push(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Resource<Bucket>> {
        let view = store.data_mut().service::<WasiKeyValue>();
        let bucket = Bucket::new(self.store.clone(), self.limits, view.state.bytes().clone());
        Ok(view.table.push(bucket)?)
    }
}

/// Delivers `change` to the component on one of `instances`, and returns when the call has ended.
pub(super) async fn deliver(instances: &Arc<Instances<Watcher>>, change: StoreChange) {
    let workload = instances.workload();
    // Without a timeout: a change is not sent again.
    let permit = workload.admission().wait().await;
    let (context, mut span) = workload.telemetry().root(SpanKind::Consumer, || "watch".into());
    if let Err(error) = instances.run(permit, context.clone(), change).await {
        within(context.as_ref(), || error.log(workload.name(), "a change of a keyvalue store"));
        if let Some(span) = &mut span {
            span.fail("failed");
        }
    }
}
