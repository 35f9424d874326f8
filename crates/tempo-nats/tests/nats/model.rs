//! Random operations on buckets of a real server, against the model that every backend is driven by: on one bucket, and on
//! several with names of all kinds, of which none has what was written to another.

use std::sync::Arc;

use anyhow::Result;
use async_nats::jetstream;
use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::select;
use tempo_nats::{NatsBlobstore, NatsKeyValue};
use tempo_wasi_blobstore::Container;
use tempo_wasi_blobstore::conformance::model as blobs;
use tempo_wasi_keyvalue::Store;
use tempo_wasi_keyvalue::conformance::model as keys;
use tokio::runtime::{Builder, Runtime};

use crate::support::Server;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// How many cases: `cargo xtask test --slow` asks for more of them.
fn cases(cases: u32) -> u32 {
    if std::env::var_os("TEMPO_TEST_SLOW").is_some() { cases * 10 } else { cases }
}

/// One name, or names that a server might take for each other: all that a URL allows.
fn bucket(one: bool) -> impl Strategy<Value = String> {
    let hard = ["a", "A", "ab", "a_", "a-b", "_", "-", "KV_a", "OBJ_a", "kv_a", "0", "M", "C"];
    let hard = if one { &hard[..1] } else { &hard[..] };
    let hard = select(hard.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let any = "[a-zA-Z0-9_-]{1,40}".prop_map(|name| name);
    if one { hard.boxed() } else { prop_oneof![3 => hard, 1 => any].boxed() }
}

/// Buckets, and the client that deletes those of the case before. They begin empty, whatever they are called.
struct Buckets<C> {
    components: C,
    streams: Vec<String>,
    jetstream: jetstream::Context,
}

impl<C> Buckets<C> {
    /// What was there before is deleted once, by another client.
    async fn clear(&mut self) -> Result<()> {
        for stream in self.streams.drain(..) {
            // Most are not there.
            self.jetstream.delete_stream(stream).await.ok();
        }
        Ok(())
    }
}
