//! `wasi:keyvalue@0.2.0-draft`: cursors and counters are unsigned numbers, and there is no compare-and-swap.

use bindings::wasi::keyvalue::{atomics, batch, store};

use crate::api::{self, Api, Cas, Page, Pairs, Result};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit/keyvalue-draft", world: "imports" });
}

pub(crate) struct Draft;

impl From<store::Error> for api::Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSuchStore => Self::NoSuchStore,
            store::Error::AccessDenied => Self::AccessDenied,
            store::Error::Other(text) => Self::Other(text),
        }
    }
}

impl Api for Draft {
    fn open(&self, name: &str) -> Result<Box<dyn api::Bucket>> {
        Ok(Box::new(store::open(name)?))
    }
}

impl api::Bucket for store::Bucket {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(Self::get(self, key)?)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(Self::set(self, key, value)?)
    }

    fn delete(&self, key: &str) -> Result<()> {
        Ok(Self::delete(self, key)?)
    }

    fn exists(&self, key: &str) -> Result<bool> {
        Ok(Self::exists(self, key)?)
    }

    fn page(&self, cursor: Option<&str>) -> Result<Page> {
        let cursor = cursor.and_then(|cursor| cursor.parse().ok());
        let page = self.list_keys(cursor)?;
        Ok(Page { keys: page.keys, cursor: page.cursor.map(|cursor| cursor.to_string()) })
    }

    fn increment(&self, key: &str, delta: i64) -> Result<i128> {
        let delta = u64::try_from(delta).map_err(|_| api::Error::Other("this draft cannot count down".to_owned()))?;
        Ok(atomics::increment(self, key, delta)?.into())
    }

    fn get_many(&self, keys: &[String]) -> Result<Pairs> {
        Ok(batch::get_many(self, keys)?)
    }

    fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<()> {
        Ok(batch::set_many(self, pairs)?)
    }

    fn delete_many(&self, keys: &[String]) -> Result<()> {
        Ok(batch::delete_many(self, keys)?)
    }

    fn cas(&self, _: &str) -> Option<Result<Box<dyn Cas>>> {
        None
    }
}
