//! Stores of two components, opened by their URLs as a runtime opens them, for the property that none sees another's keys.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::select;
use tempo_backend::{BackendContext, BackendSchemes, Backends};
use tempo_settings::{BackendUrl, FlagValue as _, Settings, Value, ValueSource};

use super::Subject;
use crate::KEYVALUE;
use crate::KeyValueStore;

/// What two components open. The second opens only the last store, under the name that the first gives to another.
#[derive(Clone, Debug)]
pub struct Names {
    /// The URLs of the stores, each once.
    pub urls: Vec<String>,
    /// What components call them, each once.
    names: Vec<String>,
}

impl Names {
    /// So many stores, at most three, at such URLs and under any names that `--keyvalue` takes.
    pub fn of(count: RangeInclusive<usize>, urls: impl Strategy<Value = String>) -> impl Strategy<Value = Self> {
        let hard = ["default", "Default", "a", "ab", "..", " ", "a/b", "%61", "\u{e4}", "a\u{308}"];
        let name = prop_oneof![
            2 => select(hard.map(str::to_owned).to_vec()),
            1 => "[^:=]{1,6}",
        ];
        let distinct = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
        let urls = prop::collection::btree_set(urls, count).prop_map(distinct).prop_shuffle();
        let names = prop::collection::btree_set(name, 3).prop_map(distinct).prop_shuffle();
        (urls, names).prop_map(|(urls, names)| Self { urls, names })
    }
}

/// The stores of such names, opened by the schemes `S`.
pub struct Components<S> {
    names: Names,
    /// Of a backend that forgets, what was opened first.
    kept: Option<Vec<Arc<dyn KeyValueStore>>>,
    forgets: bool,
    schemes: PhantomData<fn() -> S>,
}

impl<S: BackendSchemes<dyn KeyValueStore>> Components<S> {
    /// Stores that are kept when nobody uses them.
    pub fn new(names: Names) -> Self {
        Self { names, kept: None, forgets: false, schemes: PhantomData }
    }

    /// Stores that are gone when nobody uses them: they are opened only once.
    pub fn forgetful(names: Names) -> Self {
        Self { forgets: true, ..Self::new(names) }
    }

    async fn open_all(&self) -> Result<Vec<Arc<dyn KeyValueStore>>> {
        let Names { urls, names } = &self.names;
        let (last, first) = urls.split_last().context("there is no URL")?;
        let mut stores = Vec::new();
        if !first.is_empty() {
            stores.extend(component::<S>(names.iter().zip(first)).await?);
        }
        stores.extend(component::<S>(names.iter().zip([last])).await?);
        Ok(stores)
    }
}

#[async_trait]
impl<S: BackendSchemes<dyn KeyValueStore> + 'static> Subject for Components<S> {
    async fn open(&mut self) -> Result<Vec<Arc<dyn KeyValueStore>>> {
        if let Some(kept) = &self.kept {
            return Ok(kept.clone());
        }
        let stores = self.open_all().await?;
        self.kept = self.forgets.then(|| stores.clone());
        Ok(stores)
    }

    fn keys(&self) -> Vec<String> {
        let places = self.names.urls.iter().map(|url| url.rsplit(['/', ':']).next().unwrap_or_default());
        let keys = places.flat_map(|place| {
            [format!("$KV.{place}.a"), format!("../{place}/a"), format!("{place}/a"), format!("{place}.a")]
        });
        keys.filter(|key| key.len() <= 512).collect()
    }
}

/// The stores of one component, in the order of `named`: names and URLs.
async fn component<'a, S: BackendSchemes<dyn KeyValueStore>>(
    named: impl Iterator<Item = (&'a String, &'a String)> + Clone,
) -> Result<Vec<Arc<dyn KeyValueStore>>> {
    let mut settings = Settings::default();
    let value = |(name, url)| Value { text: format!("{name}={url}"), source: ValueSource::CommandLine };
    settings.set(&KEYVALUE, named.clone().map(value).collect());
    let context = BackendContext::new(&settings);
    let fallback = BackendUrl::parse("none:").context("the fallback is a URL")?;
    let stores = Backends::open::<S>(&KEYVALUE, fallback, context).await?;
    named.map(|(name, _)| stores.get(name).cloned().with_context(|| format!("there is no store {name:?}"))).collect()
}
