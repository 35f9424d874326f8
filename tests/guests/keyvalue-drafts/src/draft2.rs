//! `wasi:keyvalue@0.2.0-draft2`: cursors are text, counters are signed, and there is compare-and-swap.

use bindings::wasi::keyvalue::{atomics, batch, store};

use crate::api::{self, Api, Cas, Page, Pairs, Result, Swap};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit/keyvalue-draft2", world: "imports" });
}

pub(crate) struct Draft2;

impl From<store::Error> for api::Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSuchStore => Self::NoSuchStore,
            store::Error::AccessDenied => Self::AccessDenied,
            store::Error::Other(text) => Self::Other(text),
        }
    }
}

impl Api for Draft2 {
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
        let page = self.list_keys(cursor)?;
        Ok(Page { keys: page.keys, cursor: page.cursor })
    }

    fn increment(&self, key: &str, delta: i64) -> Result<i128> {
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

    fn cas(&self, key: &str) -> Option<Result<Box<dyn Cas>>> {
        Some(match atomics::Cas::new(self, key) {
            Ok(cas) => Ok(Box::new(cas)),
            Err(error) => Err(error.into()),
        })
    }
}

impl Cas for atomics::Cas {
    fn current(&self) -> Result<Option<Vec<u8>>> {
        Ok(Self::current(self)?)
    }

    fn swap(self: Box<Self>, value: &[u8]) -> Result<Swap> {
        match atomics::swap(*self, value) {
            Ok(()) => Ok(Swap::Done),
            Err(atomics::CasError::CasFailed(now)) => Ok(Swap::Failed(Box::new(now))),
            Err(atomics::CasError::StoreError(error)) => Err(error.into()),
        }
    }
}
