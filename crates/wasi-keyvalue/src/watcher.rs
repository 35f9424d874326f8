//! The keyvalue watcher: the trigger that calls the exported `watcher` for every change.

mod component;
mod guest;
mod lanes;
mod running;

use async_trait::async_trait;
use futures::future::try_join_all;
use tempo_core::{AppComponent, Running, Trigger, Workload};
use tempo_settings::{Flag, Settings};

use self::component::OpenedComponent;
use self::running::RunningWatcher;
use crate::{KeyValueCtx, WasiKeyValue};

/// The trigger that calls components which export `wasi:keyvalue/watcher` or `wasmcloud:keyvalue/watcher` for every
/// change of their stores, by any writer.
///
/// Changes of one key are delivered in order, those of different keys concurrently. An instance handles one change at a
/// time. A failed call is logged and not retried. Changes are not stored: a component receives those made after its start.
#[derive(Clone, Copy, Debug)]
pub struct KeyValueWatcher;

#[async_trait]
impl Trigger for KeyValueWatcher {
    type Service = WasiKeyValue;

    const EXPORTS: &'static [&'static str] = &["wasi:keyvalue/watcher", "wasmcloud:keyvalue/watcher"];

    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    async fn start(workload: Workload, _: &Settings, state: KeyValueCtx) -> tempo_settings::Result<Box<dyn Running>> {
        let opened = OpenedComponent::open(workload, &state).await?;
        Ok(Box::new(RunningWatcher::start(vec![opened])))
    }

    async fn start_app(components: Vec<AppComponent<WasiKeyValue>>) -> tempo_settings::Result<Vec<Box<dyn Running>>> {
        let exporting = components.into_iter().filter(|component| component.exports);
        let opening = exporting
            .map(|AppComponent { workload, state, .. }| async move { OpenedComponent::open(workload, &state).await });
        Ok(vec![Box::new(RunningWatcher::start(try_join_all(opening).await?))])
    }
}

#[cfg(test)]
mod tests;
