//! `compose`: one component with its dependencies, by a graph of `wac-graph`.

use std::collections::BTreeSet;

use wac_graph::types::{ItemKind, Package};
use wac_graph::{CompositionGraph, EncodeOptions, InstantiationArgumentError, NodeId, PackageId};

use crate::interfaces::is_same_interface;

/// A component whose exports another one imports.
pub(super) struct Dependency<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// The component, composed with its own dependencies.
    pub(super) component: &'a [u8],
    /// The interfaces that the other component imports from it, with or without version.
    pub(super) interfaces: Vec<&'a str>,
    /// Its imports that are denied.
    pub(super) denied: Vec<String>,
    /// The component that exports them; `None` if there are none.
    pub(super) adapter: Option<Vec<u8>>,
}

/// Returns the component in which the exports of `dependencies` are the imports of `caller`, the component `name`. The other imports
/// of all are those of the result, and its exports are those of `caller`.
///
/// # Errors
///
/// An interface is not imported or not exported, its types differ, or a component has types that cannot be composed.
pub(super) fn compose(name: &str, caller: &[u8], dependencies: &[Dependency<'_>]) -> Result<Vec<u8>, String> {
    let mut graph = Graph(CompositionGraph::new());
    let socket = graph.package(name, caller)?;
    let instance = graph.0.instantiate(socket);
    for dependency in dependencies {
        let (package, plug) = graph.instantiate(dependency)?;
        for (import, export) in graph.pairs(socket, package, dependency)? {
            let value = graph.0.alias_instance_export(plug, &export).map_err(|error| error.to_string())?;
            let set = graph.0.set_instantiation_argument(instance, &import, value);
            set.map_err(|error| mismatch(&import, &export, dependency.name, &error))?;
        }
    }
    let exports: Vec<String> = graph.world(socket).exports.keys().cloned().collect();
    for export in exports {
        let value = graph.0.alias_instance_export(instance, &export).map_err(|error| error.to_string())?;
        graph.0.export(value, &export).map_err(|error| error.to_string())?;
    }
    graph.0.encode(EncodeOptions::default()).map_err(|error| causes(&error))
}

struct Graph(CompositionGraph);

impl Graph {
    fn package(&mut self, name: &str, component: &[u8]) -> Result<PackageId, String> {
        let package = Package::from_bytes(name, None, component.to_vec(), self.0.types_mut());
        let package = package.map_err(|error| format!("`{name}` cannot be composed: {error:#}"))?;
        self.0.register_package(package).map_err(|error| error.to_string())
    }

    /// Instantiates `dependency` with its denied imports.
    fn instantiate(&mut self, dependency: &Dependency<'_>) -> Result<(PackageId, NodeId), String> {
        let name = dependency.name;
        let package = self.package(&format!("{name} as a dependency"), dependency.component)?;
        let instance = self.0.instantiate(package);
        if let Some(adapter) = &dependency.adapter {
            let adapter = self.package(&format!("denied to {name}"), adapter)?;
            let adapter = self.0.instantiate(adapter);
            for denied in &dependency.denied {
                let value = self.0.alias_instance_export(adapter, denied).map_err(|error| error.to_string())?;
                let set = self.0.set_instantiation_argument(instance, denied, value);
                set.map_err(|error| format!("`{denied}` cannot be denied to `{name}`: {}", causes(&error)))?;
            }
        }
        Ok((package, instance))
    }

    fn world(&self, package: PackageId) -> &wac_graph::types::World {
        let types = self.0.types();
        &types[self.0[package].ty()]
    }

    /// Returns the imports of `socket` that `dependency` exports, with the exports: those that it is asked for, and those whose types
    /// they use.
    fn pairs(
        &self,
        socket: PackageId,
        package: PackageId,
        dependency: &Dependency<'_>,
    ) -> Result<Vec<(String, String)>, String> {
        let (imports, exports) = (&self.world(socket).imports, &self.world(package).exports);
        let exported = |import: &str| exports.keys().find(|export| is_same_interface(export, import));
        let mut pairs = Vec::new();
        let mut used = BTreeSet::new();
        for wanted in &dependency.interfaces {
            let import = imports.iter().find(|(import, _)| is_same_interface(import, wanted));
            let (import, kind) = import.ok_or_else(|| format!("it does not import `{wanted}`; remove the line"))?;
            let export = exported(import).ok_or_else(|| format!("`{}` does not export `{import}`", dependency.name))?;
            pairs.push((import.clone(), export.clone()));
            self.add_used(*kind, &mut used);
        }
        let is_given = |name: &String| pairs.iter().any(|(import, _)| import == name);
        let others = used.iter().filter(|name| imports.contains_key(*name) && !is_given(name));
        let others: Vec<_> = others.filter_map(|name| Some((name.clone(), exported(name)?.clone()))).collect();
        pairs.extend(others);
        Ok(pairs)
    }

    /// Adds the names of the interfaces whose types the instance of `kind` uses.
    fn add_used(&self, kind: ItemKind, used: &mut BTreeSet<String>) {
        let ItemKind::Instance(interface) = kind else { return };
        for other in self.0.types()[interface].uses.values() {
            if let Some(name) = &self.0.types()[other.interface].id
                && used.insert(name.clone())
            {
                self.add_used(ItemKind::Instance(other.interface), used);
            }
        }
    }
}

/// Explains the difference between an import and an export.
fn mismatch(import: &str, export: &str, dependency: &str, error: &InstantiationArgumentError) -> String {
    match error {
        InstantiationArgumentError::ArgumentTypeMismatch { source, .. } => {
            format!("the import `{import}` differs from the export `{export}` of `{dependency}`: {source:#}")
        }
        InstantiationArgumentError::ArgumentAlreadyPassed { .. } => {
            format!("`{import}` is linked twice; remove one of the lines")
        }
        other => causes(other),
    }
}

/// Returns `error` with its causes, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.lines().next().unwrap_or_default().to_owned()
}
