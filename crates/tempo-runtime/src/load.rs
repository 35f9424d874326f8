//! Loads a component from a WebAssembly or precompiled file.

mod app;
mod cache;

use std::hash::{Hash as _, Hasher};
use std::path::Path;

use ring::digest::{self, SHA256, digest};
use tempo_core::Limits;
use tempo_settings::{Error, ErrorKind, Settings};
use wasmtime::Engine;
use wasmtime::component::Component;

pub(crate) use self::app::{AppEngines, ScannedFile, may_export};
pub(crate) use self::cache::{COMPILE_CACHE, CompileCache};

use crate::allocation::Allocation;
use crate::deserialize::{Verified, deserialize};
use crate::engine::{EngineOptions, PoolTooLarge, check_initial_sizes, engine};
use crate::file_bytes::FileBytes;
use crate::host_key::{self, HostKey};
use crate::precompiled::{self, Decoded, Header};
use crate::registry::TriggerEntry;
use crate::release_candidate;
use crate::scan::{Shape, scan};

/// Maximum number of times that the pool's space for one instance is doubled to fit the component.
const MAX_DOUBLINGS: usize = 8;

/// A component with the engine made for it.
#[derive(Clone)]
pub(crate) struct Loaded {
    /// The file's name without its extension, or the name in the app.
    pub name: String,
    /// The digest of the file.
    pub digest: FileDigest,
    /// The component.
    pub component: Component,
    /// Its requirements on the engine.
    pub shape: Shape,
    /// Where the memories of its instances lie.
    pub allocation: Allocation,
    /// The target that it was compiled for; `None` for this machine's processor.
    target: Option<String>,
    /// A warning for the user.
    pub notice: Option<String>,
}

/// The SHA-256 of a file, or the tag of a precompiled file.
pub(crate) type FileDigest = [u8; 32];

/// A component that was loaded before, under these limits.
pub(crate) type Previous<'a> = (&'a Loaded, &'a Limits);

/// The settings that loading depends on.
#[derive(Clone, Copy)]
pub(crate) struct LoadOptions<'a> {
    /// The limits of instances.
    pub limits: &'a Limits,
    /// The key of precompiled files, and the allocation.
    pub settings: &'a Settings,
    /// The packages that are linked only with concurrency support.
    pub concurrent_packages: &'a [&'a str],
    /// The purpose.
    pub purpose: Purpose<'a>,
    /// The version that is served now. Its engine is used if it is suitable.
    pub previous: Option<Previous<'a>>,
}

/// The purpose of loading a component.
#[derive(Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// To serve, if one of these triggers calls it, or else to run once.
    Run(&'a [TriggerEntry]),
    /// To show its imports and exports, without an instance.
    Inspect,
}

impl LoadOptions<'_> {
    /// Returns the options of the engine for a component of `shape`.
    fn engine(&self, shape: &Shape, allocation: Allocation) -> EngineOptions<'_> {
        EngineOptions { limits: self.limits, target: None, allocation, instances: self.instances(shape) }
    }

    /// Returns the engine of the previous version, if a component of `shape` gets the same.
    fn engine_for(&self, shape: &Shape, allocation: Allocation, target: Option<&str>) -> Option<&Engine> {
        let (previous, limits) = self.previous?;
        let kind = |shape: &Shape| (shape.concurrent, shape.gc_heap);
        let same = kind(&previous.shape) == kind(shape)
            && (previous.allocation, previous.target.as_deref()) == (allocation, target)
            && same_engine_limits(limits, self.limits);
        same.then(|| previous.component.engine())
    }

    /// Returns the number of instances that exist at once.
    fn instances(&self, shape: &Shape) -> usize {
        let Purpose::Run(triggers) = self.purpose else { return 0 };
        let serves = |export: &String| triggers.iter().any(|trigger| trigger.calls(export));
        if shape.exports.is_empty() || shape.exports.iter().any(serves) {
            self.limits.calls().saturating_add(self.limits.idle_instances())
        } else {
            1
        }
    }
}

/// Loads `path`, and compiles it unless it is precompiled.
///
/// # Errors
///
/// The file cannot be read, is not a component, or is a precompiled file of another build, key or allocation.
pub(crate) fn load(path: &Path, options: LoadOptions<'_>) -> anyhow::Result<Loaded> {
    let mut bytes = FileBytes::read(path)?;
    let same = |digest| {
        let (previous, limits) = options.previous?;
        (previous.digest == digest && same_engine_limits(limits, options.limits)).then(|| previous.clone())
    };
    let (digest, compiled) = if precompiled::is_precompiled(&bytes) {
        let decoded = decode(&bytes, options.settings).map_err(|error| in_file(path, error.into()))?;
        if let Some(same) = same(decoded.tag) {
            return Ok(same);
        }
        (decoded.tag, load_precompiled(decoded, options))
    } else {
        let digest = file_digest(&bytes);
        if let Some(same) = same(digest) {
            return Ok(same);
        }
        (digest, compile((&mut bytes, &digest), None, options))
    };
    let Compiled { component, shape, allocation, target, notice } = compiled.map_err(|error| in_file(path, error))?;
    Ok(Loaded { name: name(path), digest, component, shape, allocation, target, notice })
}

/// Verifies a precompiled file.
fn decode<'a>(bytes: &'a [u8], settings: &Settings) -> Result<Decoded<'a>, Error> {
    let key = HostKey::load(&host_key::path(settings)?)?;
    precompiled::decode(bytes, key.as_ref())
}

/// Returns the digest of a file's `bytes`.
pub(crate) fn file_digest(bytes: &[u8]) -> FileDigest {
    let mut array = FileDigest::default();
    array.copy_from_slice(digest(&SHA256, bytes).as_ref());
    array
}

/// Returns whether an engine for components with the limits `one` is the same as one for the limits `other`.
pub(crate) fn same_engine_limits(one: &Limits, other: &Limits) -> bool {
    let of_instances = |limits: &Limits| (limits.memory, limits.tables, limits.table_elements, limits.wasm_stack);
    let counts = |limits: &Limits| (limits.calls(), limits.idle_instances());
    (of_instances(one), counts(one)) == (of_instances(other), counts(other))
}

/// Compiles `path` to the bytes of a signed precompiled file, for this machine's processor or for all processors of `target`.
///
/// # Errors
///
/// As [`load`]; also if the host's key cannot be created, or there is no compiler for `target`.
pub(crate) fn precompile(path: &Path, target: Option<&str>, options: LoadOptions<'_>) -> anyhow::Result<Vec<u8>> {
    let mut bytes = FileBytes::read(path)?;
    let source = file_digest(&bytes);
    // Without the flag, the file is for the allocation that running it here would select.
    let is_given = Allocation::from_settings(options.settings)?.is_some();
    let purpose = if is_given { Purpose::Inspect } else { options.purpose };
    let compiled = compile((&mut bytes, &source), target, LoadOptions { purpose, ..options });
    let Compiled { component, shape, allocation, notice, .. } = compiled.map_err(|error| in_file(path, error))?;
    if let Some(notice) = notice {
        tracing::warn!("{notice}");
    }
    let header = Header {
        built_by: precompiled::this_build(),
        compatibility: compatibility(component.engine()),
        source: hex(&source),
        shape,
        allocation,
        target: target.map(str::to_owned),
    };
    let key = HostKey::load_or_create(&host_key::path(options.settings)?)?;
    precompiled::encode(&header, &component.serialize()?, &key)
}

/// Returns the component's name: the file's name without its extension.
pub(crate) fn name(path: &Path) -> String {
    path.file_stem().map_or_else(|| "component".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// A component and how it was compiled.
struct Compiled {
    component: Component,
    shape: Shape,
    allocation: Allocation,
    target: Option<String>,
    notice: Option<String>,
}

/// Compiles the bytes of a file with the digest `source`, unless the cache has the component. It has none for a `target`.
fn compile(
    (bytes, source): (&mut [u8], &FileDigest),
    target: Option<&str>,
    options: LoadOptions<'_>,
) -> anyhow::Result<Compiled> {
    let cache = CompileCache::from_settings(options.settings)?.filter(|_| target.is_none());
    release_candidate::rename(bytes);
    let shape = scan(bytes, options.concurrent_packages)?;
    let wanted = Allocation::from_settings(options.settings)?;
    let compile = |allocation| {
        let engine = EngineOptions { target, ..options.engine(&shape, allocation) };
        let previous = options.engine_for(&shape, allocation, target);
        let (component, shape) = fit(shape.clone(), engine, previous, |engine| {
            CompileCache::component(cache.as_ref(), engine, bytes, source)
                .map_err(|error| unless_exceeds_pool(error, |cause| cannot_compile(&cause)))
        })?;
        anyhow::Ok(Compiled { component, shape, allocation, target: target.map(str::to_owned), notice: None })
    };
    compile(wanted.unwrap_or_default()).or_else(|error| {
        let pool = error.downcast::<PoolTooLarge>()?;
        if wanted.is_some() {
            let advice = pool.advice("give --allocation on-demand");
            return Err(Error::new(ErrorKind::BadConfiguration, pool.to_string()).with_advice(advice).into());
        }
        let advice = pool.advice("accept this with --allocation on-demand");
        let notice = format!("{pool}, so memories are allocated on demand, and code checks their bounds; {advice}");
        Ok(Compiled { notice: Some(notice), ..compile(Allocation::OnDemand)? })
    })
}

/// Creates an engine, and the component with `create`, which is tried in the engine `previous` first. Returns the shape for which
/// one instance fits into the pool.
fn fit(
    mut shape: Shape,
    options: EngineOptions<'_>,
    previous: Option<&Engine>,
    create: impl Fn(&Engine) -> anyhow::Result<Component>,
) -> anyhow::Result<(Component, Shape)> {
    check_initial_sizes(&shape, options.limits)?;
    if let Some(created) = previous.and_then(|engine| unless_full(create(engine))) {
        let component = created?;
        check_component_tables(&component, options.limits)?;
        return Ok((component, shape));
    }
    for _ in 0..MAX_DOUBLINGS {
        match create(&engine(&shape, options)?) {
            Ok(component) => {
                check_component_tables(&component, options.limits)?;
                return Ok((component, shape));
            }
            // The scan counts definitions; a module that is instantiated twice has twice as many memories.
            Err(error) if exceeds_pool(&error.to_string()) => {
                check_tables(tables_of(&error.to_string()), options.limits)?;
                shape.double();
            }
            Err(error) => return Err(error),
        }
    }
    Err(cannot_compile("it instantiates too many modules").into())
}

/// Returns `None` if `created` failed because one instance of the component does not fit into the pool.
fn unless_full(created: anyhow::Result<Component>) -> Option<anyhow::Result<Component>> {
    match created {
        Err(error) if exceeds_pool(&error.to_string()) => None,
        created => Some(created),
    }
}

fn check_component_tables(component: &Component, limits: &Limits) -> Result<(), Error> {
    check_tables(component.resources_required().map_or(0, |resources| resources.num_tables), limits)
}

/// Returns whether one instance of the component does not fit into the pool, by the `error` of wasmtime.
fn exceeds_pool(error: &str) -> bool {
    error.starts_with("The component transitively contains")
}

/// Explains an error, except that of a component which does not fit into the pool.
fn unless_exceeds_pool(error: wasmtime::Error, explain: impl FnOnce(String) -> Error) -> anyhow::Error {
    if exceeds_pool(&error.to_string()) { error.into() } else { explain(format!("{error:#}")).into() }
}

/// Returns the number of tables of a component that has too many for the pool, by the `error` of wasmtime; else 0.
fn tables_of(error: &str) -> u32 {
    let before = error.split_once(" tables, which exceeds").and_then(|(start, _)| start.rsplit_once(' '));
    before.and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
}

/// Refuses a component with more tables than its limit.
fn check_tables(tables: u32, limits: &Limits) -> Result<(), Error> {
    if usize::try_from(tables).is_ok_and(|tables| tables <= limits.tables) {
        return Ok(());
    }
    let message = format!("it has {tables} tables and may have {}: raise --max-tables", limits.tables);
    Err(Error::new(ErrorKind::BadConfiguration, message))
}

fn cannot_compile(cause: &str) -> Error {
    // The lines after the first list sizes.
    let cause = cause.lines().next().unwrap_or_default().trim_end_matches([':', ';', ' ']);
    Error::new(ErrorKind::BadComponent, format!("this component cannot be compiled: {cause}"))
}

fn load_precompiled(decoded: Decoded<'_>, options: LoadOptions<'_>) -> anyhow::Result<Compiled> {
    let Decoded { header, code, .. } = decoded;
    let Header { built_by, compatibility: expected, shape, allocation, target, .. } = header;
    allocation.check(Allocation::from_settings(options.settings)?)?;
    let engine = EngineOptions { target: target.as_deref(), ..options.engine(&shape, allocation) };
    let previous = options.engine_for(&shape, allocation, target.as_deref());
    let fitted = fit(shape, engine, previous, |engine| {
        if expected != compatibility(engine) {
            let built_by = format!("{built_by}, with other processor features or settings");
            return Err(precompiled::other_build(&built_by).into());
        }
        deserialize(engine, &Verified(code)).map_err(|error| {
            unless_exceeds_pool(error, |cause| {
                Error::new(ErrorKind::BadComponent, format!("{cause}: compile it again"))
            })
        })
    });
    let (component, shape) = fitted.map_err(|error| match error.downcast::<PoolTooLarge>() {
        Ok(pool) => {
            let message = format!("this precompiled file is for --allocation {allocation}, and {pool}");
            let advice = pool.advice("compile it with --allocation on-demand");
            Error::new(ErrorKind::BadConfiguration, message).with_advice(advice).into()
        }
        Err(error) => error,
    })?;
    Ok(Compiled { component, shape, allocation, target, notice: None })
}

fn compatibility(engine: &Engine) -> String {
    let mut hasher = Sha256Hasher(digest::Context::new(&SHA256));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hex(hasher.0.finish().as_ref())
}

/// A hasher whose result is the same in all versions of the standard library.
struct Sha256Hasher(digest::Context);

impl Hasher for Sha256Hasher {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Prefixes an error about the file's contents with its path.
pub(crate) fn in_file(path: &Path, error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Error>() {
        Ok(error) => Error::new(error.kind(), path.display().to_string()).with_source(error).into(),
        Err(error) => error,
    }
}
