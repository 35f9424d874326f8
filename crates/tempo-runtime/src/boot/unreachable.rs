//! Finds the components of an app that no call can reach.

use std::collections::BTreeSet;

use tempo_core::AppCheck;
use tempo_settings::{Error, ErrorKind};

use super::Parts;
use crate::command;
use crate::load::{ScannedFile, may_export};
use crate::loaded_settings::{App, AppComponentSettings};
use crate::registry::unversioned;

/// Returns an error for each component of `app` that calls from outside cannot reach, by the edges of `check` and imports, unless a
/// name that the app does not have is probably a misspelt one of it. `advice` names the settings that would make a component
/// reachable.
pub(super) fn problems(
    parts: Parts<'_>,
    app: &App,
    files: &[Option<ScannedFile>],
    check: &AppCheck,
    advice: &[Vec<&str>],
) -> Vec<Error> {
    let edges = &check.edges;
    let imports = app.components.iter().flat_map(|component| {
        component.imports.iter().map(|import| (component.name.as_str(), import.component.as_str()))
    });
    let calls = edges.iter().filter_map(|edge| Some((edge.from.as_deref()?, edge.to.as_str())));
    let calls: Vec<(&str, &str)> = calls.chain(imports).collect();
    let entries = edges.iter().filter(|edge| edge.from.is_none()).map(|edge| edge.to.as_str());
    let meant = app.components.iter().map(|component| component.name.as_str());
    let meant = meant.filter(|name| check.undeclared.iter().any(|undeclared| resembles(undeclared, name)));
    let reached = reached(entries.chain(meant).collect(), &calls);
    let is_called = |export: &str| parts.triggers.iter().any(|trigger| trigger.calls(export));
    let components = app.components.iter().zip(files).zip(advice);
    let unreached = components.filter(|((component, _), _)| !reached.contains(component.name.as_str()));
    let errors = unreached.filter_map(|((component, file), advice)| {
        let called_by = calls.iter().filter(|(from, to)| *to == component.name && from != to).map(|(from, _)| *from);
        let called_by: BTreeSet<&str> = called_by.collect();
        let (shape, name, place) = (&file.as_ref()?.shape, &component.name, &component.place);
        if !called_by.is_empty() {
            let callers = called_by.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("{name}: only {callers} can call it, which no trigger reaches ({place})");
            return Some(unreachable(message, advice));
        }
        if may_export(shape, is_called) {
            return Some(unreachable(format!("{name}: no trigger and no other component calls it ({place})"), advice));
        }
        // A component without a handler is refused with the list of its exports, after it is compiled.
        let is_command = shape.exports.iter().any(|export| unversioned(export) == command::RUN);
        is_command.then(|| once(component))
    });
    errors.collect()
}

/// Returns `entries` and all that their calls reach.
fn reached<'a>(entries: Vec<&'a str>, calls: &[(&'a str, &'a str)]) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), entries);
    while let Some(name) = next.pop() {
        if reached.insert(name) {
            next.extend(calls.iter().filter(|(from, _)| *from == name).map(|(_, to)| *to));
        }
    }
    reached
}

/// Returns whether `name` is probably a misspelling of `declared`: at most two letters differ, and at most half of them.
fn resembles(name: &str, declared: &str) -> bool {
    let distance = strsim::levenshtein(name, declared);
    distance <= 2 && distance.saturating_mul(2) <= declared.len()
}

fn unreachable(message: String, advice: &[&str]) -> Error {
    let error = Error::new(ErrorKind::BadConfiguration, message);
    if advice.is_empty() { error } else { error.with_advice(advice.join(", or ")) }
}

fn once(component: &AppComponentSettings) -> Error {
    let message = format!("{}: a command, which runs once; an app serves ({})", component.name, component.place);
    Error::new(ErrorKind::BadConfiguration, message).with_advice("give its file to `run`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_resembles_the_declared_one() {
        for (name, declared) in
            [("auht", "auth"), ("pricin", "pricing"), ("stok", "stock"), ("b", "bb"), ("Auth", "auth")]
        {
            assert!(resembles(name, declared), "{name} {declared}");
        }
        for (name, declared) in [("absent", "c"), ("a", "b"), ("stock", "auth"), ("", "a"), ("ab", "cd-e")] {
            assert!(!resembles(name, declared), "{name} {declared}");
        }
    }

    #[test]
    fn calls_reach_further_components() {
        let calls = [("a", "b"), ("b", "c"), ("d", "e"), ("e", "d"), ("c", "a")];
        assert_eq!(reached(vec!["a"], &calls), BTreeSet::from(["a", "b", "c"]));
        assert_eq!(reached(vec![], &calls), BTreeSet::new());
        assert_eq!(reached(vec!["e"], &calls), BTreeSet::from(["d", "e"]));
    }
}
