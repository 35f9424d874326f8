//! The release candidate of WASI 0.3 that runs as 0.3.0: the types of the two are the same, and Spin's SDK 6 was released
//! against the candidate.
//!
//! A component that imports or exports a candidate's interface is loaded with the suffix as build metadata:
//! `wasi:http/types@0.3.0-rc-2026-03-15` becomes `wasi:http/types@0.3.0+rc-2026-03-15`. Wasmtime matches this version
//! with 0.3.0, and checks the types as it does for any compatible version. Precompiled files contain the changed names.

use std::borrow::Cow;

use tempo_settings::{Error, ErrorKind};
use wasmparser::{BinaryReaderError, Parser, Payload};

use crate::interfaces::Interfaces;
use crate::registry::unversioned;

/// The release.
pub(crate) const RELEASE: &str = "0.3.0";
/// The candidate with the same types.
const CANDIDATE: &str = "0.3.0-rc-2026-03-15";
/// The version under which the candidate's interfaces are loaded. Only the byte after [`RELEASE`] differs, so the file keeps
/// its length and all offsets.
const LOADED_AS: &str = "0.3.0+rc-2026-03-15";

/// The packages of the candidate.
const PACKAGES: [&str; 6] = ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:http", "wasi:random", "wasi:sockets"];

/// Changes the names of the candidate's interfaces among the imports and exports of `component`. The names within nested
/// components stay, as nothing outside refers to them. An invalid component stays unchanged; its validation reports the error.
pub(crate) fn rename(component: &mut [u8]) {
    for suffix in suffixes(component).unwrap_or_default() {
        if let Some(byte) = component.get_mut(suffix) {
            *byte = b'+';
        }
    }
}

/// Returns the positions of the byte after [`RELEASE`] in the candidate's names.
fn suffixes(component: &[u8]) -> Result<Vec<usize>, BinaryReaderError> {
    let mut found = Vec::new();
    let mut add = |name: &str| {
        // The name is a part of `component`.
        let start = name.as_ptr().addr().checked_sub(component.as_ptr().addr());
        let suffix = (name.len() + RELEASE.len()).checked_sub(CANDIDATE.len());
        if let Some((start, suffix)) = start.zip(suffix)
            && has_version(name, |version| version == CANDIDATE)
        {
            found.push(start + suffix);
        }
    };
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::Version { .. } => depth = depth.saturating_add(1),
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                section.into_iter().try_for_each(|import| import.map(|import| add(import.name.name)))?;
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                section.into_iter().try_for_each(|export| export.map(|export| add(export.name.name)))?;
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Returns whether `interface` belongs to one of [`PACKAGES`], in a version of which `predicate` is true.
fn has_version(interface: &str, predicate: impl Fn(&str) -> bool) -> bool {
    let Some((path, version)) = interface.split_once('@') else { return false };
    path.split_once('/').is_some_and(|(package, _)| PACKAGES.contains(&package)) && predicate(version)
}

/// Returns whether `interface` was renamed.
pub(crate) fn is_renamed(interface: &str) -> bool {
    has_version(interface, |version| version == LOADED_AS)
}

/// Returns the name of `interface` in the component's file.
pub(crate) fn name_in_file(interface: &str) -> Cow<'_, str> {
    if is_renamed(interface) { interface.replace(LOADED_AS, CANDIDATE).into() } else { interface.into() }
}

/// Returns the name of `interface` in the release.
pub(crate) fn name_in_release(interface: &str) -> Cow<'_, str> {
    if is_renamed(interface) { interface.replace(LOADED_AS, RELEASE).into() } else { interface.into() }
}

/// Returns whether `interface` belongs to another release candidate of WASI 0.3.
pub(crate) fn is_other_candidate(interface: &str) -> bool {
    has_version(interface, |version| version.starts_with("0.3.0-") && version != CANDIDATE)
}

/// Returns the reason why another candidate does not run, with the one that does.
pub(crate) fn refusal(package: &str) -> String {
    format!(
        "a release candidate that does not run; this runtime has {package}@{RELEASE}, and runs {CANDIDATE} as {RELEASE}"
    )
}

/// Refuses a component with an export that `is_called` and belongs to another candidate: its types are not those of the
/// release.
///
/// # Errors
///
/// The first such export, if none of the same package has a version that runs.
pub(crate) fn check_exports(interfaces: &Interfaces, is_called: impl Fn(&str) -> bool) -> Result<(), Error> {
    let called = || interfaces.exports.iter().filter(|export| is_called(export));
    let runs = |name: &str| called().any(|export| package(export) == name && !is_other_candidate(export));
    match called().find(|export| is_other_candidate(export) && !runs(package(export))) {
        Some(export) => {
            let message = format!("it exports {export}: {}", refusal(package(export)));
            Err(Error::new(ErrorKind::BadComponent, message))
        }
        None => Ok(()),
    }
}

fn package(interface: &str) -> &str {
    unversioned(interface).split_once('/').map_or("", |(package, _)| package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(text: &str) -> (Vec<u8>, Vec<u8>) {
        let original = wat::parse_str(text).unwrap();
        let mut changed = original.clone();
        rename(&mut changed);
        (original, changed)
    }

    #[test]
    fn only_imports_and_exports_of_the_candidate_are_renamed() {
        let (_, changed) = renamed(
            r#"(component
                (import "wasi:clocks/types@0.3.0-rc-2026-03-15" (instance $types))
                (import "wasi:http/types@0.3.0-rc-2026-01-06" (instance))
                (import "wasi:http/types@0.3.0" (instance))
                (import "acme:x/y@0.3.0-rc-2026-03-15" (instance))
                (component $inner (import "wasi:cli/types@0.3.0-rc-2026-03-15" (instance)))
                (instance (instantiate $inner (with "wasi:cli/types@0.3.0-rc-2026-03-15" (instance $types))))
                (export "wasi:http/handler@0.3.0-rc-2026-03-15" (instance $types)))"#,
        );
        let expected = renamed(
            r#"(component
                (import "wasi:clocks/types@0.3.0+rc-2026-03-15" (instance $types))
                (import "wasi:http/types@0.3.0-rc-2026-01-06" (instance))
                (import "wasi:http/types@0.3.0" (instance))
                (import "acme:x/y@0.3.0-rc-2026-03-15" (instance))
                (component $inner (import "wasi:cli/types@0.3.0-rc-2026-03-15" (instance)))
                (instance (instantiate $inner (with "wasi:cli/types@0.3.0-rc-2026-03-15" (instance $types))))
                (export "wasi:http/handler@0.3.0+rc-2026-03-15" (instance $types)))"#,
        );
        assert!(changed == expected.0);
        assert!(wasmparser::Validator::new().validate_all(&changed).is_ok());
    }

    #[test]
    fn what_is_not_a_component_stays_unchanged() {
        let (mut truncated, _) = renamed(r#"(component (import "wasi:cli/types@0.3.0-rc-2026-03-15" (instance)))"#);
        truncated.pop();
        for bytes in [&b""[..], b"wasi:cli/types@0.3.0-rc-2026-03-15", &truncated] {
            let mut changed = bytes.to_vec();
            rename(&mut changed);
            assert!(changed == bytes);
        }
    }

    #[test]
    fn names_are_those_of_the_file_and_of_the_release() {
        let loaded = "wasi:http/types@0.3.0+rc-2026-03-15";
        assert_eq!(name_in_file(loaded), "wasi:http/types@0.3.0-rc-2026-03-15");
        assert_eq!(name_in_release(loaded), "wasi:http/types@0.3.0");
        for other in ["wasi:http/types@0.3.0", "acme:http/types@0.3.0+rc-2026-03-15", "run"] {
            assert!(name_in_file(other) == other && name_in_release(other) == other);
        }
    }

    #[test]
    fn exports_of_another_candidate_are_refused() {
        let check = |exports: &[&str]| {
            let exports = exports.iter().map(|export| (*export).to_owned()).collect();
            let checked = check_exports(&Interfaces { imports: Vec::new(), exports }, |name| name.contains("/run@"));
            checked.map_err(|error| error.to_string())
        };
        let (other, loaded) = ("wasi:cli/run@0.3.0-rc-2026-02-09", "wasi:cli/run@0.3.0+rc-2026-03-15");
        assert_eq!(
            check(&[other]).unwrap_err(),
            "it exports wasi:cli/run@0.3.0-rc-2026-02-09: a release candidate that does not run; this runtime has \
             wasi:cli@0.3.0, and runs 0.3.0-rc-2026-03-15 as 0.3.0"
        );
        assert!(check(&[other, "acme:x/run@1.0.0"]).is_err());
        for exports in [&[][..], &[loaded], &[other, "wasi:cli/run@0.2.0"], &["wasi:http/handler@0.3.0-rc-1"]] {
            assert!(check(exports).is_ok(), "{exports:?}");
        }
    }
}
