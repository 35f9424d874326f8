//! `SharedBackends`: the backends in memory that the components of one process share by naming the same URL.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempo_settings::BackendUrl;

type Key = (TypeId, BackendUrl);

/// The backends of one process that exist only in it, by service and URL.
#[derive(Default)]
pub struct SharedBackends {
    /// Each is an `Arc` of the service's trait.
    backends: Mutex<BTreeMap<Key, Box<dyn Any + Send + Sync>>>,
}

impl SharedBackends {
    /// Returns the backend of `url`, which `open` opens for the first component that names it.
    ///
    /// # Errors
    ///
    /// That of `open`.
    pub(crate) async fn open<B: ?Sized + Send + Sync + 'static, E>(
        &self,
        url: &BackendUrl,
        open: impl Future<Output = Result<Arc<B>, E>>,
    ) -> Result<Arc<B>, E> {
        let key = (TypeId::of::<B>(), url.clone());
        if let Some(known) = find(&self.lock(), &key) {
            return Ok(known);
        }
        let opened = open.await?;
        let mut backends = self.lock();
        // Another component may have opened it meanwhile.
        Ok(find(&backends, &key).unwrap_or_else(|| {
            backends.insert(key, Box::new(opened.clone()));
            opened
        }))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Box<dyn Any + Send + Sync>>> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<B: ?Sized + Send + Sync + 'static>(
    backends: &BTreeMap<Key, Box<dyn Any + Send + Sync>>,
    key: &Key,
) -> Option<Arc<B>> {
    backends.get(key)?.downcast_ref::<Arc<B>>().cloned()
}

impl fmt::Debug for SharedBackends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBackends").field("backends", &self.lock().len()).finish()
    }
}
