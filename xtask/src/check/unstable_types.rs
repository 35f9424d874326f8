//! The public API of tempo-core, as its `api.txt` lists it, names no type of a 0.x dependency: each minor release of that
//! crate would be a breaking release of tempo-core. `xtask/unstable-types.toml` lists the exceptions, with the reasons.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::problems::Problems;
use super::tree::Tree;

/// The listing that the rule applies to; the check `api` compares it with the crate.
const LISTING: &str = "crates/tempo-core/api.txt";

/// The exceptions.
const DATA: &str = "xtask/unstable-types.toml";

pub(super) fn check(tree: &Tree, problems: &mut Problems) -> Result<()> {
    let (Some(lock), Some(data), Some(listing)) = (tree.get("Cargo.lock"), tree.get(DATA), tree.get(LISTING)) else {
        return Ok(());
    };
    let unstable = unstable(&lock.text).context("cannot read Cargo.lock")?;
    let mut allowed = allowed(&data.text).with_context(|| format!("cannot read {DATA}"))?;
    for (number, line) in (1..).zip(listing.text.lines()) {
        for (name, version) in unstable.iter().filter(|(name, _)| names(line, name)) {
            match allowed.get_mut(name.as_str()) {
                Some(is_used) => *is_used = true,
                None => problems.add(
                    format!("{LISTING}:{number}"),
                    format!("the public API names {name} {version}: use a newtype, or give the reason in {DATA}"),
                ),
            }
        }
    }
    for (name, _) in allowed.iter().filter(|(_, is_used)| !**is_used) {
        problems.add(DATA, format!("{name} is not in the public API of tempo-core: remove the entry"));
    }
    Ok(())
}

/// Returns whether a path in `line` begins with the crate of the package `name`.
fn names(line: &str, name: &str) -> bool {
    let root = format!("{}::", name.replace('-', "_"));
    line.match_indices(&root).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || matches!(character, '_' | ':'))
    })
}

/// Returns the 0.x packages of the lock file with their versions, without those of the workspace, which have its version.
fn unstable(lock: &str) -> Result<BTreeMap<String, String>> {
    let lock: Table = lock.parse()?;
    let packages = lock.get("package").and_then(Value::as_array).context("there are no packages")?;
    let text = |package: &Value, key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    // Packages of the workspace have no source.
    let others = packages.iter().filter(|package| package.get("source").is_some());
    let versions = others.map(|package| (text(package, "name"), text(package, "version")));
    Ok(versions.filter(|(_, version)| version.starts_with("0.")).collect())
}

/// Returns the packages of the exceptions, each of which has a reason, none of them used so far.
fn allowed(data: &str) -> Result<BTreeMap<String, bool>> {
    let data: Table = data.parse()?;
    let entries = data.get("allow").and_then(Value::as_array).context("`allow` is not a list of tables")?;
    let entry = |entry: &Value| {
        let text = |key: &str| Some(entry.get(key)?.as_str()?.to_owned()).filter(|text| !text.is_empty());
        text("reason").and(text("crate")).map(|name| (name, false))
    };
    entries.iter().map(|one| entry(one).context("an entry has no `crate` or no `reason`")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        [[package]]
        name = "futures-core"
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

    const FUTURES: &str = "[[allow]]\ncrate = \"futures-core\"\nreason = \"a trait alone\"\n";

    fn problems(allowed: &str, line: &str) -> Vec<String> {
        let listing = format!("# The public API\n{line}\n");
        let tree = Tree::of(&[("Cargo.lock", LOCK), (DATA, allowed), (LISTING, &listing)]);
        let mut problems = Problems::default();
        check(&tree, &mut problems).unwrap();
        problems.lines().to_vec()
    }

    #[test]
    fn a_type_of_an_unstable_dependency_is_found() {
        let line = "pub fn tempo_core::Log::changes(&self) -> alloc::boxed::Box<dyn futures_core::stream::Stream>";
        let expected = "crates/tempo-core/api.txt:2: the public API names futures-core 0.3.1: use a newtype, or give the \
                        reason in xtask/unstable-types.toml";
        assert_eq!(problems("allow = []", line), [expected]);
        assert_eq!(problems(FUTURES, line), Vec::<String>::new());
    }

    #[test]
    fn stable_and_own_types_pass() {
        for line in [
            "pub fn tempo_core::flags(&wasmtime::Store<()>) -> alloc::vec::Vec<tempo_settings::settings::Flag>",
            "pub mod tempo_core::futures_core::inner",
            "pub fn tempo_core::a(other_futures_core::Type)",
        ] {
            assert_eq!(problems("allow = []", line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn an_exception_has_a_reason_and_a_use() {
        let unused = "xtask/unstable-types.toml: futures-core is not in the public API of tempo-core: remove the entry";
        assert_eq!(problems(FUTURES, "pub mod tempo_core"), [unused]);
        assert!(allowed("[[allow]]\ncrate = \"futures-core\"").is_err());
    }
}
