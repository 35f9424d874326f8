//! [`KeyValueBackends`]: opens the stores named by `--keyvalue`, with the URL schemes compiled in.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use tempo_backend::{BackendSchemes, Backends, DATA};
use tempo_core::{Backend, BootContext, StoreContext};
use tempo_keyvalue::KEYVALUE;
use tempo_settings::{BackendUrl, Error, Flag};

use crate::limits::{MAX_KEY, MAX_VALUE};
use crate::{KeyValueCtx, KeyValueLimits, KeyValueStore, WasiKeyValue};

/// Default database file, below `--data`.
const DEFAULT_FILE: &str = "keyvalue.redb";

/// The backend of [`WasiKeyValue`]: opens every store that `--keyvalue` names, with the schemes `S`. Without the flag,
/// `default` is a file below `--data`.
pub struct KeyValueBackends<S> {
    state: KeyValueCtx,
    schemes: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for KeyValueBackends<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValueBackends").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<S: BackendSchemes<dyn KeyValueStore>> Backend<WasiKeyValue> for KeyValueBackends<S> {
    fn flags() -> Vec<Flag> {
        [vec![KEYVALUE, DATA, MAX_KEY, MAX_VALUE], S::flags()].concat()
    }

    fn check(boot: BootContext<'_>) -> Vec<Error> {
        let limits = KeyValueLimits::from_settings(boot.settings, boot.limits).err();
        let fallback = (boot.is_used && !boot.settings.is_set(&KEYVALUE)).then(|| fallback(boot).err());
        let mistakes = limits.into_iter().chain(fallback.flatten());
        mistakes.chain(Backends::check::<S>(&KEYVALUE, boot.backend(), boot.is_used)).collect()
    }

    async fn connect(boot: BootContext<'_>) -> tempo_settings::Result<Self> {
        let limits = KeyValueLimits::from_settings(boot.settings, boot.limits)?;
        let stores = Backends::open::<S>(&KEYVALUE, fallback(boot)?, boot.backend()).await?;
        let state = KeyValueCtx::new(stores, boot.limits).with_limits(limits).with_telemetry(boot.telemetry);
        Ok(Self { state, schemes: PhantomData })
    }

    fn announcement(&self) -> Option<String> {
        let path = self.state.stores().fallback()?.path()?;
        Some(format!("keyvalue: default is stored in {}", path.display()))
    }

    fn state(&self, store: &StoreContext) -> KeyValueCtx {
        self.state.for_another_store(&store.bytes)
    }
}

fn fallback(boot: BootContext<'_>) -> Result<BackendUrl, Error> {
    let path = boot.settings.require::<PathBuf>(&DATA)?.join(DEFAULT_FILE);
    BackendUrl::of_file(&path)
}

#[cfg(test)]
mod tests {
    use tempo_backend::ByteBudget;
    use tempo_core::Limits;
    use tempo_settings::{Settings, Value, ValueSource};

    use super::*;
    use crate::{File, Memory};

    type Embedded = KeyValueBackends<(Memory, File)>;

    fn settings(pairs: &[(&Flag, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (flag, text) in pairs {
            settings.set(flag, vec![Value { text: (*text).to_owned(), source: ValueSource::CommandLine }]);
        }
        settings
    }

    async fn connect(settings: &Settings) -> tempo_settings::Result<Embedded> {
        Embedded::connect(BootContext::new("test", &Limits::default(), settings)).await
    }

    #[tokio::test]
    async fn without_configuration_data_is_kept_below_the_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new/data");
        let settings = settings(&[(&DATA, data.to_str().unwrap())]);
        let stores = connect(&settings).await.unwrap();
        let announced = format!("keyvalue: default is stored in {}", data.join("keyvalue.redb").display());
        assert_eq!(stores.announcement(), Some(announced));
        assert!(data.join("keyvalue.redb").is_file());
        let mut table = wasmtime::component::ResourceTable::new();
        let state = stores.state(&StoreContext::new(ByteBudget::new(1000)));
        let mut view = state.view(&mut table);
        assert!(view.open("default").unwrap().is_ok());
        assert!(view.open("other").unwrap().is_err());
        assert!(view.open("").unwrap().is_ok(), "no name is the default");
    }

    #[tokio::test]
    async fn with_configuration_nothing_else_is_opened() {
        let stores = connect(&settings(&[(&KEYVALUE, "cache=memory:")])).await.unwrap();
        assert_eq!(stores.announcement(), None);
        assert!(stores.state.stores().get("cache").is_some());
        assert!(stores.state.stores().get("default").is_none());
    }

    #[tokio::test]
    async fn a_limit_that_no_backend_can_keep_is_refused() {
        let error = connect(&settings(&[(&KEYVALUE, "memory:"), (&MAX_KEY, "1KiB")])).await.err().unwrap();
        assert_eq!(error.to_string(), "--max-key-size: a key has at most 512 bytes on any backend");
    }
}
