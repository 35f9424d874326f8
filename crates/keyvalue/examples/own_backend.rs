//! A backend of one's own: a store in a map, checked with the testkit. It lists and watches nothing, and its entries do not
//! expire, so the checks of those capabilities are left out.
//!
//! `cargo run -p tempo-keyvalue --example own_backend --features testkit` runs the checks; in a project of its own this is the
//! `main` of a test target with `harness = false`.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use libtest_mimic::Arguments;
use tempo_keyvalue::testkit::{Capabilities, trials};
use tempo_keyvalue::{Change, Condition, Entry, Error, ErrorKind, KeyValueStore, Result, Version};

#[derive(Default)]
struct Map {
    entries: Mutex<HashMap<String, Entry>>,
}

#[async_trait]
impl KeyValueStore for Map {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.entries.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>, condition: Condition) -> Result<Version> {
        if ttl.is_some() || condition != Condition::Always {
            return Err(Error::new(ErrorKind::InvalidArgument, "a map has neither lifetimes nor conditions"));
        }
        let entry = Entry::new(value, 0);
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), entry);
        Ok(0)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        Ok(())
    }

    async fn keys(&self, _prefix: &str, _after: Option<&str>, _limit: usize) -> Result<Vec<String>> {
        Err(Error::new(ErrorKind::Other, "a map has no order"))
    }

    async fn watch(&self) -> Result<BoxStream<'static, Result<Change>>> {
        Err(Error::new(ErrorKind::Other, "a map has no watchers"))
    }
}

fn main() -> ExitCode {
    let open = || async { Ok(Arc::new(Map::default()) as Arc<dyn KeyValueStore>) };
    let trials = trials("map", open, &Capabilities::NONE);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
