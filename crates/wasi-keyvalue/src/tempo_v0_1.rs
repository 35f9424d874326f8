//! The functions of `tempo:keyvalue@0.1.0`, on the buckets of `wasmcloud:keyvalue`.

use wasmtime::component::{Accessor, Resource};

use crate::atomics::{Lifetime, Required};
use crate::bindings::tempo_v0_1::tempo::keyvalue::lifetimes;
use crate::bindings::wasmcloud_v0_2::wasmcloud::keyvalue::{cas, types};
use crate::wasmcloud_v0_2::bucket;
use crate::{Bucket, KeyValueView, WasiKeyValue};

impl From<lifetimes::Lifetime> for Lifetime {
    fn from(lifetime: lifetimes::Lifetime) -> Self {
        match lifetime {
            lifetimes::Lifetime::Endless => Self::Endless,
            lifetimes::Lifetime::Kept => Self::Kept,
            lifetimes::Lifetime::TtlMs(millis) => Self::Millis(millis),
        }
    }
}

impl lifetimes::Host for KeyValueView<'_> {}

impl<T: Send> lifetimes::HostWithStore<T> for WasiKeyValue {
    async fn swap(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
        options: cas::CasOptions,
        lifetime: lifetimes::Lifetime,
    ) -> wasmtime::Result<Result<cas::CasResult, types::Error>> {
        let required = Required { version: options.require_version, value: options.require_value };
        let swap = bucket(accessor, &handle)?.swap_with(&key, value, &required, lifetime.into()).await;
        Ok(swap.map(Into::into).map_err(Into::into))
    }
}
