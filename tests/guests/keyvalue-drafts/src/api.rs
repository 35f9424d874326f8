//! The common interface of both drafts, so that each check is written once.

/// The error of an operation; the text of `other` is for people and is not compared.
#[derive(Clone, Debug)]
pub(crate) enum Error {
    NoSuchStore,
    AccessDenied,
    Other(String),
}

/// The result of an operation.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A page of keys; a numeric cursor is converted to text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) keys: Vec<String>,
    pub(crate) cursor: Option<String>,
}

/// The entries of a batch read.
pub(crate) type Pairs = Vec<Option<(String, Vec<u8>)>>;

/// One of the drafts.
pub(crate) trait Api {
    fn open(&self, name: &str) -> Result<Box<dyn Bucket>>;
}

/// A bucket of one of the drafts.
pub(crate) trait Bucket {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>>;
    fn set(&self, key: &str, value: &[u8]) -> Result<()>;
    fn delete(&self, key: &str) -> Result<()>;
    fn exists(&self, key: &str) -> Result<bool>;
    fn page(&self, cursor: Option<&str>) -> Result<Page>;
    /// The first draft has unsigned deltas, the second signed ones.
    fn increment(&self, key: &str, delta: i64) -> Result<i128>;
    fn get_many(&self, keys: &[String]) -> Result<Pairs>;
    fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<()>;
    fn delete_many(&self, keys: &[String]) -> Result<()>;
    /// Begins a compare-and-swap; `None` for the draft without one.
    fn cas(&self, key: &str) -> Option<Result<Box<dyn Cas>>>;
}

/// A compare-and-swap in progress.
pub(crate) trait Cas {
    fn current(&self) -> Result<Option<Vec<u8>>>;
    fn swap(self: Box<Self>, value: &[u8]) -> Result<Swap>;
}

/// The result of a swap.
pub(crate) enum Swap {
    Done,
    /// The entry has changed: holds a new handle with its current state.
    Failed(Box<dyn Cas>),
}
