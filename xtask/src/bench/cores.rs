//! Selects one core each for the server and the load generator, on different physical cores if possible.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::shell;

/// The cores of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) server: u16,
    pub(crate) load: u16,
}

impl Cores {
    /// Selects cores; `None` with a single core or without `taskset`.
    pub(crate) fn choose() -> Option<Self> {
        if !shell::has("taskset") {
            shell::say("nothing is pinned to a core: `taskset` (Debian package util-linux) is missing");
            return None;
        }
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        let cores = Self::among(&list(allowed), |core| {
            let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
            fs::read_to_string(&path).map(|siblings| list(&siblings)).unwrap_or_default()
        });
        if cores.is_none() {
            shell::say("nothing is pinned to a core: there is only one");
        }
        cores
    }

    fn among(allowed: &BTreeSet<u16>, siblings: impl Fn(u16) -> BTreeSet<u16>) -> Option<Self> {
        let server = *allowed.first()?;
        let same = siblings(server);
        let load = allowed.iter().copied().find(|core| *core != server && !same.contains(core));
        let load = load.or_else(|| allowed.iter().copied().nth(1))?;
        Some(Self { server, load })
    }
}

/// Returns the command pinned to a core, with its program, arguments, environment and directory.
pub(crate) fn pinned(command: Command, core: Option<u16>) -> Command {
    let Some(core) = core else { return command };
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", &core.to_string()]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => pinned.env(name, value),
            None => pinned.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        pinned.current_dir(directory);
    }
    pinned
}

/// Parses Linux's form `0-2,5`.
fn list(text: &str) -> BTreeSet<u16> {
    text.trim()
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(list("\t0-2,5\n"), BTreeSet::from([0, 1, 2, 5]));
        assert_eq!(list("3"), BTreeSet::from([3]));
        assert_eq!(list(""), BTreeSet::new());
    }

    #[test]
    fn a_pinned_command_is_the_same() {
        let mut command = Command::new("program");
        command.arg("argument").env("SET", "value").env_remove("REMOVED").current_dir("folder");
        let pinned = pinned(command, Some(3));
        let arguments: Vec<_> = pinned.get_args().filter_map(|argument| argument.to_str()).collect();
        assert_eq!(arguments, ["--cpu-list", "3", "program", "argument"]);
        let variables: Vec<_> = pinned.get_envs().collect();
        assert_eq!(pinned.get_current_dir(), Some("folder".as_ref()));
        assert_eq!(variables, [("REMOVED".as_ref(), None), ("SET".as_ref(), Some("value".as_ref()))]);
    }

    #[test]
    fn two_threads_of_one_core_only_without_another() {
        let pairs = |core| BTreeSet::from([core & !1, core | 1]);
        assert_eq!(Cores::among(&list("0-3"), pairs), Some(Cores { server: 0, load: 2 }));
        assert_eq!(Cores::among(&list("2-3"), pairs), Some(Cores { server: 2, load: 3 }));
        assert_eq!(Cores::among(&list("0-3"), |core| BTreeSet::from([core])), Some(Cores { server: 0, load: 1 }));
        assert_eq!(Cores::among(&list("0"), pairs), None);
    }
}
