//! Dependencies point one way: runtimes -> tempo-runtime -> tempo-core <- wasi-*; below them, without wasmtime, tempo-settings
//! <- tempo-telemetry <- tempo-backend <- keyvalue, blobstore, messaging <- tempo-nats; and `sdk-*` apart.

use anyhow::Result;

use super::crates::relative;
use super::problems::Problems;
use super::tree::Tree;
use crate::shell;
use crate::workspace::{Package, Workspace};

/// Crates that take their configuration as values: they must not read the embedder's environment.
const NO_ENVIRONMENT: &[&str] =
    &["crates/tempo-core/src/", "crates/tempo-settings/src/", "crates/tempo-telemetry/src/"];

/// A layer, determined by the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Settings,
    Telemetry,
    Export,
    Dashboard,
    Tool,
    Scaffold,
    Backend,
    Domain,
    Server,
    Core,
    Runtime,
    Service,
    Sdk,
    Program,
    Guest,
    Tests,
    Fuzz,
    Xtask,
}

impl Layer {
    fn of(dir: &str) -> Option<Self> {
        let parts: Vec<&str> = dir.split('/').collect();
        Some(match *parts.as_slice() {
            ["crates", "tempo-settings"] => Self::Settings,
            ["crates", "tempo-telemetry"] => Self::Telemetry,
            ["crates", "tempo-otlp"] => Self::Export,
            ["crates", "tempo-dashboard"] => Self::Dashboard,
            ["crates", "tempo-tool"] => Self::Tool,
            ["crates", "tempo-new"] => Self::Scaffold,
            ["crates", "tempo-backend"] => Self::Backend,
            ["crates", "keyvalue" | "blobstore" | "messaging"] => Self::Domain,
            ["crates", "tempo-nats"] => Self::Server,
            ["crates", "tempo-core"] => Self::Core,
            ["crates", "tempo-runtime"] => Self::Runtime,
            ["crates", name] if name.starts_with("wasi-") => Self::Service,
            ["crates", name] if name.starts_with("sdk-") => Self::Sdk,
            ["runtimes", _] => Self::Program,
            ["guests", _] | ["tests", "guests", _] => Self::Guest,
            ["tests"] => Self::Tests,
            ["fuzz"] => Self::Fuzz,
            ["xtask"] => Self::Xtask,
            _ => return None,
        })
    }

    /// Returns the layers that it may depend on.
    fn below(self) -> &'static [Self] {
        match self {
            Self::Settings | Self::Xtask => &[],
            Self::Telemetry | Self::Tool => &[Self::Settings],
            Self::Scaffold => &[Self::Settings, Self::Tool],
            Self::Dashboard => &[Self::Settings, Self::Telemetry, Self::Export],
            Self::Export | Self::Backend => &[Self::Settings, Self::Telemetry],
            Self::Domain => &[Self::Settings, Self::Telemetry, Self::Backend],
            Self::Server => &[Self::Settings, Self::Telemetry, Self::Backend, Self::Domain],
            Self::Core => &[Self::Settings, Self::Telemetry, Self::Backend],
            Self::Service => &[Self::Settings, Self::Telemetry, Self::Tool, Self::Backend, Self::Domain, Self::Core],
            Self::Runtime => {
                &[Self::Settings, Self::Telemetry, Self::Export, Self::Dashboard, Self::Tool, Self::Backend, Self::Core]
            }
            Self::Sdk | Self::Guest => &[Self::Sdk],
            Self::Program => &[Self::Runtime, Self::Scaffold, Self::Core, Self::Service, Self::Domain, Self::Server],
            // Tests and fuzz targets reach every layer.
            Self::Tests | Self::Fuzz => &[
                Self::Settings,
                Self::Telemetry,
                Self::Export,
                Self::Dashboard,
                Self::Backend,
                Self::Domain,
                Self::Server,
                Self::Core,
                Self::Service,
                Self::Runtime,
            ],
        }
    }
}

pub(super) fn check(tree: &Tree, workspace: &Workspace, problems: &mut Problems) -> Result<()> {
    for package in &workspace.packages {
        check_direct(package, workspace, problems);
        let forbidden = match layer(package) {
            Some(Layer::Core) => "clap",
            Some(Layer::Runtime | Layer::Service | Layer::Program | Layer::Tests | Layer::Fuzz | Layer::Xtask)
            | None => continue,
            Some(_) => "wasmtime",
        };
        for reached in reached(package)?.iter().filter(|name| is_of(name, forbidden)) {
            problems.add(&package.name, format!("reaches {reached}; `cargo tree -p {} -i {reached}`", package.name));
        }
    }
    check_environment(tree, problems);
    Ok(())
}

fn layer(package: &Package) -> Option<Layer> {
    Layer::of(&relative(&package.dir)?)
}

fn check_direct(package: &Package, workspace: &Workspace, problems: &mut Problems) {
    let Some(own) = layer(package) else {
        problems.add(&package.name, "its directory is in no layer; see `Layer` in xtask/src/check/layers.rs");
        return;
    };
    for name in &package.dependencies {
        let dependency = workspace.packages.iter().find(|other| other.name == *name);
        if let Some(other) = dependency.and_then(layer).filter(|other| !own.below().contains(other)) {
            problems.add(&package.name, format!("depends on {name}: {own:?} may not be built on {other:?}"));
        }
    }
    if own == Layer::Service && !package.dependencies.iter().any(|name| name == "tempo-core") {
        problems.add(&package.name, "a service is built on tempo-core");
    }
}

/// Returns everything that a package is built with, on any target and with any feature.
fn reached(package: &Package) -> Result<Vec<String>> {
    let mut tree = shell::cargo();
    tree.args(["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}", "--target", "all"]);
    let list = shell::read(tree.args(["--all-features", "--package", &package.name]))?;
    let mut names: Vec<_> = list.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Returns true if a crate is the named one, or one of its parts (`wasmtime-environ`, `clap_builder`).
fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

fn check_environment(tree: &Tree, problems: &mut Problems) {
    for file in tree.rust().filter(|file| NO_ENVIRONMENT.iter().any(|path| file.path.starts_with(path))) {
        for (number, line) in (1..).zip(file.text.lines()) {
            if line.contains("std::env") || line.contains("env::var") {
                problems.add(format!("{}:{number}", file.path), "this crate does not read the environment");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dir: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            version: String::new(),
            dir: crate::workspace::root().join(dir),
            library: true,
            programs: Vec::new(),
            wasm: String::new(),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
            spawns_tasks: false,
            publish: true,
            runtime: None,
            guest: false,
        }
    }

    #[test]
    fn a_dependency_that_points_the_wrong_way_is_found() {
        let workspace = Workspace {
            packages: vec![
                package("core", "crates/tempo-core", &[]),
                package("http", "crates/wasi-http", &["core", "tempo-core", "config"]),
                package("config", "crates/wasi-config", &["core"]),
                package("sdk", "crates/sdk-http", &["core"]),
                package("other", "crates/other", &[]),
            ],
            target: "target".into(),
        };
        let mut problems = Problems::default();
        for package in &workspace.packages {
            check_direct(package, &workspace, &mut problems);
        }
        assert_eq!(
            problems.lines(),
            [
                "http: depends on config: Service may not be built on Service",
                "config: a service is built on tempo-core",
                "sdk: depends on core: Sdk may not be built on Core",
                "other: its directory is in no layer; see `Layer` in xtask/src/check/layers.rs",
            ]
        );
    }

    #[test]
    fn a_family_of_crates_is_known_by_its_name() {
        assert!(is_of("wasmtime", "wasmtime") && is_of("wasmtime-wasi", "wasmtime") && is_of("clap_builder", "clap"));
        assert!(!is_of("wasmtimer", "wasmtime"));
    }

    #[test]
    fn the_seam_does_not_read_the_environment() {
        let mut problems = Problems::default();
        let tree =
            Tree::of(&[("crates/tempo-core/src/a.rs", "//! A.\nuse std::env;\n"), ("xtask/src/a.rs", "use std::env;")]);
        check_environment(&tree, &mut problems);
        assert_eq!(problems.lines(), ["crates/tempo-core/src/a.rs:2: this crate does not read the environment"]);
    }
}
