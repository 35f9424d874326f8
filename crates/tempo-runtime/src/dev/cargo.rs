//! `CargoProject`: finds the package that builds a component, and what it is built from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::built_file::BuiltFile;
use super::command::cargo;
use crate::watch::WatchSet;

/// A workspace of Cargo, as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub(super) struct CargoProject {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    /// Its name.
    pub(super) name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    /// The folder of a dependency that is no download.
    path: Option<PathBuf>,
}

/// Files beside the workspace's `Cargo.toml` that a build depends on.
const OF_WORKSPACE: &[&str] = &["Cargo.toml", ".cargo/config.toml", "rust-toolchain.toml", "rust-toolchain"];

impl CargoProject {
    /// Reads the project in `folder`.
    ///
    /// # Errors
    ///
    /// Cargo cannot be run, or refuses the project. The error is the text of Cargo.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let mut metadata = Command::new(cargo());
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(folder).stdin(Stdio::null());
        let output = metadata.output().map_err(|error| format!("cannot run cargo: {error}; install Rust"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
    }

    /// Returns the package whose library or program is `file`.
    pub(super) fn package(&self, file: &BuiltFile) -> Option<&Package> {
        self.packages.iter().find(|package| package.targets.iter().any(|target| target.is(&file.name)))
    }

    /// Returns what `package` is built from.
    pub(super) fn watched(&self, package: &Package) -> WatchSet {
        let mut set = WatchSet::default();
        OF_WORKSPACE.iter().for_each(|file| set.add(&self.workspace_root.join(file)));
        set.exclude(&self.target_directory);
        // Cargo writes it in the first build.
        set.exclude(&self.workspace_root.join("Cargo.lock"));
        let (mut folders, mut remaining) = (BTreeSet::new(), vec![package.folder()]);
        while let Some(folder) = remaining.pop() {
            if folders.insert(folder) {
                set.add(folder);
                let package = self.packages.iter().find(|package| package.folder() == folder);
                let dependencies = package.into_iter().flat_map(|package| &package.dependencies);
                remaining.extend(dependencies.filter_map(|dependency| dependency.path.as_deref()));
            }
        }
        // A package at the root of a workspace contains the others.
        let others = self.packages.iter().map(Package::folder).filter(|folder| !folders.contains(folder));
        others.for_each(|folder| set.exclude(folder));
        set
    }
}

impl Package {
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

impl Target {
    /// Returns whether this target is built as `NAME.wasm`.
    fn is(&self, name: &str) -> bool {
        self.kind.iter().any(|kind| match kind.as_str() {
            "bin" => self.name == name,
            "cdylib" => self.name.replace('-', "_") == name,
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace with a library, a program that depends on it and on a folder outside, and a package at the root.
    const METADATA: &str = r#"{
        "packages": [
            { "name": "root", "manifest_path": "/app/Cargo.toml", "targets": [{ "name": "my-root", "kind": ["cdylib", "rlib"] }], "dependencies": [] },
            { "name": "shared", "manifest_path": "/app/shared/Cargo.toml", "targets": [{ "name": "api", "kind": ["lib"] }], "dependencies": [] },
            { "name": "api", "manifest_path": "/app/api/Cargo.toml", "targets": [{ "name": "api", "kind": ["bin"] }, { "name": "build-script-build", "kind": ["custom-build"] }],
              "dependencies": [{ "name": "serde" }, { "name": "shared", "path": "/app/shared" }, { "name": "out", "path": "/out" }] }
        ],
        "workspace_root": "/app", "target_directory": "/app/target"
    }"#;

    fn project() -> CargoProject {
        serde_json::from_str(METADATA).unwrap()
    }

    fn file(name: &str) -> BuiltFile {
        BuiltFile::parse(&Path::new("/app/target/wasm32-wasip2/release").join(format!("{name}.wasm"))).unwrap()
    }

    #[test]
    fn the_package_is_that_of_the_library_or_the_program() {
        let project = project();
        let package = |name: &str| project.package(&file(name)).map(|package| package.name.clone());
        assert_eq!(package("my_root").as_deref(), Some("root"));
        assert_eq!(package("api").as_deref(), Some("api"));
        assert_eq!((package("my-root"), package("shared"), package("build-script-build")), (None, None, None));
    }

    #[test]
    fn a_package_is_built_from_its_folder_and_those_of_its_dependencies() {
        let project = project();
        let contains = |package: &str, path: &str| {
            let package = project.package(&file(package)).unwrap();
            project.watched(package).contains(Path::new(path))
        };
        for path in ["api/src/main.rs", "api/wit/world.wit", "shared/src/lib.rs", "Cargo.toml", ".cargo/config.toml"] {
            assert!(contains("api", &format!("/app/{path}")), "{path}");
        }
        assert!(contains("api", "/out/lib.rs"));
        for path in ["src/lib.rs", "tempo.toml", "Cargo.lock", "target/a", "api/.hidden"] {
            assert!(!contains("api", &format!("/app/{path}")), "{path}");
        }
        assert!(contains("my_root", "/app/src/lib.rs") && !contains("my_root", "/app/Cargo.lock"));
        assert!(!contains("my_root", "/app/shared/src/lib.rs") && !contains("my_root", "/app/api/src/main.rs"));
    }
}
