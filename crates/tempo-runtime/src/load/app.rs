//! Loads the components of an app: those with the same requirements share an engine, and its pool.

use std::ops::Range;
use std::path::{Path, PathBuf};

use tempo_core::Limits;
use tempo_settings::{Error, ErrorKind, Settings};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::{
    CompileCache, FileDigest, Loaded, cannot_compile, check_component_tables, compatibility, file_digest, fit, in_file,
    unless_exceeds_pool, unless_full,
};
use crate::address_space;
use crate::allocation::Allocation;
use crate::deserialize::{Verified, deserialize};
use crate::engine::{EngineOptions, PoolTooLarge, check_initial_sizes, engine};
use crate::file_bytes::FileBytes;
use crate::interfaces::Import;
use crate::mappings;
use crate::precompiled::{self, Decoded, Header};
use crate::release_candidate;
use crate::scan::{Shape, scan};

/// The file of a component, read and validated.
pub(crate) struct ScannedFile {
    path: PathBuf,
    name: String,
    limits: Limits,
    /// The digest of the file.
    pub digest: FileDigest,
    bytes: FileBytes,
    /// The requirements of the component on its engine.
    pub shape: Shape,
    precompiled: Option<Precompiled>,
}

/// What the verified header of a precompiled file says.
struct Precompiled {
    built_by: String,
    compatibility: String,
    allocation: Allocation,
    target: Option<String>,
    /// The place of the code in the file.
    code: Range<usize>,
}

/// The requirements that components must share to share an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EngineKind {
    concurrent: bool,
    gc_heap: bool,
    wasm_stack: usize,
    allocation: Allocation,
    target: Option<String>,
}

impl ScannedFile {
    /// Reads and validates the file at `path`, the component `name` with `limits`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not a component, or is a precompiled file of another build, key or allocation.
    pub(crate) fn read(
        (name, path): (&str, &Path),
        limits: Limits,
        settings: &Settings,
        concurrent_packages: &[&str],
    ) -> anyhow::Result<Self> {
        let mut bytes = FileBytes::read(path)?;
        let scanned = if precompiled::is_precompiled(&bytes) {
            decode(&bytes, settings)
        } else {
            let digest = file_digest(&bytes);
            release_candidate::rename(&mut bytes);
            scan(&bytes, concurrent_packages).map(|shape| (digest, shape, None))
        };
        let (digest, shape, precompiled) = scanned.map_err(|error| in_file(path, error.into()))?;
        Ok(Self { path: path.to_owned(), name: name.to_owned(), limits, digest, bytes, shape, precompiled })
    }

    /// Returns the file with `component`, which is composed of this one and others.
    ///
    /// # Errors
    ///
    /// The component is not valid.
    pub(crate) fn composed(&self, component: Vec<u8>, concurrent_packages: &[&str]) -> Result<Self, Error> {
        let shape = scan(&component, concurrent_packages)?;
        let (path, name, limits) = (self.path.clone(), self.name.clone(), self.limits.clone());
        let digest = file_digest(&component);
        Ok(Self { path, name, limits, digest, bytes: FileBytes::Allocated(component), shape, precompiled: None })
    }

    /// Returns the component as WebAssembly, or `None` if the file is precompiled.
    pub(crate) fn wasm(&self) -> Option<&[u8]> {
        self.precompiled.is_none().then_some(&*self.bytes)
    }

    /// Returns the imports, or `None` if the file is precompiled.
    pub(crate) fn imports(&self) -> Option<&[Import]> {
        self.precompiled.is_none().then_some(&*self.shape.imports)
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the limits of the component.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    fn kind(&self, wanted: Option<Allocation>) -> EngineKind {
        let precompiled = self.precompiled.as_ref();
        EngineKind {
            concurrent: self.shape.concurrent,
            gc_heap: self.shape.gc_heap,
            wasm_stack: self.limits.wasm_stack,
            allocation: precompiled.map_or(wanted.unwrap_or_default(), |precompiled| precompiled.allocation),
            target: precompiled.and_then(|precompiled| precompiled.target.clone()),
        }
    }

    /// Creates the component in `engine`.
    fn create(&self, engine: &Engine, cache: Option<&CompileCache>) -> anyhow::Result<Component> {
        let Some(precompiled) = &self.precompiled else {
            return CompileCache::component(cache, engine, &self.bytes, &self.digest)
                .map_err(|error| unless_exceeds_pool(error, |cause| cannot_compile(&cause)));
        };
        if precompiled.compatibility != compatibility(engine) {
            let built_by = format!("{}, with other processor features or settings", precompiled.built_by);
            return Err(precompiled::other_build(&built_by).into());
        }
        let code = self.bytes.get(precompiled.code.clone()).unwrap_or_default();
        deserialize(engine, &Verified(code)).map_err(|error| {
            unless_exceeds_pool(error, |cause| {
                Error::new(ErrorKind::BadComponent, format!("{cause}: compile it again"))
            })
        })
    }
}

fn decode(bytes: &[u8], settings: &Settings) -> Result<(FileDigest, Shape, Option<Precompiled>), Error> {
    let Decoded { header, code, tag } = super::decode(bytes, settings)?;
    let Header { built_by, compatibility, shape, allocation, target, .. } = header;
    allocation.check(Allocation::from_settings(settings)?)?;
    let start = code.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
    let code = start..start.saturating_add(code.len());
    Ok((tag, shape, Some(Precompiled { built_by, compatibility, allocation, target, code })))
}

/// The engines of an app.
#[derive(Clone)]
pub(crate) struct AppEngines {
    engines: Vec<AppEngine>,
    /// Number of instances that exist at once, of all components together.
    instances: usize,
    wanted: Option<Allocation>,
    cache: Option<CompileCache>,
    notices: Vec<String>,
}

/// An engine that components of one kind share.
#[derive(Clone)]
struct AppEngine {
    kind: EngineKind,
    engine: Engine,
    /// The limits that sized the pool.
    limits: Limits,
    /// The address space of the pool, in bytes.
    reserved: u64,
    /// The memory mappings of its instances.
    mappings: u64,
}

impl AppEngines {
    /// Creates no engine yet; each will have a pool of `instances`.
    ///
    /// # Errors
    ///
    /// A setting is invalid.
    pub(crate) fn new(instances: usize, settings: &Settings) -> anyhow::Result<Self> {
        let wanted = Allocation::from_settings(settings)?;
        let cache = CompileCache::from_settings(settings)?;
        Ok(Self { engines: Vec::new(), instances, wanted, cache, notices: Vec::new() })
    }

    /// Creates the engines that `files` need and that do not exist.
    ///
    /// # Errors
    ///
    /// An engine cannot be created.
    pub(crate) fn extend(&mut self, files: &[ScannedFile]) -> anyhow::Result<()> {
        let wanted = self.wanted;
        let mut kinds: Vec<EngineKind> = Vec::new();
        for file in files {
            let kind = file.kind(wanted);
            if !kinds.contains(&kind) && !self.engines.iter().any(|known| known.kind == kind) {
                kinds.push(kind);
            }
        }
        let taken = self.engines.iter().map(|known| known.reserved).fold(0, u64::saturating_add);
        let mut left = address_space::limit().saturating_sub(taken);
        for kind in kinds {
            let members = || files.iter().filter(|file| file.kind(wanted) == kind);
            let (shape, limits) = union(members());
            let pool = address_space::of_pool(&shape, self.instances);
            let fits = kind.allocation == Allocation::OnDemand || pool <= left;
            let precompiled = members().any(|file| file.precompiled.is_some());
            let engine = self.engine(&kind, (&shape, &limits), (fits, precompiled))?;
            left = left.saturating_sub(pool);
            let mappings = mappings::of_instances(&shape, self.instances);
            self.engines.push(AppEngine { kind, engine, limits, reserved: pool, mappings });
        }
        let mappings = self.engines.iter().map(|known| known.mappings).fold(0, u64::saturating_add);
        self.engines.first().map_or(Ok(()), |known| mappings::check_sum(mappings, &known.limits))?;
        Ok(())
    }

    /// Creates the engine of one kind. If its pool does not fit, memories are on demand, unless a flag, or code that is compiled
    /// already, needs a pool.
    fn engine(
        &mut self,
        kind: &EngineKind,
        (shape, limits): (&Shape, &Limits),
        (fits, precompiled): (bool, bool),
    ) -> anyhow::Result<Engine> {
        let options = EngineOptions {
            limits,
            target: kind.target.as_deref(),
            allocation: kind.allocation,
            instances: self.instances,
        };
        let too_large = match fits.then(|| engine(shape, options)) {
            None => PoolTooLarge::of(self.instances),
            Some(Ok(engine)) => return Ok(engine),
            Some(Err(error)) => error.downcast::<PoolTooLarge>()?,
        };
        if self.wanted.is_some() || precompiled {
            let fix = if precompiled { "compile its files with" } else { "give" };
            let advice = too_large.advice(&format!("{fix} --allocation on-demand"));
            return Err(Error::new(ErrorKind::BadConfiguration, too_large.to_string()).with_advice(advice).into());
        }
        let advice = too_large.advice("accept this with --allocation on-demand");
        let notice =
            format!("{too_large}, so memories are allocated on demand, and code checks their bounds; {advice}");
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
        engine(shape, EngineOptions { allocation: Allocation::OnDemand, ..options })
    }

    /// Compiles or deserializes `file` in the engine of its kind, or in an engine of its own if it does not fit.
    ///
    /// # Errors
    ///
    /// The component exceeds its limits, or cannot be created.
    pub(crate) fn load(&self, file: &ScannedFile) -> anyhow::Result<Loaded> {
        let created = || {
            check_initial_sizes(&file.shape, &file.limits)?;
            let kind = file.kind(self.wanted);
            let shared = self.engines.iter().find(|known| known.kind == kind && known.is_large_enough(&file.limits));
            let Some(created) = shared.and_then(|known| unless_full(file.create(&known.engine, self.cache.as_ref())))
            else {
                return self.alone(file, &kind);
            };
            let component = created?;
            check_component_tables(&component, &file.limits)?;
            Ok((component, file.shape.clone()))
        };
        let (component, shape) = created().map_err(|error| in_file(&file.path, error))?;
        let kind = file.kind(self.wanted);
        let (digest, allocation, target) = (file.digest, kind.allocation, kind.target);
        Ok(Loaded { name: file.name.clone(), digest, component, shape, allocation, target, notice: None })
    }

    fn alone(&self, file: &ScannedFile, kind: &EngineKind) -> anyhow::Result<(Component, Shape)> {
        let options = EngineOptions {
            limits: &file.limits,
            target: kind.target.as_deref(),
            allocation: kind.allocation,
            instances: self.instances,
        };
        fit(file.shape.clone(), options, None, |engine| file.create(engine, self.cache.as_ref()))
    }

    /// Returns warnings for the user.
    pub(crate) fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}

impl AppEngine {
    /// Returns whether an instance under `limits` fits into the pool at its largest.
    fn is_large_enough(&self, limits: &Limits) -> bool {
        let Limits { memory, tables, table_elements, .. } = self.limits;
        limits.memory <= memory && limits.tables <= tables && limits.table_elements <= table_elements
    }
}

/// Returns the requirements of any of `files`, and the highest of their limits that size a pool.
fn union<'a>(files: impl Iterator<Item = &'a ScannedFile>) -> (Shape, Limits) {
    let (mut shape, mut limits): (Shape, Option<Limits>) = (Shape::default(), None);
    for file in files {
        let ScannedFile { shape: own, limits: of_file, .. } = file;
        shape.concurrent |= own.concurrent;
        shape.gc_heap |= own.gc_heap;
        shape.core_instances = shape.core_instances.max(own.core_instances);
        shape.memories = shape.memories.max(own.memories);
        shape.tables = shape.tables.max(own.tables);
        shape.least_memory = shape.least_memory.max(own.least_memory);
        shape.least_table = shape.least_table.max(own.least_table);
        let limits = limits.get_or_insert_with(|| of_file.clone());
        limits.memory = limits.memory.max(of_file.memory).max(usize::try_from(own.least_memory).unwrap_or(0));
        limits.tables = limits.tables.max(of_file.tables);
        limits.table_elements =
            limits.table_elements.max(of_file.table_elements).max(usize::try_from(own.least_table).unwrap_or(0));
    }
    (shape, limits.unwrap_or_default())
}

/// Returns whether `shape` may export an interface for which `calls` returns true. A precompiled file names its exports only if
/// they are short.
pub(crate) fn may_export(shape: &Shape, calls: impl Fn(&str) -> bool) -> bool {
    shape.exports.is_empty() || shape.exports.iter().any(|export| calls(export))
}
