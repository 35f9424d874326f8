//! The backends that every storage test runs on. `on_each_backend!` makes one test per backend of a function.

use tempfile::TempDir;

use super::nats::Nats;
use super::s3::S3;
use super::{Run, Server};

/// A backend, which outlives the runtimes of a test.
pub(crate) struct Backend {
    pub(crate) url: String,
    _directory: Option<TempDir>,
    pub(crate) nats: Option<Nats>,
    _s3: Option<S3>,
    /// True if encoded names are limited to 1,024 bytes, so that a name of unusual characters may be too long, as on
    /// S3.
    pub(crate) keys_end: bool,
}

impl Backend {
    pub(crate) fn memory() -> Self {
        Self { url: "memory:".to_owned(), _directory: None, nats: None, _s3: None, keys_end: false }
    }

    /// A file that does not exist yet.
    pub(crate) fn file(name: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let url = format!("file:{}", directory.path().join(name).display());
        Self { url, _directory: Some(directory), nats: None, _s3: None, keys_end: false }
    }

    pub(crate) fn nats() -> Self {
        let nats = Nats::start();
        Self { url: nats.url("bucket"), _directory: None, nats: Some(nats), _s3: None, keys_end: false }
    }

    /// For objects only.
    pub(crate) fn s3() -> Self {
        let s3 = S3::start();
        Self { url: s3.url(), _directory: None, nats: None, _s3: Some(s3), keys_end: true }
    }

    /// `tempo run` of a guest with this backend as the store `default`.
    pub(crate) fn run(&self, guest: &str) -> Run {
        Run::guest(guest).args(["--keyvalue", &self.url])
    }

    pub(crate) fn serve(&self, guest: &str) -> Server {
        self.run(guest).serve()
    }
}

macro_rules! on_each_backend {
    ($($test:ident),+ $(,)?) => {
        mod memory {
            use crate::support::storage::Backend;
            $(#[test] fn $test() { super::$test(&Backend::memory()); })+
        }

        mod file {
            use crate::support::storage::Backend;
            $(#[test] fn $test() { super::$test(&Backend::file("store.redb")); })+
        }

        mod nats {
            use crate::support::storage::Backend;
            $(#[test] fn $test() { super::$test(&Backend::nats()); })+
        }
    };
}

pub(crate) use on_each_backend;
