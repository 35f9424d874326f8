//! Containers that a component creates itself, as parts of one container of the host: that of `--blobstore '*=URL'`.
//!
//! | object of the host's container | |
//! |---|---|
//! | `OWNER/containers/NAME` | marks that the container exists |
//! | `OWNER/objects/NAME/OBJECT` | an object in it |
//!
//! `OWNER` is the component, after its app if it has one. Owners and names are encoded without slashes, so that no name reaches
//! another container or component, on any backend.

mod part;

use std::fmt::Write as _;
use std::sync::Arc;

use tempo_blobstore::MAX_NAME;
use tokio::sync::Semaphore;

use self::part::Part;
use crate::{Container, Error, ErrorKind, PutOptions, Result};

/// Maximum bytes of an encoded owner or container name: a third of an object's name in all, so that most is left for the
/// object.
const MAX_ENCODED_BYTES: usize = MAX_NAME / 6;

/// The containers of one component. Clones share them.
#[derive(Clone)]
pub(crate) struct OwnContainers {
    base: Arc<dyn Container>,
    owner: Arc<str>,
    max: usize,
    /// One creation at a time, so that concurrent ones do not exceed the maximum.
    creating: Arc<Semaphore>,
}

impl OwnContainers {
    /// Creates the containers of `owner` in `base`, at most `max`.
    ///
    /// # Errors
    ///
    /// The name of the owner is too long.
    pub(crate) fn new(base: Arc<dyn Container>, app: Option<&str>, component: &str, max: usize) -> Result<Self> {
        // The dot is no part of an encoded name, so the owner of an app's component is that of no other component.
        let owner = match app {
            Some(app) => format!("{}.{}", encode(app)?, encode(component)?),
            None => encode(component)?,
        };
        if owner.len() > MAX_ENCODED_BYTES {
            return Err(Error::invalid(format!(
                "the name `{owner}` of the component is too long for containers of its own"
            )));
        }
        Ok(Self { base, owner: owner.into(), max, creating: Arc::new(Semaphore::new(1)) })
    }

    /// Opens the container `name`. `None` if it does not exist.
    pub(crate) async fn open(&self, name: &str) -> Result<Option<Arc<dyn Container>>> {
        // A name that cannot be created does not exist.
        let Ok(name) = encode(name) else { return Ok(None) };
        let marker = self.base.stat(&self.marker(&name)).await?;
        Ok(marker.map(|_| self.part(&name)))
    }

    /// Opens the container `name`, or creates it.
    ///
    /// # Errors
    ///
    /// `QuotaExceeded` if the component has as many as it may have, `InvalidArgument` if the name is empty or too long.
    pub(crate) async fn create(&self, name: &str) -> Result<Arc<dyn Container>> {
        let name = encode(name)?;
        let _permit = self.creating.acquire().await.map_err(|_| Error::new(ErrorKind::Other, "the host stops"))?;
        let marker = self.marker(&name);
        if self.base.stat(&marker).await?.is_none() {
            if self.count().await? >= self.max {
                return Err(self.too_many());
            }
            match self.base.put(&marker, PutOptions::default().with_if_absent(true)).await {
                Ok(upload) => upload.complete().await.map(drop).or_else(exists)?,
                Err(error) => exists(error)?,
            }
            // Another process may have created one meanwhile.
            if self.count().await? > self.max {
                self.base.delete(&marker).await?;
                return Err(self.too_many());
            }
        }
        Ok(self.part(&name))
    }

    /// Deletes the container `name` with its objects. Returns false if it does not exist.
    pub(crate) async fn delete(&self, name: &str) -> Result<bool> {
        let Some(container) = self.open(name).await? else { return Ok(false) };
        crate::draft::clear(&*container).await?;
        self.base.delete(&self.marker(&encode(name)?)).await?;
        Ok(true)
    }

    async fn count(&self) -> Result<usize> {
        let prefix = format!("{}/containers/", self.owner);
        Ok(self.base.list(&prefix, None, self.max.saturating_add(1)).await?.len())
    }

    fn too_many(&self) -> Error {
        let problem = format!("the component has {} containers, the maximum of --max-containers", self.max);
        Error::new(ErrorKind::QuotaExceeded, problem)
    }

    fn marker(&self, name: &str) -> String {
        format!("{}/containers/{name}", self.owner)
    }

    fn part(&self, name: &str) -> Arc<dyn Container> {
        let prefix = format!("{}/objects/{name}/", self.owner);
        Arc::new(Part::new(self.base.clone(), prefix, self.marker(name)))
    }
}

/// Accepts that another call has created the marker.
fn exists(error: Error) -> Result<()> {
    if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
}

/// Encodes a name as one segment: letters, digits, `-` and `_` are kept, other bytes become `%XX`.
fn encode(name: &str) -> Result<String> {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes().take(MAX_ENCODED_BYTES.saturating_add(1)) {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    if encoded.is_empty() || encoded.len() > MAX_ENCODED_BYTES {
        let problem = format!(
            "the name of a container has 1 to {MAX_ENCODED_BYTES} letters, digits, - and _; others count thrice"
        );
        return Err(Error::invalid(problem));
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests;
