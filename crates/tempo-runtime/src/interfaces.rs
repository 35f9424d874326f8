//! The names of a component's imports and exports.

use std::borrow::Cow;

use tempo_backend::LabelledImport;
use wasmtime::component::Component;

use crate::release_candidate::name_in_file;

/// The names of a component's imports and exports, with versions.
#[derive(Clone, Debug)]
pub(crate) struct Interfaces {
    /// The imports.
    pub imports: Vec<Import>,
    /// The exports.
    pub exports: Vec<String>,
}

impl Interfaces {
    /// Reads the names from the component's type.
    pub(crate) fn of(component: &Component) -> Self {
        let engine = component.engine();
        let ty = component.component_type();
        Self {
            imports: ty.imports(engine).map(|(name, import)| Import::new(name, import.implements)).collect(),
            exports: ty.exports(engine).map(|(name, _)| name.to_owned()).collect(),
        }
    }
}

/// An import of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// Its name in the component: that of an interface, or a label.
    pub name: String,
    /// The interface, if the name is a label.
    implements: Option<String>,
}

impl Import {
    /// Creates the import `name`, which is a label if it implements an interface.
    pub(crate) fn new(name: &str, implements: Option<&str>) -> Self {
        Self { name: name.to_owned(), implements: implements.map(str::to_owned) }
    }

    /// Returns the name of the interface, with its version.
    pub(crate) fn interface(&self) -> &str {
        self.implements.as_deref().unwrap_or(&self.name)
    }

    /// Returns the label with the interface, if it has one.
    pub(crate) fn labelled(&self) -> Option<LabelledImport> {
        let interface = self.implements.clone()?;
        Some(LabelledImport { label: self.name.clone(), interface })
    }

    /// Returns the label, if it has one.
    pub(crate) fn label(&self) -> Option<&str> {
        self.implements.as_ref().map(|_| self.name.as_str())
    }

    /// Returns the import as WIT writes it: `wasi:keyvalue/store@0.2.0-draft2`, or `cache: wasi:keyvalue/store@0.2.0-draft2`.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match &self.implements {
            Some(interface) => format!("{}: {interface}", self.name).into(),
            None => name_in_file(&self.name),
        }
    }
}

/// Returns whether `interface`, such as `wasi:clocks/types@0.3.1`, belongs to a version of the package that is compatible with
/// `package`, such as `wasi:clocks@0.3.0`.
pub(crate) fn is_compatible(interface: &str, package: &str) -> bool {
    let (Some((path, version)), Some((name, other))) = (interface.split_once('@'), package.split_once('@')) else {
        return false;
    };
    path.split_once('/').is_some_and(|(package, _)| package == name)
        && compatible_prefix(version) == compatible_prefix(other)
}

/// Returns whether the interface `name`, such as `acme:pricing/quote@1.2.0`, is the one that `wanted` names: without a version,
/// or with a compatible one.
pub(crate) fn is_same_interface(name: &str, wanted: &str) -> bool {
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    let (wanted, compatible) = wanted.split_once('@').unwrap_or((wanted, version));
    path == wanted && compatible_prefix(version) == compatible_prefix(compatible)
}

/// Returns the prefix that compatible versions share: a whole pre-release, `0.MINOR` below 1.0, else `MAJOR`.
fn compatible_prefix(version: &str) -> &str {
    // Build metadata does not count.
    let version = version.split_once('+').map_or(version, |(version, _)| version);
    if version.contains('-') {
        return version;
    }
    let ends = |nth: usize| version.match_indices('.').nth(nth).map_or(version.len(), |(index, _)| index);
    let end = ends(usize::from(version.starts_with("0.")));
    version.get(..end).unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_named_with_or_without_version() {
        for (wanted, expected) in [
            ("acme:pricing/quote", true),
            ("acme:pricing/quote@1.2.0", true),
            ("acme:pricing/quote@1.0.0", true),
            ("acme:pricing/quote@2.0.0", false),
            ("acme:pricing/quotes", false),
            ("acme:pricing", false),
        ] {
            assert_eq!(is_same_interface("acme:pricing/quote@1.2.0", wanted), expected, "{wanted}");
        }
        assert!(is_same_interface("quote", "quote"));
    }

    #[test]
    fn compatible_versions_belong_to_one_package() {
        for (interface, package, expected) in [
            ("wasi:clocks/types@0.3.0", "wasi:clocks@0.3.0", true),
            ("wasi:clocks/types@0.3.7", "wasi:clocks@0.3.0", true),
            ("wasi:clocks/types@0.3.0+rc-2026-03-15", "wasi:clocks@0.3.0", true),
            ("wasi:clocks/types@0.2.0", "wasi:clocks@0.3.0", false),
            ("wasi:clocks/types@0.3.0-rc-2026-01-01", "wasi:clocks@0.3.0", false),
            ("wasi:clocks-more/types@0.3.0", "wasi:clocks@0.3.0", false),
            ("acme:x/y@1.4.0", "acme:x@1.0.0", true),
            ("acme:x/y@2.0.0", "acme:x@1.0.0", false),
            ("acme:x/y@0.0.1", "acme:x@0.1.0", false),
            ("acme:x/y", "acme:x@1.0.0", false),
            ("y", "acme:x@1.0.0", false),
        ] {
            assert_eq!(is_compatible(interface, package), expected, "{interface} {package}");
        }
    }
}
