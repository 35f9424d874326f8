//! The workspace: its root, the target directory, and its packages, from cargo's metadata.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    /// The name on crates.io.
    pub(crate) name: String,
    /// The version.
    pub(crate) version: String,
    /// The directory of its Cargo.toml.
    pub(crate) dir: PathBuf,
    /// True if it has a library that other crates can use.
    pub(crate) library: bool,
    /// The names of its programs.
    pub(crate) programs: Vec<String>,
    /// The file name of the component, for a guest.
    pub(crate) wasm: String,
    /// Its dependencies in this workspace, without dev-dependencies.
    pub(crate) dependencies: Vec<String>,
    /// True if it asks for the feature `async-spawn` of wit-bindgen itself.
    pub(crate) spawns_tasks: bool,
    /// True if it is published to a registry.
    pub(crate) publish: bool,
    /// True for a guest, which is compiled for wasm only.
    pub(crate) guest: bool,
    /// The smallest runtime with the services of a guest, if its manifest names one: `package.metadata.tempo.runtime`.
    pub(crate) runtime: Option<String>,
}

impl Package {
    /// Returns the name of its directory, by which commands select it.
    pub(crate) fn dir_name(&self) -> &str {
        self.dir.file_name().and_then(|name| name.to_str()).unwrap_or(&self.name)
    }
}

/// The workspace. Each command that needs it reads it once.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// All members, in cargo's order.
    pub(crate) packages: Vec<Package>,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Reads cargo's metadata.
    pub(crate) fn load() -> Result<Self> {
        let text = shell::read(shell::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let json: Value = serde_json::from_str(&text).context("cargo metadata wrote something that is not JSON")?;
        let packages = json.get("packages").and_then(Value::as_array).context("cargo metadata lists no packages")?;
        Ok(Self {
            packages: packages.iter().map(package).collect::<Result<_>>()?,
            target: string(&json, "target_directory")?.into(),
        })
    }

    /// Iterates over the packages that are compiled for wasm.
    pub(crate) fn guests(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.guest)
    }

    /// Iterates over the programs under `runtimes/`.
    pub(crate) fn runtimes(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.dir.starts_with(root().join("runtimes")))
    }

    /// Returns the directory of the components in the guest profile.
    pub(crate) fn guest_dir(&self) -> PathBuf {
        self.target.join("wasm32-wasip2").join("guest")
    }

    /// Returns the directory of the programs in the dev or the release profile.
    pub(crate) fn profile_dir(&self, release: bool) -> PathBuf {
        self.target.join(if release { "release" } else { "debug" })
    }
}

/// Formats packages as `--package NAME ...`, for cargo's commands.
pub(crate) fn select<'a>(packages: impl Iterator<Item = &'a Package>) -> Vec<String> {
    packages.flat_map(|package| ["--package".to_owned(), package.name.clone()]).collect()
}

/// Returns the directory of the workspace's Cargo.toml.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the path of xtask when it runs it: a moved clone with its target directory still works.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).parent().map(Path::to_path_buf).unwrap_or_default()
}

fn package(json: &Value) -> Result<Package> {
    let manifest = PathBuf::from(string(json, "manifest_path")?);
    let Some(dir) = manifest.parent().map(Path::to_path_buf) else { bail!("{} has no directory", manifest.display()) };
    let name = string(json, "name")?;
    let targets = json["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_kind = |kind: &str| -> Vec<String> {
        let of_kind = targets.iter().filter(|target| lists(&target["kind"], kind));
        of_kind.filter_map(|target| Some(target["name"].as_str()?.to_owned())).collect()
    };
    let programs = of_kind("bin");
    // Library files are named after the crate, program files after the program.
    let library = of_kind("cdylib").first().map(|name| name.replace('-', "_"));
    let wasm = library.or_else(|| programs.first().cloned()).unwrap_or_else(|| name.clone());
    Ok(Package {
        version: string(json, "version")?,
        library: !of_kind("lib").is_empty() || !of_kind("proc-macro").is_empty(),
        programs,
        wasm: format!("{wasm}.wasm"),
        dependencies: dependencies(json),
        spawns_tasks: spawns_tasks(json),
        publish: json["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
        runtime: json.pointer("/metadata/tempo/runtime").and_then(Value::as_str).map(str::to_owned),
        guest: ["guests", "tests/guests"].iter().any(|guests| dir.starts_with(root().join(guests))),
        name,
        dir,
    })
}

/// Returns the non-dev dependencies with a path, which are those of the workspace.
fn dependencies(json: &Value) -> Vec<String> {
    let all = json["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let built_with = all.iter().filter(|dependency| dependency["kind"] != "dev" && dependency["path"].is_string());
    built_with.filter_map(|dependency| Some(dependency["name"].as_str()?.to_owned())).collect()
}

fn spawns_tasks(json: &Value) -> bool {
    let all = json["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut bindgen = all.iter().filter(|dependency| dependency["name"] == "wit-bindgen");
    bindgen.any(|dependency| lists(&dependency["features"], "async-spawn"))
}

fn lists(json: &Value, word: &str) -> bool {
    json.as_array().is_some_and(|words| words.iter().any(|w| w == word))
}

fn string(json: &Value, key: &str) -> Result<String> {
    Ok(json[key].as_str().with_context(|| format!("cargo metadata has no {key}"))?.to_owned())
}
