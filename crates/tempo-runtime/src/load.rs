//! Loads a component from a WebAssembly or precompiled file.

use std::hash::{Hash as _, Hasher};
use std::path::Path;

use ring::digest::{self, SHA256, digest};
use tempo_core::Limits;
use tempo_settings::{Error, ErrorKind, Settings};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::deserialize::{Verified, deserialize};
use crate::file_bytes::FileBytes;
use crate::host_key::{self, HostKey};
use crate::precompiled::{self, Header};
use crate::scan::{Shape, scan};

/// Maximum number of times that the pool's space for one instance is doubled to fit the component.
const MAX_DOUBLINGS: usize = 8;

/// A component with the engine made for it.
pub(crate) struct Loaded {
    /// The file's name without its extension.
    pub name: String,
    /// The component.
    pub component: Component,
    /// Its requirements on the engine.
    pub shape: Shape,
}

/// Loads `path`, and compiles it unless it is precompiled. `concurrent_packages` are those that are linked only with
/// concurrency support.
///
/// # Errors
///
/// The file cannot be read, is not a component, or is a precompiled file of another build or key.
pub(crate) fn load(
    path: &Path,
    limits: &Limits,
    settings: &Settings,
    concurrent_packages: &[&str],
) -> anyhow::Result<Loaded> {
    let bytes = FileBytes::read(path)?;
    let (component, shape) = if precompiled::is_precompiled(&bytes) {
        load_precompiled(&bytes, limits, settings)
    } else {
        compile(&bytes, None, limits, concurrent_packages)
    }
    .map_err(|error| in_file(path, error))?;
    Ok(Loaded { name: name(path), component, shape })
}

/// Compiles `path` to the bytes of a signed precompiled file, for this machine's processor or for all processors of `target`.
///
/// # Errors
///
/// As [`load`]; also if the host's key cannot be created, or there is no compiler for `target`.
pub(crate) fn precompile(
    path: &Path,
    target: Option<&str>,
    limits: &Limits,
    settings: &Settings,
    concurrent_packages: &[&str],
) -> anyhow::Result<Vec<u8>> {
    let bytes = FileBytes::read(path)?;
    let (component, shape) =
        compile(&bytes, target, limits, concurrent_packages).map_err(|error| in_file(path, error))?;
    let header = Header {
        built_by: precompiled::this_build(),
        compatibility: compatibility(component.engine()),
        source: hex(digest(&SHA256, &bytes).as_ref()),
        shape,
        target: target.map(str::to_owned),
    };
    let key = HostKey::load_or_create(&host_key::path(settings)?)?;
    precompiled::encode(&header, &component.serialize()?, &key)
}

/// Returns the component's name: the file's name without its extension.
pub(crate) fn name(path: &Path) -> String {
    path.file_stem().map_or_else(|| "component".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn compile(
    bytes: &[u8],
    target: Option<&str>,
    limits: &Limits,
    concurrent_packages: &[&str],
) -> anyhow::Result<(Component, Shape)> {
    let mut shape = scan(bytes, concurrent_packages)?;
    for _ in 0..MAX_DOUBLINGS {
        let engine = crate::engine::engine(&shape, limits, target)?;
        match Component::new(&engine, bytes) {
            Ok(component) => return Ok((component, shape)),
            // The scan counts definitions; a module that is instantiated twice has twice as many memories.
            Err(error) if exceeds_pool(&error) => {
                check_tables(&error, limits)?;
                shape.double();
            }
            Err(error) => return Err(cannot_compile(&format!("{error:#}")).into()),
        }
    }
    Err(cannot_compile("it instantiates too many modules").into())
}

/// Returns whether one instance of the component does not fit into the pool.
fn exceeds_pool(error: &wasmtime::Error) -> bool {
    error.to_string().starts_with("The component transitively contains")
}

/// Refuses a component with more tables than its limit, by which the pool is sized.
fn check_tables(error: &wasmtime::Error, limits: &Limits) -> Result<(), Error> {
    let tables = error.to_string().split_once(" tables, which exceeds").and_then(|(start, _)| {
        let (_, count) = start.rsplit_once(' ')?;
        count.parse::<usize>().ok()
    });
    match tables {
        Some(tables) if tables > limits.tables => {
            let message = format!("it has {tables} tables and may have {}: raise --max-tables", limits.tables);
            Err(Error::new(ErrorKind::BadConfiguration, message))
        }
        _ => Ok(()),
    }
}

fn cannot_compile(cause: &str) -> Error {
    // The lines after the first list sizes.
    let cause = cause.lines().next().unwrap_or_default().trim_end_matches([':', ';', ' ']);
    Error::new(ErrorKind::BadComponent, format!("this component cannot be compiled: {cause}"))
}

fn load_precompiled(bytes: &[u8], limits: &Limits, settings: &Settings) -> anyhow::Result<(Component, Shape)> {
    let key = HostKey::load(&host_key::path(settings)?)?;
    let (header, code) = precompiled::decode(bytes, key.as_ref())?;
    let engine = crate::engine::engine(&header.shape, limits, header.target.as_deref())?;
    if header.compatibility != compatibility(&engine) {
        let built_by = format!("{}, with other processor features or settings", header.built_by);
        return Err(precompiled::other_build(&built_by).into());
    }
    let component = deserialize(&engine, &Verified(code)).map_err(|error| {
        let too_many = check_tables(&error, limits).err();
        too_many.unwrap_or_else(|| Error::new(ErrorKind::BadComponent, format!("{error:#}: compile it again")))
    })?;
    Ok((component, header.shape))
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
fn in_file(path: &Path, error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Error>() {
        Ok(error) => Error::new(error.kind(), path.display().to_string()).with_source(error).into(),
        Err(error) => error,
    }
}
