//! `Backends`: the stores of one component, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::future::try_join_all;
use tempo_settings::{BackendUrl, DEFAULT_NAME, Error, ErrorKind, Flag, NamedUrl, ValueForm, private};

use crate::{BackendContext, BackendSchemes, LabelledImport};

/// The directory of stores without a configured URL.
pub const DATA: Flag =
    Flag::new("data", "DIR", "Directory of stores for which no URL is given").default(".tempo").form(ValueForm::Path);

/// The app of the component, which distinguishes it from components of the same name.
pub const APP: Flag =
    Flag::new("app", "NAME", "The app that the component is part of: the names of its consumers begin with it");

/// The stores of one component, by name. Cheap to clone.
pub struct Backends<B: ?Sized> {
    stores: Arc<BTreeMap<String, Arc<B>>>,
    /// The schemes of the stores that were opened by URL.
    schemes: Arc<BTreeMap<String, String>>,
    /// The URL of the default store if none was configured.
    fallback: Option<BackendUrl>,
}

impl<B: ?Sized> fmt::Debug for Backends<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends")
            .field("names", &self.stores.keys())
            .field("schemes", &self.schemes)
            .finish_non_exhaustive()
    }
}

impl<B: ?Sized> Clone for Backends<B> {
    fn clone(&self) -> Self {
        Self { stores: self.stores.clone(), schemes: self.schemes.clone(), fallback: self.fallback.clone() }
    }
}

impl<B: ?Sized + Send + Sync + 'static> Backends<B> {
    /// Wraps `stores`, for an embedding that opens them itself.
    pub fn new(stores: impl IntoIterator<Item = (String, Arc<B>)>) -> Self {
        Self { stores: Arc::new(stores.into_iter().collect()), schemes: Arc::default(), fallback: None }
    }

    /// Opens all stores that `flag` names, concurrently. If it names none, `fallback` becomes the store `default`.
    ///
    /// # Errors
    ///
    /// A value cannot be parsed, a name is given twice, a label is no name, a scheme is unknown, or a store cannot be opened.
    pub async fn open<S: BackendSchemes<B>>(
        flag: &Flag,
        fallback: BackendUrl,
        context: BackendContext<'_>,
    ) -> tempo_settings::Result<Self> {
        Self::open_as::<S>(flag, fallback, context, |_, _, store| store).await
    }

    /// As [`Backends::open`], and wraps each store with `wrap`, which gets the scheme of its URL and its (first) name.
    ///
    /// # Errors
    ///
    /// As [`Backends::open`].
    pub async fn open_as<S: BackendSchemes<B>>(
        flag: &Flag,
        fallback: BackendUrl,
        context: BackendContext<'_>,
        wrap: impl Fn(&str, &str, Arc<B>) -> Arc<B>,
    ) -> tempo_settings::Result<Self> {
        let mut named = context.settings.all::<NamedUrl>(flag)?;
        let configured = !named.is_empty();
        if !configured {
            named.push(NamedUrl::new(DEFAULT_NAME, fallback.clone()));
            make_private(&fallback);
        }
        check_labels(flag, &named, context)?;
        // A store has one owner: two names of one URL share it.
        let mut urls: Vec<&BackendUrl> = named.iter().map(|named| &named.url).collect();
        urls.sort();
        urls.dedup();
        let opened = try_join_all(urls.into_iter().map(|url| async move {
            let open =
                async { S::open(url, context).await.unwrap_or_else(|| Err(unknown::<B, S>(flag, url, context))) };
            let store = match context.shared.filter(|_| S::is_in_process(url.scheme())) {
                Some(shared) => shared.open(url, open).await?,
                None => open.await?,
            };
            Ok::<_, Error>((url, store))
        }));
        let wrapped = opened.await?.into_iter().map(|(url, store)| {
            let name = named.iter().find(|named| named.url == *url).map_or(DEFAULT_NAME, |named| &named.name);
            (url, wrap(url.scheme(), name, store))
        });
        let opened: BTreeMap<&BackendUrl, Arc<B>> = wrapped.collect();
        let mut stores = BTreeMap::new();
        for NamedUrl { name, url, .. } in &named {
            let store = opened.get(url).cloned();
            if store.is_some_and(|store| stores.insert(name.clone(), store).is_some()) {
                return Err(context.settings.invalid(flag, &format!("the name `{name}` is given twice")));
            }
        }
        let schemes = named.iter().map(|named| (named.name.clone(), named.url.scheme().to_owned()));
        let schemes = Arc::new(schemes.collect());
        Ok(Self { stores: Arc::new(stores), schemes, fallback: (!configured).then_some(fallback) })
    }

    /// Returns these stores without the store `name`, and that store.
    #[must_use]
    pub fn without(self, name: &str) -> (Self, Option<Arc<B>>) {
        let mut stores = (*self.stores).clone();
        let store = stores.remove(name);
        (Self { stores: Arc::new(stores), ..self }, store)
    }

    /// Returns the store `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<B>> {
        self.stores.get(name)
    }

    /// Returns the scheme of the URL of the store `name`, if it was opened by URL.
    pub fn scheme(&self, name: &str) -> Option<&str> {
        self.schemes.get(name).map(String::as_str)
    }

    /// Iterates over the stores and their names, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<B>)> {
        self.stores.iter().map(|(name, store)| (name.as_str(), store))
    }

    /// Returns the URL of the default store if none was configured.
    pub fn fallback(&self) -> Option<&BackendUrl> {
        self.fallback.as_ref()
    }
}

/// Makes the default store private: earlier versions let other users read it.
fn make_private(fallback: &BackendUrl) {
    let Some(path) = fallback.path().filter(|_| fallback.scheme() == "file") else { return };
    if let Err(error) = private::tighten_store(&path) {
        tracing::warn!(path = %path.display(), %error, "other users may have access to a store");
    }
}

/// Checks that each label of the component is the name of a store.
fn check_labels(flag: &Flag, named: &[NamedUrl], context: BackendContext<'_>) -> Result<(), Error> {
    let is_name = |label: &str| named.iter().any(|named| named.name == label);
    match context.labels.iter().find(|import| !is_name(&import.label)) {
        Some(LabelledImport { label, interface }) => {
            let message = format!(
                "the component imports {interface} as `{label}`, but no store has this name: set --{} {label}=URL",
                flag.name
            );
            Err(Error::new(ErrorKind::BadConfiguration, message))
        }
        None => Ok(()),
    }
}

fn unknown<B: ?Sized, S: BackendSchemes<B>>(flag: &Flag, url: &BackendUrl, context: BackendContext<'_>) -> Error {
    let known = S::names().iter().map(|name| format!("{name}:")).collect::<Vec<_>>().join(", ");
    let problem = format!("this runtime has no backend for {}:; it has {known}", url.scheme());
    // The unknown scheme may be that of the service's fallback, not of the flag's value.
    match context.settings.all::<NamedUrl>(flag) {
        Ok(named) if named.is_empty() => {
            Error::new(ErrorKind::BadConfiguration, format!("--{} is needed: {problem}", flag.name))
        }
        _ => context.settings.invalid(flag, &problem),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::BackendScheme;
    use tempo_settings::{Settings, Value, ValueSource};

    const TOYS: Flag = Flag::new("toys", "[NAME=]URL", "Toys").repeatable();

    struct Toy;

    #[async_trait]
    impl BackendScheme<String> for Toy {
        const NAMES: &'static [&'static str] = &["toy"];
        const IN_PROCESS: bool = true;

        async fn open(url: &BackendUrl, _: BackendContext<'_>) -> tempo_settings::Result<Arc<String>> {
            Ok(Arc::new(url.to_string()))
        }
    }

    async fn open(values: &[&str]) -> tempo_settings::Result<Backends<String>> {
        let mut settings = Settings::default();
        let value = |text: &&str| Value { text: (*text).to_owned(), source: ValueSource::CommandLine };
        settings.set(&TOYS, values.iter().map(value).collect());
        let context = BackendContext::new(&settings);
        let fallback = <BackendUrl as tempo_settings::FlagValue>::parse("toy:fallback").unwrap();
        Backends::open::<(Toy,)>(&TOYS, fallback, context).await
    }

    #[tokio::test]
    async fn names_select_stores() {
        let stores = open(&["toy:a", "b=toy:b", "c=toy:b"]).await.unwrap();
        let url = |name| stores.get(name).map(|store| store.to_string());
        assert_eq!(url("default").as_deref(), Some("toy:a"));
        assert_eq!(url("b").as_deref(), Some("toy:b"));
        assert_eq!(url("d"), None);
        assert_eq!((stores.scheme("c"), stores.scheme("d")), (Some("toy"), None));
        assert!(Arc::ptr_eq(stores.get("b").unwrap(), stores.get("c").unwrap()), "one URL, one store");
        assert_eq!(stores.fallback(), None);
    }

    #[tokio::test]
    async fn the_fallback_is_opened_only_without_configuration() {
        let stores = open(&[]).await.unwrap();
        assert_eq!(stores.get("default").unwrap().as_str(), "toy:fallback");
        assert!(stores.fallback().is_some());
        assert!(open(&["b=toy:b"]).await.unwrap().get("default").is_none());
    }

    #[tokio::test]
    async fn labels_are_names_of_stores() {
        let import =
            |label: &str| LabelledImport { label: label.to_owned(), interface: "acme:toys/box@1.0.0".to_owned() };
        let check = |names: &[&str], labels: &[LabelledImport]| {
            let url = || <BackendUrl as tempo_settings::FlagValue>::parse("toy:a").unwrap();
            let named: Vec<_> = names.iter().map(|name| NamedUrl::new(*name, url())).collect();
            let settings = Settings::default();
            check_labels(&TOYS, &named, BackendContext::new(&settings).with_labels(labels))
        };
        assert!(check(&["default"], &[]).is_ok());
        assert!(check(&["a", "b"], &[import("b"), import("a")]).is_ok());
        let error = check(&["a"], &[import("a"), import("b")]).unwrap_err().to_string();
        assert_eq!(
            error,
            "the component imports acme:toys/box@1.0.0 as `b`, but no store has this name: set --toys b=URL"
        );
    }

    #[tokio::test]
    async fn components_share_a_store_in_memory_by_its_url() {
        let (settings, shared) = (Settings::default(), crate::SharedBackends::default());
        let open = |url| {
            let fallback = <BackendUrl as tempo_settings::FlagValue>::parse(url).unwrap();
            let context = BackendContext::new(&settings).with_shared(&shared);
            async move { Backends::open::<(Toy,)>(&TOYS, fallback, context).await.unwrap().get("default").unwrap().clone() }
        };
        let (one, same, other) = (open("toy:a").await, open("toy:a").await, open("toy:b").await);
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    }

    #[tokio::test]
    async fn mistakes_are_named() {
        let error = |values: &'static [&str]| async { open(values).await.err().unwrap().to_string() };
        assert_eq!(error(&["ftp://h"]).await, "--toys: this runtime has no backend for ftp:; it has toy:");
        assert_eq!(error(&["toy:a", "default=toy:b"]).await, "--toys: the name `default` is given twice");
    }
}
