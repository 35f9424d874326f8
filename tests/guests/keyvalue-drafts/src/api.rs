//! What the two drafts have in common, so that each check is written once.

/// Why an operation failed; the text of `other` is for people and is not compared.
#[derive(Clone, Debug)]
pub(crate) enum Error {
    NoSuchStore,
    AccessDenied,
    Other(String),
}

/// What an operation ends with.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A page of keys; a cursor that is a number comes as text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) keys: Vec<String>,
    pub(crate) cursor: Option<String>,
}

/// What was asked for in a batch.
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
    /// The first draft counts upwards only, the second takes what is below 0 as well.
    fn increment(&self, key: &str, delta: i64) -> Result<i128>;
    fn get_many(&self, keys: &[String]) -> Result<Pairs>;
    fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<()>;
    fn delete_many(&self, keys: &[String]) -> Result<()>;
    /// Begins a compare-and-swap; `None` from the draft that has none.
    fn cas(&self, key: &str) -> Option<Result<Box<dyn Cas>>>;
}

/// A compare-and-swap that was begun.
pub(crate) trait Cas {
    fn current(&self) -> Result<Option<Vec<u8>>>;
    fn swap(self: Box<Self>, value: &[u8]) -> Result<Swap>;
}

/// What became of it.
pub(crate) enum Swap {
    Done,
    /// The entry has changed: this begins again with what it is now.
    Failed(Box<dyn Cas>),
}
