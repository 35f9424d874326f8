//! The public API of tempo-core names no type of a 0.x dependency: each minor release of that crate would be a breaking
//! release of tempo-core. `xtask/unstable-types.toml` lists the exceptions, with the reasons.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::problems::Problems;
use super::tree::{SourceFile, Tree};

mod names;
mod visit;

use names::Unstable;
use visit::PublicItems;

/// The package that the rule applies to, and the directory of its sources.
const PACKAGE: &str = "tempo-core";
const SOURCES: &str = "crates/tempo-core/src/";

/// The exceptions.
const DATA: &str = "xtask/unstable-types.toml";

pub(super) fn check(tree: &Tree, problems: &mut Problems) -> Result<()> {
    let (Some(lock), Some(data)) = (tree.get("Cargo.lock"), tree.get(DATA)) else { return Ok(()) };
    let unstable = unstable(&lock.text).context("cannot read Cargo.lock")?;
    let allowed = allowed(&data.text).with_context(|| format!("cannot read {DATA}"))?;
    let mut found = BTreeMap::new();
    for file in tree.rust().filter(|file| file.path.starts_with(SOURCES)) {
        for (line, name) in used(file, &unstable)? {
            found.entry(name).or_insert_with(Vec::new).push(format!("{}:{line}", file.path));
        }
    }
    for (name, places) in found.iter().filter(|(name, _)| !allowed.contains_key(name.as_str())) {
        for place in places {
            let version = unstable.version(name).unwrap_or_default();
            problems.add(
                place,
                format!("the public API names {name} {version}: use a newtype, or give the reason in {DATA}"),
            );
        }
    }
    for name in allowed.keys().filter(|name| !found.contains_key(name.as_str())) {
        problems.add(DATA, format!("{name} is not in the public API of {PACKAGE}: remove the entry"));
    }
    Ok(())
}

/// Returns the lines of a file at which its public API names a crate of `unstable`, each with the crate.
fn used(file: &SourceFile, unstable: &Unstable) -> Result<Vec<(usize, String)>> {
    let syntax = syn::parse_file(&file.text).with_context(|| format!("cannot parse {}", file.path))?;
    Ok(PublicItems::of(&syntax.items, unstable))
}

/// Returns the 0.x dependencies of the package by the lock file, without those of the workspace, which have its version.
fn unstable(lock: &str) -> Result<Unstable> {
    let lock: Table = lock.parse()?;
    let packages = lock.get("package").and_then(Value::as_array).context("there are no packages")?;
    let text = |package: &Value, key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let own = packages.iter().find(|package| text(package, "name") == PACKAGE).context("there is no tempo-core")?;
    let dependencies = own.get("dependencies").and_then(Value::as_array).context("it has no dependencies")?;
    let mut unstable = Unstable::default();
    for dependency in dependencies.iter().filter_map(Value::as_str) {
        // `NAME`, or `NAME VERSION` if the lock file has several versions.
        let (name, version) = dependency.split_once(' ').unwrap_or((dependency, ""));
        let locked = packages.iter().find(|package| {
            // Packages of the workspace have no source.
            text(package, "name") == name
                && text(package, "version").starts_with(version)
                && package.get("source").is_some()
        });
        if let Some(version) =
            locked.map(|package| text(package, "version")).filter(|version| version.starts_with("0."))
        {
            unstable.insert(name, &version);
        }
    }
    Ok(unstable)
}

/// Returns the exceptions, with the reasons.
fn allowed(data: &str) -> Result<BTreeMap<String, String>> {
    let data: Table = data.parse()?;
    let entries = data.get("allow").and_then(Value::as_array).context("`allow` is not a list of tables")?;
    let entry = |entry: &Value| {
        let text = |key: &str| Some(entry.get(key)?.as_str()?.to_owned()).filter(|text| !text.is_empty());
        Some((text("crate")?, text("reason")?))
    };
    entries.iter().map(|one| entry(one).context("an entry has no `crate` or no `reason`")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        [[package]]
        name = "tempo-core"
        version = "0.1.0"
        dependencies = ["async-trait", "futures 0.3.1", "tempo-settings", "wasmtime"]
        [[package]]
        name = "async-trait"
        version = "0.1.89"
        source = "registry"
        [[package]]
        name = "futures"
        version = "0.1.31"
        source = "registry"
        [[package]]
        name = "futures"
        version = "0.3.1"
        source = "registry"
        [[package]]
        name = "tempo-settings"
        version = "0.1.0"
        [[package]]
        name = "wasmtime"
        version = "48.0.8"
        source = "registry"
    "#;

    const ASYNC_TRAIT: &str = "[[allow]]\ncrate = \"async-trait\"\nreason = \"expands to types of std\"\n";

    fn problems(allowed: &str, source: &str) -> Vec<String> {
        let tree = Tree::of(&[("Cargo.lock", LOCK), (DATA, allowed), ("crates/tempo-core/src/a.rs", source)]);
        let mut problems = Problems::default();
        check(&tree, &mut problems).unwrap();
        problems.lines().to_vec()
    }

    #[test]
    fn a_type_of_an_unstable_dependency_is_found() {
        let source = "use futures::stream::BoxStream;\npub fn changes() -> BoxStream<'static, u8> { todo() }\n";
        let expected = "crates/tempo-core/src/a.rs:2: the public API names futures 0.3.1: use a newtype, or give the \
                        reason in xtask/unstable-types.toml";
        assert_eq!(problems("allow = []", source), [expected]);
    }

    #[test]
    fn stable_and_own_types_and_private_items_pass() {
        let source = "use futures::StreamExt as _;\nuse tempo_settings::Flag;\nuse wasmtime::Store;\n\
                      pub fn flags(store: &Store<()>) -> Vec<Flag> { futures::executor::block_on(read()) }\n\
                      fn read() -> futures::future::Ready<()> { todo() }\n";
        assert_eq!(problems("allow = []", source), Vec::<String>::new());
    }

    #[test]
    fn an_exception_has_a_reason_and_a_use() {
        let source = "use async_trait::async_trait;\n#[async_trait]\npub trait Trigger {}\n";
        assert_eq!(problems(ASYNC_TRAIT, source), Vec::<String>::new());
        assert_eq!(problems("allow = []", source).len(), 1);
        let unused = "xtask/unstable-types.toml: async-trait is not in the public API of tempo-core: remove the entry";
        assert_eq!(problems(ASYNC_TRAIT, "pub trait Trigger {}"), [unused]);
        assert!(allowed("[[allow]]\ncrate = \"futures\"").is_err());
    }
}
