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
    /// The one of `--beside`.
    OtherTempo,
    Wasmtime,
}

/// A component that responds with a line of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guest {
    P2,
    P3,
    /// An axum application, with which no profile is trained.
    Axum,
}

impl Guest {
    /// Returns its directory under `guests/`.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            Self::P2 => "hello-p2",
            Self::P3 => "hello",
            Self::Axum => "axum",
        }
    }
}

/// The native server, the base of all ratios.
pub(crate) const NATIVE: &str = "hyper";

/// The flags for one request an instance, in Tempo and in `wasmtime serve`.
const FRESH: &[&str] = &["--instance-reuse", "1"];
const WASMTIME_FRESH: &[&str] = &["--max-instance-reuse-count", "1"];
const WARM: &[&str] = &["--instance-reuse", "128"];

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
    tempo("tempo-p3", "`tempo run`, 0.3 (default: reused 128 times)", Guest::P3, &[], Some("wasmtime-p3")),
    wasmtime("wasmtime-p3", "`wasmtime serve`, 0.3 (default: reused 128 times)", Guest::P3, &[]),
    other("other-p3", "the other tempo, 0.3", Guest::P3, &[], Some("wasmtime-p3")),
    tempo("tempo-p3-fresh", "`tempo run`, 0.3, one request an instance", Guest::P3, FRESH, Some("wasmtime-p3-fresh")),
    wasmtime("wasmtime-p3-fresh", "`wasmtime serve`, 0.3, one request an instance", Guest::P3, WASMTIME_FRESH),
    other(
        "other-p3-fresh",
        "the other tempo, 0.3, one request an instance",
        Guest::P3,
        FRESH,
        Some("wasmtime-p3-fresh"),
    ),
    tempo("tempo-p2", "`tempo run`, 0.2 (default: one request an instance)", Guest::P2, &[], Some("wasmtime-p2")),
    wasmtime("wasmtime-p2", "`wasmtime serve`, 0.2 (default: one request an instance)", Guest::P2, &[]),
    other("other-p2", "the other tempo, 0.2", Guest::P2, &[], Some("wasmtime-p2")),
    tempo("tempo-p2-warm", "`tempo run`, 0.2, reused 128 times", Guest::P2, WARM, Some("wasmtime-p2")),
    other("other-p2-warm", "the other tempo, 0.2, reused 128 times", Guest::P2, WARM, Some("wasmtime-p2")),
    tempo("tempo-axum", "`tempo run`, axum, 0.3", Guest::Axum, &[], None),
    other("other-axum", "the other tempo, axum, 0.3", Guest::Axum, &[], None),
];

const fn tempo(
    name: &'static str,
    title: &'static str,
    guest: Guest,
    flags: &'static [&'static str],
    against: Option<&'static str>,
) -> Contestant {
    Contestant { name, title, program: Program::Tempo, guest: Some(guest), flags, against }
}

const fn other(
    name: &'static str,
    title: &'static str,
    guest: Guest,
    flags: &'static [&'static str],
    against: Option<&'static str>,
) -> Contestant {
    Contestant { program: Program::OtherTempo, ..tempo(name, title, guest, flags, against) }
}

const fn wasmtime(name: &'static str, title: &'static str, guest: Guest, flags: &'static [&'static str]) -> Contestant {
    Contestant { program: Program::Wasmtime, ..tempo(name, title, guest, flags, None) }
}

/// The paths of the programs and the guests.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) hyper: PathBuf,
    pub(crate) tempo: PathBuf,
    pub(crate) other_tempo: PathBuf,
    pub(crate) wasmtime: PathBuf,
    pub(crate) load: PathBuf,
    pub(crate) p2: PathBuf,
    pub(crate) p3: PathBuf,
    pub(crate) axum: PathBuf,
}

impl Files {
    pub(crate) fn guest(&self, guest: Guest) -> &PathBuf {
        match guest {
            Guest::P2 => &self.p2,
            Guest::P3 => &self.p3,
            Guest::Axum => &self.axum,
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
            Program::OtherTempo => (&self.other_tempo, &["run", "--addr", "127.0.0.1:0"]),
            Program::Wasmtime => (&self.wasmtime, &["serve", "-Scli", "--addr", "127.0.0.1:0"]),
        };
        let mut command = Command::new(path);
        command.args(arguments);
        command
    }
}
