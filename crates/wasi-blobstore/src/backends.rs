//! [`BlobstoreBackends`]: opens the containers named by `--blobstore`.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use tempo_backend::{APP, BackendSchemes, Backends, DATA};
use tempo_blobstore::BLOBSTORE;
use tempo_core::{Backend, BootContext, StoreContext};
use tempo_settings::{BackendUrl, Error, ErrorKind, Flag, FlagValue as _, NamedUrl, Settings, Size};

use crate::own::OwnContainers;
use crate::telemetry::instrument;
use crate::{BlobstoreCtx, Container, WasiBlobstore};

const MAX_OBJECT_SIZE: Flag =
    Flag::new("max-object-size", "SIZE", "Largest object that a component may write").default("1GiB").of::<Size>();

const MAX_CONTAINERS: Flag =
    Flag::new("max-containers", "N", "Containers that a component may create, with --blobstore '*=URL'")
        .default("64")
        .of::<usize>();

/// The name of the URL in which a component creates containers of its own.
const ANY: &str = "*";

/// The backend of [`WasiBlobstore`](crate::WasiBlobstore) with the schemes `S`: `BlobstoreBackends<(Memory, File)>`.
/// Without `--blobstore`, `default` is a directory below `--data`.
pub struct BlobstoreBackends<S> {
    state: BlobstoreCtx,
    schemes: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for BlobstoreBackends<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobstoreBackends").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<S: BackendSchemes<dyn Container>> Backend<WasiBlobstore> for BlobstoreBackends<S> {
    fn flags() -> Vec<Flag> {
        [vec![BLOBSTORE, MAX_CONTAINERS, MAX_OBJECT_SIZE, DATA, APP], S::flags()].concat()
    }

    fn check(boot: BootContext<'_>) -> Vec<Error> {
        let fallback = (boot.is_used && !boot.settings.is_set(&BLOBSTORE)).then(|| fallback(boot.settings).err());
        let mistakes =
            fallback.flatten().into_iter().chain(Backends::check::<S>(&BLOBSTORE, boot.backend(), boot.is_used));
        mistakes.chain(shared_base(boot.settings).filter(|_| boot.is_used)).collect()
    }

    async fn connect(boot: BootContext<'_>) -> tempo_settings::Result<Self> {
        let max_object: Size = boot.settings.require(&MAX_OBJECT_SIZE)?;
        let fallback = fallback(boot.settings)?;
        let containers = Backends::open_as::<S>(&BLOBSTORE, fallback, boot.backend(), |system, name, container| {
            instrument(boot.telemetry, system, name, container)
        })
        .await?;
        let (containers, base) = containers.without(ANY);
        let own = base.map(|base| own_containers(boot, &containers, base)).transpose()?;
        let state = BlobstoreCtx::new(containers, max_object.0 as u64, boot.limits).with_own(own);
        Ok(Self { state, schemes: PhantomData })
    }

    fn announcement(&self) -> Option<String> {
        let directory = self.state.containers.fallback()?.path()?;
        Some(format!("blobstore: default is stored in {} (--blobstore to change)", directory.display()))
    }

    fn state(&self, store: &StoreContext) -> BlobstoreCtx {
        self.state.for_another_store(&store.bytes)
    }
}

/// Returns the URL of the default container.
fn fallback(settings: &Settings) -> Result<BackendUrl, Error> {
    let data: String = settings.require(&DATA)?;
    BackendUrl::of_file(Path::new(&format!("{}/blobstore", data.trim_end_matches('/'))))
}

/// Finds a container whose URL is that of the containers that the component creates.
fn shared_base(settings: &Settings) -> Option<Error> {
    let named = settings.raw_values(&BLOBSTORE).iter().filter_map(|value| NamedUrl::parse(&value.text));
    let (base, others): (Vec<_>, Vec<_>) = named.partition(|named| named.name == ANY);
    let shared = others.iter().find(|other| base.iter().any(|base| base.url == other.url))?;
    Some(one_url(settings, &shared.name))
}

fn one_url(settings: &Settings, name: &str) -> Error {
    let problem = format!("`{name}` and `{ANY}` have one URL: `{name}` would open the containers of all components");
    settings.invalid(&BLOBSTORE, &problem)
}

/// Returns the containers that the component creates in `base`.
fn own_containers(
    boot: BootContext<'_>,
    configured: &Backends<dyn Container>,
    base: Arc<dyn Container>,
) -> tempo_settings::Result<OwnContainers> {
    if let Some((name, _)) = configured.iter().find(|(_, container)| Arc::ptr_eq(container, &base)) {
        return Err(one_url(boot.settings, name));
    }
    let app: Option<String> = boot.settings.get(&APP)?;
    let max = boot.settings.require(&MAX_CONTAINERS)?;
    OwnContainers::new(base, app.as_deref(), boot.component, max)
        .map_err(|error| Error::new(ErrorKind::BadConfiguration, error.to_string()))
}

#[cfg(test)]
mod tests {
    use tempo_backend::ByteBudget;
    use tempo_core::Limits;
    use tempo_settings::{Value, ValueSource};

    use super::*;
    use crate::{File, Memory};

    type Embedded = BlobstoreBackends<(Memory, File)>;

    async fn connect(flags: &[(Flag, &str)]) -> tempo_settings::Result<Embedded> {
        let mut settings = Settings::default();
        for (flag, text) in flags {
            settings.set(flag, vec![Value { text: (*text).to_owned(), source: ValueSource::CommandLine }]);
        }
        Embedded::connect(BootContext::new("test", &Limits::default(), &settings)).await
    }

    #[tokio::test]
    async fn without_configuration_objects_are_kept_below_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").to_str().unwrap().to_owned();
        let backend = connect(&[(DATA, &data)]).await.unwrap();
        assert_eq!(
            backend.announcement().unwrap(),
            format!("blobstore: default is stored in {data}/blobstore (--blobstore to change)")
        );
        assert!(folder.path().join("data/blobstore/objects").is_dir());
        assert_eq!(backend.state(&StoreContext::new(ByteBudget::new(1000))).max_object, 1 << 30);
        assert!(backend.state(&StoreContext::new(ByteBudget::new(1000))).containers.get("default").is_some());
    }

    #[tokio::test]
    async fn what_is_configured_is_all_there_is() {
        let backend = connect(&[(BLOBSTORE, "photos=memory:"), (MAX_OBJECT_SIZE, "1KiB")]).await.unwrap();
        assert_eq!(backend.announcement(), None);
        assert_eq!(backend.state(&StoreContext::new(ByteBudget::new(1000))).max_object, 1024);
        assert!(backend.state(&StoreContext::new(ByteBudget::new(1000))).containers.get("photos").is_some());
        assert!(backend.state(&StoreContext::new(ByteBudget::new(1000))).containers.get("default").is_none());
    }

    #[tokio::test]
    async fn containers_of_the_component_are_apart_from_the_configured_ones() {
        let settings = |values: &[&str]| {
            let mut settings = Settings::default();
            let value = |text: &&str| Value { text: (*text).to_owned(), source: ValueSource::CommandLine };
            settings.set(&BLOBSTORE, values.iter().map(value).collect());
            settings
        };
        let limits = Limits::default();
        let connect =
            async |values: &[&str]| Embedded::connect(BootContext::new("test", &limits, &settings(values))).await;
        let state = connect(&["*=memory:1MiB", "photos=memory:"]).await.unwrap().state;
        for name in ["*", "other", "default"] {
            assert!(state.find(name).await.is_err(), "{name}");
        }
        assert!(state.find("photos").await.is_ok());
        state.find_or_create("other").await.unwrap();
        assert!(state.find("other").await.is_ok());
        let error = connect(&["*=memory:", "photos=memory:"]).await.err().unwrap().to_string();
        assert!(error.contains("`photos` and `*` have one URL"), "{error}");
        let state = connect(&["photos=memory:"]).await.unwrap().state;
        assert!(state.find_or_create("other").await.is_err(), "it was not granted");
    }

    #[tokio::test]
    async fn mistakes_are_named() {
        let error = |url: &'static str| async move { connect(&[(BLOBSTORE, url)]).await.err().unwrap().to_string() };
        assert_eq!(error("memory:lots").await, "memory:lots: expected memory: or memory:SIZE");
        assert_eq!(error("file://host/a").await, "file://host/a: expected file:DIR, a directory of this machine");
        let taken = tempfile::NamedTempFile::new().unwrap();
        let problem = connect(&[(BLOBSTORE, &format!("file:{}", taken.path().display()))]).await.err().unwrap();
        assert!(problem.to_string().contains("the directory cannot be used"), "{problem}");
    }
}
