//! The compared servers: programs, guests and flags.

use std::path::PathBuf;
use std::process::Command;

/// A server to measure.
#[derive(Debug)]
pub(crate) struct Contestant {
    /// The name for `--only`.
    pub(crate) name: &'static str,
    /// The title in the table.
    pub(crate) title: &'static str,
    pub(crate) program: Program,
    pub(crate) guest: Option<Guest>,
    /// Flags in addition to those of every server of its kind.
    pub(crate) flags: &'static [&'static str],
    /// The `wasmtime serve` that it is compared with.
    pub(crate) against: Option<&'static str>,
}

/// A server program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Hyper,
    Tempo,
    Wasmtime,
}

/// A hello-world component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guest {
    P2,
    P3,
}

impl Guest {
    /// Returns its directory under `guests/`.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            Self::P2 => "hello-p2",
            Self::P3 => "hello",
        }
    }
}

/// The native server, the base of all ratios.
pub(crate) const NATIVE: &str = "hyper";

/// The servers, in the order of the table.
pub(crate) const CONTESTANTS: &[Contestant] = &[
    Contestant {
        name: NATIVE,
        title: "hyper, native",
        program: Program::Hyper,
        guest: None,
        flags: &[],
        against: None,
    },
    Contestant {
        name: "tempo-p3",
        title: "`tempo run`, 0.3 (default: reused 128 times)",
        program: Program::Tempo,
        guest: Some(Guest::P3),
        flags: &[],
        against: Some("wasmtime-p3"),
    },
    Contestant {
        name: "wasmtime-p3",
        title: "`wasmtime serve`, 0.3 (default: reused 128 times)",
        program: Program::Wasmtime,
        guest: Some(Guest::P3),
        flags: &[],
        against: None,
    },
    Contestant {
        name: "tempo-p3-fresh",
        title: "`tempo run`, 0.3, one request an instance",
        program: Program::Tempo,
        guest: Some(Guest::P3),
        flags: &["--instance-reuse", "1"],
        against: Some("wasmtime-p3-fresh"),
    },
    Contestant {
        name: "wasmtime-p3-fresh",
        title: "`wasmtime serve`, 0.3, one request an instance",
        program: Program::Wasmtime,
        guest: Some(Guest::P3),
        flags: &["--max-instance-reuse-count", "1"],
        against: None,
    },
    Contestant {
        name: "tempo-p2",
        title: "`tempo run`, 0.2 (default: one request an instance)",
        program: Program::Tempo,
        guest: Some(Guest::P2),
        flags: &[],
        against: Some("wasmtime-p2"),
    },
    Contestant {
        name: "wasmtime-p2",
        title: "`wasmtime serve`, 0.2 (default: one request an instance)",
        program: Program::Wasmtime,
        guest: Some(Guest::P2),
        flags: &[],
        against: None,
    },
    Contestant {
        name: "tempo-p2-warm",
        title: "`tempo run`, 0.2, reused 128 times",
        program: Program::Tempo,
        guest: Some(Guest::P2),
        flags: &["--instance-reuse", "128"],
        against: Some("wasmtime-p2"),
    },
];

/// The paths of the programs and the guests.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) hyper: PathBuf,
    pub(crate) tempo: PathBuf,
    pub(crate) wasmtime: PathBuf,
    pub(crate) load: PathBuf,
    pub(crate) p2: PathBuf,
    pub(crate) p3: PathBuf,
}

impl Files {
    pub(crate) fn guest(&self, guest: Guest) -> &PathBuf {
        match guest {
            Guest::P2 => &self.p2,
            Guest::P3 => &self.p3,
        }
    }

    /// Returns the command line of a contestant.
    pub(crate) fn command(&self, contestant: &Contestant) -> Command {
        let mut command = self.program(contestant.program);
        command.args(contestant.flags).args(contestant.guest.map(|guest| self.guest(guest)));
        command
    }

    /// Returns the command of a server program on a port that the system chooses; flags and a guest may follow.
    pub(crate) fn program(&self, program: Program) -> Command {
        // `-Scli`: a guest with std imports more than wasmtime's proxy world.
        let (path, arguments): (_, &[&str]) = match program {
            Program::Hyper => (&self.hyper, &["--addr", "127.0.0.1:0"]),
            Program::Tempo => (&self.tempo, &["run", "--addr", "127.0.0.1:0"]),
            Program::Wasmtime => (&self.wasmtime, &["serve", "-Scli", "--addr", "127.0.0.1:0"]),
        };
        let mut command = Command::new(path);
        command.args(arguments);
        command
    }
}
