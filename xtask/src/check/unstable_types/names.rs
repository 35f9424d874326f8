//! Names in a module that stand for items of a 0.x crate: the names of the crates, and those that `use` brings in.

use std::collections::BTreeMap;

use syn::{Item, UseTree, Visibility};

/// The 0.x dependencies: the name in code, with the name of the package and its version.
#[derive(Debug, Default)]
pub(super) struct Unstable(BTreeMap<String, (String, String)>);

impl Unstable {
    pub(super) fn insert(&mut self, package: &str, version: &str) {
        self.0.insert(package.replace('-', "_"), (package.to_owned(), version.to_owned()));
    }

    /// Returns the version of a package.
    pub(super) fn version(&self, package: &str) -> Option<&str> {
        self.0.values().find(|(name, _)| name == package).map(|(_, version)| version.as_str())
    }

    /// Returns the package that an identifier of code names.
    fn package(&self, ident: &str) -> Option<&str> {
        self.0.get(ident).map(|(package, _)| package.as_str())
    }
}

/// The names of one module.
#[derive(Debug)]
pub(super) struct Names<'a> {
    unstable: &'a Unstable,
    /// The imported names, with the first segment of the imported path.
    imported: BTreeMap<String, String>,
}

impl<'a> Names<'a> {
    /// Reads the imports of a module.
    pub(super) fn of(items: &[Item], unstable: &'a Unstable) -> Self {
        let mut names = Self { unstable, imported: BTreeMap::new() };
        for item in items {
            if let Item::Use(item) = item {
                let mut leaves = Vec::new();
                leaves_of(&item.tree, &mut Vec::new(), &mut leaves);
                names.imported.extend(leaves.into_iter().map(|leaf| (leaf.name, leaf.root)));
            }
        }
        names
    }

    /// Returns the 0.x package that a path belongs to, by its first segment.
    pub(super) fn package(&self, first: &str) -> Option<&'a str> {
        self.unstable.package(self.imported.get(first).map_or(first, String::as_str))
    }

    /// Returns the 0.x packages that an import makes public: those of a `use` that other modules can see, and of a glob, whose
    /// names are unknown.
    pub(super) fn exported(&self, item: &syn::ItemUse) -> Vec<&'a str> {
        let mut leaves = Vec::new();
        leaves_of(&item.tree, &mut Vec::new(), &mut leaves);
        let is_visible = !matches!(item.vis, Visibility::Inherited);
        let exported = leaves.iter().filter(|leaf| is_visible || leaf.name == "*");
        exported.filter_map(|leaf| self.package(&leaf.root)).collect()
    }
}

/// A name that a `use` brings in, and the first segment of its path.
struct Leaf {
    name: String,
    root: String,
}

fn leaves_of(tree: &UseTree, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    let mut add = |last: String, name: String| {
        let root = path.first().cloned().unwrap_or_else(|| last.clone());
        // `use a::b::{self}` brings in `b`.
        let name = if name == "self" { path.last().cloned().unwrap_or(name) } else { name };
        leaves.push(Leaf { name, root });
    };
    match tree {
        UseTree::Name(name) => add(name.ident.to_string(), name.ident.to_string()),
        UseTree::Rename(rename) => add(rename.ident.to_string(), rename.rename.to_string()),
        UseTree::Glob(_) => add("*".to_owned(), "*".to_owned()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves_of(tree, path, leaves)),
        UseTree::Path(step) => {
            path.push(step.ident.to_string());
            leaves_of(&step.tree, path, leaves);
            path.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_resolved_to_their_crate() {
        let source = "use futures::{self, stream::{self, BoxStream as Data}}; use crate::Local; use std::futures::Std;";
        let items = syn::parse_file(source).unwrap().items;
        let mut unstable = Unstable::default();
        unstable.insert("futures", "0.3.1");
        let names = Names::of(&items, &unstable);
        for name in ["futures", "stream", "Data"] {
            assert_eq!(names.package(name), Some("futures"), "{name}");
        }
        for name in ["Local", "Std", "BoxStream", "Vec"] {
            assert_eq!(names.package(name), None, "{name}");
        }
    }
}
