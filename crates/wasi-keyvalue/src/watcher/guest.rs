//! Calls a component's watcher, through any version of the interface.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::trace::SpanKind;
use tempo_core::{Instance, Interrupted, Permit, StoreData, Workload, limit_of};
use tokio::time::{sleep, timeout};
use wasmtime::Store;
use wasmtime::component::{InstancePre, Resource};

use crate::bindings::{draft, draft2, wasmcloud};
use crate::{Bucket, Change, KeyValueLimits, WasiKeyValue};

/// Pause before another request for a permit, if the queue was full.
const ADMISSION_RETRY_PAUSE: Duration = Duration::from_millis(50);

/// The watching component.
pub(super) struct Guest {
    workload: Workload,
    watcher: Watcher,
}

/// The exported watcher, ready for instantiation.
enum Watcher {
    Draft(draft::WatchServicePre<StoreData>),
    Draft2(draft2::WatchServicePre<StoreData>),
    WasmCloud(wasmcloud::WatchServicePre<StoreData>),
}

impl Watcher {
    /// Finds the newest exported watcher.
    fn find(component: &InstancePre<StoreData>) -> wasmtime::Result<Self> {
        if let Ok(watcher) = wasmcloud::WatchServicePre::new(component.clone()) {
            return Ok(Self::WasmCloud(watcher));
        }
        if let Ok(watcher) = draft2::WatchServicePre::new(component.clone()) {
            return Ok(Self::Draft2(watcher));
        }
        draft::WatchServicePre::new(component.clone()).map(Self::Draft)
    }

    async fn call(&self, instance: &mut Instance, limit: Duration, change: StoreChange) -> wasmtime::Result<()> {
        let store = &mut instance.store;
        let late = |_| wasmtime::Error::new(Interrupted::Deadline);
        match self {
            Self::Draft(watcher) => {
                let guest = timeout(limit, watcher.instantiate_async(&mut *store)).await.map_err(late)??;
                let (bucket, watcher) = (change.push(store)?, guest.wasi_keyvalue_watcher());
                match &change.change {
                    Change::Set { key, value } => watcher.call_on_set(store, bucket, key, value).await,
                    Change::Delete { key } => watcher.call_on_delete(store, bucket, key).await,
                }
            }
            Self::Draft2(watcher) => {
                let guest = timeout(limit, watcher.instantiate_async(&mut *store)).await.map_err(late)??;
                let (bucket, watcher) = (change.push(store)?, guest.wasi_keyvalue_watcher());
                match &change.change {
                    Change::Set { key, value } => watcher.call_on_set(store, bucket, key, value).await,
                    Change::Delete { key } => watcher.call_on_delete(store, bucket, key).await,
                }
            }
            Self::WasmCloud(watcher) => {
                let guest = timeout(limit, watcher.instantiate_async(&mut *store)).await.map_err(late)??;
                call_async(store, &guest, change).await
            }
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

impl Guest {
    pub(super) fn new(workload: Workload) -> wasmtime::Result<Self> {
        Ok(Self { watcher: Watcher::find(workload.component())?, workload })
    }

    pub(super) fn name(&self) -> &str {
        self.workload.name()
    }

    /// Delivers a change to the component, and returns when the call has ended.
    pub(super) async fn deliver(self: &Arc<Self>, change: StoreChange) {
        let permit = self.place().await;
        let result = self.run(permit, change).await;
        if let Err(error) = result {
            let limit = limit_of(&error).map_or_else(String::new, |flag| format!(" (limit: --{flag})"));
            let error = format!("{error:#}{limit}");
            tracing::error!(component = self.name(), error, "the component failed on a change of a keyvalue store");
        }
    }

    async fn run(self: &Arc<Self>, permit: Permit, change: StoreChange) -> wasmtime::Result<()> {
        let limits = self.workload.limits();
        let mut instance = self.workload.store()?;
        let meter = instance.meter.clone();
        let deadline = Instant::now().checked_add(limits.request).unwrap_or_else(Instant::now);
        let (guest, limit) = (self.clone(), limits.instantiate);
        let work = async move {
            let result = guest.watcher.call(&mut instance, limit, change).await;
            drop(instance);
            drop(permit);
            result
        };
        let (context, mut span) = self.workload.telemetry().root(SpanKind::Consumer, || "watch".into());
        let result = self.workload.call(meter, deadline, context, work).await.map_err(wasmtime::Error::new).flatten();
        if let (Some(span), Err(_)) = (&mut span, &result) {
            self.workload.telemetry().count_trap();
            span.fail("failed");
        }
        result
    }

    /// Waits for a permit, without a timeout: changes are not sent again.
    async fn place(&self) -> Permit {
        loop {
            if let Ok(permit) = self.workload.admission().enter().await {
                return permit;
            }
            sleep(ADMISSION_RETRY_PAUSE).await;
        }
    }
}
