//! Embeds the service in a program of one's own: `counter [FILE]` calls a component that counts in a database file.

use std::path::Path;

use tempo_wasi_keyvalue::{KeyValueCtx, KeyValueView, Provide, Service as _, WasiKeyValue};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Result, Store};

/// The data of a store: the context of the service, and the table of the component's resources.
struct Data {
    keyvalue: KeyValueCtx,
    table: ResourceTable,
}

impl Provide<WasiKeyValue> for Data {
    fn provide(&mut self) -> KeyValueView<'_> {
        self.keyvalue.view(&mut self.table)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let file = std::env::args_os().nth(1).unwrap_or_else(|| "counter.redb".into());
    println!("{}", count(file.as_ref()).await?);
    Ok(())
}

/// Calls the component once, and returns its answer.
async fn count(file: &Path) -> Result<u64> {
    let engine = Engine::default();
    let component = Component::new(&engine, include_str!("counter.wat"))?;
    let mut linker = Linker::new(&engine);
    WasiKeyValue::add_to_linker(&mut linker)?;
    let keyvalue = KeyValueCtx::builder().file("default", file).max_value_bytes(64).build().await?;
    let mut store = Store::new(&engine, Data { keyvalue, table: ResourceTable::new() });
    let instance = linker.instantiate_async(&mut store, &component).await?;
    let count = instance.get_typed_func::<(), (u64,)>(&mut store, "count")?;
    Ok(count.call_async(&mut store, ()).await?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_count_survives_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("counter.redb");
        for expected in 1..=3 {
            assert_eq!(count(&file).await.unwrap(), expected);
        }
    }
}
