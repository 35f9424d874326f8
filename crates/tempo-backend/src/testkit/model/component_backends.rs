//! Backends of two components, opened by their URLs as a runtime opens them, to test that none shows another's content.

use std::any::Any;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::select;
use tempo_settings::{BackendUrl, FlagValue as _, Settings, Value, ValueSource};

use super::{BackendOf, ReferenceModel, SystemUnderTest};
use crate::{BackendContext, BackendSchemes, Backends};

/// The backends that two components open. The second opens only the last one, under the name that the first gives to another.
#[derive(Clone, Debug)]
pub struct BackendUrls {
    /// The URLs of the backends, each once.
    pub urls: Vec<String>,
    /// The names that components open, each once.
    names: Vec<String>,
}

impl BackendUrls {
    /// Generates `count` backends, at most three, with URLs of `urls` and any names that a flag allows.
    pub fn strategy(count: RangeInclusive<usize>, urls: impl Strategy<Value = String>) -> impl Strategy<Value = Self> {
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

/// The backends at such URLs, opened by the schemes `S`.
pub struct ComponentBackends<M: ReferenceModel, S> {
    urls: BackendUrls,
    /// The first handles, of backends that are lost with their last handle.
    opened: Option<Vec<BackendOf<M>>>,
    volatile: bool,
    _guard: Option<Box<dyn Any + Send + Sync>>,
    _schemes: PhantomData<fn() -> S>,
}

impl<M: ReferenceModel, S> std::fmt::Debug for ComponentBackends<M, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentBackends").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl<M: ReferenceModel, S: BackendSchemes<M::Backend>> ComponentBackends<M, S> {
    /// Backends that keep their content without a handle.
    pub fn new(urls: BackendUrls) -> Self {
        Self { urls, opened: None, volatile: false, _guard: None, _schemes: PhantomData }
    }

    /// Backends whose content is lost with their last handle: they are opened only once.
    pub fn volatile(urls: BackendUrls) -> Self {
        Self { volatile: true, ..Self::new(urls) }
    }

    /// Drops `guard` with the backends, such as the directory of their files.
    #[must_use]
    pub fn with_guard(self, guard: impl Any + Send + Sync) -> Self {
        Self { _guard: Some(Box::new(guard)), ..self }
    }

    async fn open_all(&self) -> Result<Vec<BackendOf<M>>> {
        let BackendUrls { urls, names } = &self.urls;
        let (last, first) = urls.split_last().context("there is no URL")?;
        let mut backends = Vec::new();
        if !first.is_empty() {
            backends.extend(open_component::<M, S>(names.iter().zip(first)).await?);
        }
        backends.extend(open_component::<M, S>(names.iter().zip([last])).await?);
        Ok(backends)
    }
}

#[async_trait]
impl<M: ReferenceModel, S: BackendSchemes<M::Backend>> SystemUnderTest for ComponentBackends<M, S> {
    type Model = M;

    async fn open(&mut self) -> Result<Vec<BackendOf<M>>> {
        if let Some(opened) = &self.opened {
            return Ok(opened.clone());
        }
        let backends = self.open_all().await?;
        self.opened = self.volatile.then(|| backends.clone());
        Ok(backends)
    }

    fn names(&self) -> Vec<String> {
        let places = self.urls.urls.iter().map(|url| url.rsplit(['/', ':']).next().unwrap_or_default());
        places.flat_map(M::foreign_names).collect()
    }
}

/// Opens the backends of one component, in the order of `named`: names and URLs.
async fn open_component<'a, M: ReferenceModel, S: BackendSchemes<M::Backend>>(
    named: impl Iterator<Item = (&'a String, &'a String)> + Clone,
) -> Result<Vec<BackendOf<M>>> {
    let mut settings = Settings::default();
    let value = |(name, url)| Value { text: format!("{name}={url}"), source: ValueSource::CommandLine };
    settings.set(&M::FLAG, named.clone().map(value).collect());
    let context = BackendContext::new(&settings);
    let fallback = BackendUrl::parse("none:").context("the fallback is a URL")?;
    let backends = Backends::open::<S>(&M::FLAG, fallback, context).await?;
    named
        .map(|(name, _)| backends.get(name).cloned().with_context(|| format!("there is no backend {name:?}")))
        .collect()
}
