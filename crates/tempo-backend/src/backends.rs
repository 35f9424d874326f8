//! `Backends`: the stores of one component, by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::try_join_all;
use tempo_settings::{
    BackendUrl, DEFAULT_NAME, Error, ErrorKind, Flag, FlagValue as _, NamedUrl, Settings, Value, ValueForm, private,
};

use crate::{BackendContext, BackendSchemes, LabelledImport};

/// The directory of stores without a configured URL.
pub const DATA: Flag = Flag::new("data", "DIR", "Directory of stores for which no URL is given")
    .default(".tempo")
    .form(ValueForm::Path)
    .of::<PathBuf>();

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
        let names: Vec<&str> = named.iter().map(|named| named.name.as_str()).collect();
        if let Some(error) = label_mistakes(flag, &names, context).next() {
            return Err(error);
        }
        // A store has one owner: two names of one URL share it.
        let mut urls: Vec<&BackendUrl> = named.iter().map(|named| &named.url).collect();
        urls.sort();
        urls.dedup();
        let opened = try_join_all(urls.into_iter().map(|url| async move {
            let open = async {
                S::open(url, context).await.unwrap_or_else(|| Err(unknown::<B, S>(flag, url, context.settings)))
            };
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
                return Err(context.settings.invalid(flag, &given_twice(name)));
            }
        }
        let schemes = named.iter().map(|named| (named.name.clone(), named.url.scheme().to_owned()));
        let schemes = Arc::new(schemes.collect());
        Ok(Self { stores: Arc::new(stores), schemes, fallback: (!configured).then_some(fallback) })
    }

    /// Finds the mistakes for which [`open`](Self::open) fails before it opens or contacts anything. If the component does not use
    /// the stores, finds only values that are wrong by themselves: other settings may complete them for other components.
    pub fn check<S: BackendSchemes<B>>(flag: &Flag, context: BackendContext<'_>, is_used: bool) -> Vec<Error> {
        let (mut errors, settings) = (settings_mistakes::<B, S>(flag, context.settings, is_used), context.settings);
        let mut names: Vec<&str> =
            settings.raw_values(flag).iter().map(|value| ValueForm::NamedUrl.name_of(&value.text)).collect();
        if names.is_empty() {
            names.push(DEFAULT_NAME);
        }
        errors.extend(label_mistakes(flag, &names, context));
        errors
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

/// Checks a value of a flag whose stores have names. `*` is none: it is for the containers that a component creates.
///
/// # Errors
///
/// The problem, without the value.
pub fn check_store_url(text: &str) -> Result<(), String> {
    match NamedUrl::parse(text) {
        None => Err(format!("expected {}", NamedUrl::EXPECTED)),
        Some(named) if named.name == "*" => Err("`*` is no name of a store; only --blobstore takes *=URL".to_owned()),
        Some(_) => Ok(()),
    }
}

/// Makes the default store private: earlier versions let other users read it.
fn make_private(fallback: &BackendUrl) {
    let Some(path) = fallback.path().filter(|_| fallback.scheme() == "file") else { return };
    if let Err(error) = private::tighten_store(&path) {
        tracing::warn!(path = %path.display(), %error, "other users may have access to a store");
    }
}

/// Finds values that are no URLs or have an unknown scheme; if the stores are used, also those that repeat a name or that the
/// scheme refuses.
fn settings_mistakes<B: ?Sized, S: BackendSchemes<B>>(flag: &Flag, settings: &Settings, is_used: bool) -> Vec<Error> {
    let (mut errors, mut names) = (Vec::new(), BTreeSet::new());
    for value in settings.raw_values(flag) {
        let Some(NamedUrl { name, url, .. }) = NamedUrl::parse(&value.text) else {
            errors.push(value.invalid(flag, &format!("expected {}", NamedUrl::EXPECTED)));
            continue;
        };
        match S::check(&url, settings) {
            Some(checked) => errors.extend(checked.err().filter(|_| is_used)),
            None => errors.push(value.invalid(flag, &no_backend::<B, S>(&url))),
        }
        if !names.insert(name.clone()) && is_used {
            errors.push(value.invalid(flag, &given_twice(&name)));
        }
    }
    errors
}

/// Finds labels of the component that are none of `names`, those of its stores.
fn label_mistakes(flag: &Flag, names: &[&str], context: BackendContext<'_>) -> impl Iterator<Item = Error> {
    let unknown = context.labels.iter().filter(|import| !names.contains(&import.label.as_str()));
    unknown.map(|LabelledImport { label, interface }| {
        let message = format!(
            "the component imports {interface} as `{label}`, but no store has this name: set --{} {label}=URL",
            flag.name
        );
        Error::new(ErrorKind::BadConfiguration, message)
    })
}

fn given_twice(name: &str) -> String {
    format!("the name `{name}` is given twice")
}

fn no_backend<B: ?Sized, S: BackendSchemes<B>>(url: &BackendUrl) -> String {
    let known = S::names().iter().map(|name| format!("{name}:")).collect::<Vec<_>>().join(", ");
    format!("this runtime has no backend for {}:; it has {known}", url.scheme())
}

fn unknown<B: ?Sized, S: BackendSchemes<B>>(flag: &Flag, url: &BackendUrl, settings: &Settings) -> Error {
    let problem = no_backend::<B, S>(url);
    let is_its = |value: &&Value| NamedUrl::parse(&value.text).is_some_and(|named| named.url == *url);
    match settings.raw_values(flag).iter().find(is_its) {
        Some(value) => value.invalid(flag, &problem),
        // The unknown scheme is that of the service's fallback.
        None => Error::new(ErrorKind::BadConfiguration, format!("--{} is needed: {problem}", flag.name)),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::BackendScheme;
    use tempo_settings::ValueSource;

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

    fn settings(values: &[&str]) -> Settings {
        let mut settings = Settings::default();
        let value = |text: &&str| Value { text: (*text).to_owned(), source: ValueSource::CommandLine };
        settings.set(&TOYS, values.iter().map(value).collect());
        settings
    }

    fn mistakes(values: &[&str], labels: &[LabelledImport]) -> Vec<String> {
        let settings = settings(values);
        let context = BackendContext::new(&settings).with_labels(labels);
        Backends::check::<(Toy,)>(&TOYS, context, true).iter().map(ToString::to_string).collect()
    }

    async fn open(values: &[&str]) -> tempo_settings::Result<Backends<String>> {
        let settings = settings(values);
        let context = BackendContext::new(&settings);
        let fallback = BackendUrl::parse("toy:fallback").unwrap();
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

    #[test]
    fn labels_are_names_of_stores() {
        let import =
            |label: &str| LabelledImport { label: label.to_owned(), interface: "acme:toys/box@1.0.0".to_owned() };
        let check = |values: &[&str], labels: &[LabelledImport]| mistakes(values, labels);
        assert_eq!(check(&[], &[import("default")]), [""; 0]);
        assert_eq!(check(&["a=toy:a", "b=toy:a"], &[import("b"), import("a")]), [""; 0]);
        let expected = |label: &str| {
            format!(
                "the component imports acme:toys/box@1.0.0 as `{label}`, but no store has this name: set --toys {label}=URL"
            )
        };
        let found = check(&["a=toy:a"], &[import("a"), import("b"), import("c")]);
        assert_eq!(found, [expected("b"), expected("c")]);
        let bad = "--toys: expected [NAME=]URL, such as file:./data or cache=nats://HOST/NAME";
        assert_eq!(check(&["b=nonsense"], &[import("b")]), [bad], "the label of a bad value is known");
    }

    #[tokio::test]
    async fn components_share_a_store_in_memory_by_its_url() {
        let (settings, shared) = (Settings::default(), crate::SharedBackends::default());
        let open = |url| {
            let fallback = BackendUrl::parse(url).unwrap();
            let context = BackendContext::new(&settings).with_shared(&shared);
            async move { Backends::open::<(Toy,)>(&TOYS, fallback, context).await.unwrap().get("default").unwrap().clone() }
        };
        let (one, same, other) = (open("toy:a").await, open("toy:a").await, open("toy:b").await);
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn a_star_is_no_name_of_a_store() {
        assert_eq!(["memory:", "a=memory:", "a*=memory:"].map(check_store_url), [Ok(()), Ok(()), Ok(())]);
        assert!(check_store_url("*=memory:").unwrap_err().contains("only --blobstore takes *=URL"));
        assert!(check_store_url("nonsense").unwrap_err().starts_with("expected [NAME=]URL"));
    }

    #[tokio::test]
    async fn mistakes_are_named() {
        let error = |values: &'static [&str]| async { open(values).await.err().unwrap().to_string() };
        assert_eq!(error(&["ftp://h"]).await, "--toys: this runtime has no backend for ftp:; it has toy:");
        assert_eq!(error(&["toy:a", "default=toy:b"]).await, "--toys: the name `default` is given twice");
        let all = [
            "--toys: this runtime has no backend for ftp:; it has toy:",
            "--toys: the name `default` is given twice",
            "--toys: this runtime has no backend for nope:; it has toy:",
        ];
        assert_eq!(mistakes(&["ftp://h", "toy:a", "b=nope:"], &[]), all, "all of them, and nothing is opened");
        let settings = settings(&["ftp://h", "toy:a", "b=nope:"]);
        let of_others = Backends::check::<(Toy,)>(&TOYS, BackendContext::new(&settings), false);
        let wrong: Vec<_> = of_others.iter().map(ToString::to_string).collect();
        assert_eq!(wrong, [all[0], all[2]], "another component may complete the values");
    }
}
