//! Where things are: the root, the target directory, and the packages, as cargo sees them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its name on crates.io.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Where its Cargo.toml is.
    pub(crate) dir: PathBuf,
    /// Whether it has a library that other crates can use.
    pub(crate) library: bool,
    /// The names of its programs.
    pub(crate) programs: Vec<String>,
    /// Whether it goes to a registry.
    pub(crate) publish: bool,
    /// Whether it is a guest: compiled for wasm only.
    pub(crate) guest: bool,
}

impl Package {
    /// The name of its file in the guest profile's output.
    pub(crate) fn wasm(&self) -> String {
        let name = self.programs.first().cloned().unwrap_or_else(|| self.name.replace('-', "_"));
        format!("{name}.wasm")
    }
}

/// The workspace, read once by each command that needs it.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// All members, in cargo's order.
    pub(crate) packages: Vec<Package>,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self> {
        let text = shell::read(shell::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let json: Value = serde_json::from_str(&text).context("cargo metadata wrote something that is not JSON")?;
        let packages = json["packages"].as_array().context("cargo metadata lists no packages")?;
        Ok(Self {
            packages: packages.iter().map(package).collect::<Result<_>>()?,
            target: string(&json, "target_directory")?.into(),
        })
    }

    /// The packages that are compiled for wasm.
    pub(crate) fn guests(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.guest)
    }

    /// The programs under `runtimes/`.
    pub(crate) fn runtimes(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.dir.starts_with(root().join("runtimes")))
    }

    /// Where the guest profile leaves its components.
    pub(crate) fn guest_dir(&self) -> PathBuf {
        self.target.join("wasm32-wasip2").join("guest")
    }

    /// `--workspace --exclude GUEST ...`: everything that is built for the host.
    pub(crate) fn host_arguments(&self) -> Vec<String> {
        let excluded = self.guests().flat_map(|guest| ["--exclude".to_owned(), guest.name.clone()]);
        ["--workspace".to_owned()].into_iter().chain(excluded).collect()
    }
}

/// The directory of the workspace's Cargo.toml.
pub(crate) fn root() -> PathBuf {
    // Cargo says where xtask is when it runs it: a clone that was moved with its target directory is still right.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).parent().map(Path::to_path_buf).unwrap_or_default()
}

fn package(json: &Value) -> Result<Package> {
    let manifest = PathBuf::from(string(json, "manifest_path")?);
    let Some(dir) = manifest.parent().map(Path::to_path_buf) else { bail!("{} has no directory", manifest.display()) };
    let targets = json["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is =
        |target: &Value, kind: &str| target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == kind));
    Ok(Package {
        name: string(json, "name")?,
        version: string(json, "version")?,
        library: targets.iter().any(|target| is(target, "lib") || is(target, "proc-macro")),
        programs: targets
            .iter()
            .filter(|target| is(target, "bin"))
            .map(|target| string(target, "name"))
            .collect::<Result<_>>()?,
        publish: json["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
        guest: ["guests", "tests/guests"].iter().any(|guests| dir.starts_with(root().join(guests))),
        dir,
    })
}

fn string(json: &Value, key: &str) -> Result<String> {
    Ok(json[key].as_str().with_context(|| format!("cargo metadata has no {key}"))?.to_owned())
}
