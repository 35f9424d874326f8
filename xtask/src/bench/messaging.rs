//! `cargo xtask bench messaging`: handling and sending messages in a component, compared with native Rust.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use clap::ArgMatches;

use super::storage::{free_port, seconds};
use super::table::{markdown, median, number};
use super::{nats, prepare};
use crate::shell::{self, say};
use crate::workspace::Workspace;

/// A case with the number of its messages.
#[derive(Clone, Copy)]
enum Case {
    /// A JetStream consumer handles this many messages, 32 concurrently.
    Handle(u32),
    /// A consumer replies to this many messages, every tenth of which is followed by one on which the component traps.
    /// The comparison is the same component without traps.
    Poison(u32),
    /// The time from publishing to the handler's reply, this many times in sequence. The result is the median.
    Latency(u32),
    /// This many requests over core NATS, and the concurrency.
    Request(u32, u32),
    /// This many messages over core NATS, and the number per call.
    Publish(u32, u32),
}

const CASES: &[Case] = &[
    Case::Handle(20_000),
    Case::Poison(20_000),
    Case::Latency(1_000),
    Case::Request(5_000, 1),
    Case::Request(50_000, 64),
    Case::Publish(500_000, 500),
];

impl Case {
    fn title(self) -> String {
        match self {
            Self::Handle(_) => "handle, 32 in flight, a second".to_owned(),
            Self::Poison(_) => "answer beside poison (native: guest without), a second".to_owned(),
            Self::Latency(_) => "publish to answer, median, µs".to_owned(),
            Self::Request(_, at_once) => format!("request, {at_once} at once, a second"),
            Self::Publish(_, at_once) => format!("publish-many of {at_once}, messages a second"),
        }
    }

    /// Returns the operation's name for the programs.
    fn operation(self) -> &'static str {
        match self {
            Self::Handle(_) => "drain",
            Self::Poison(_) => "answered",
            Self::Latency(_) => "latency",
            Self::Request(..) => "request",
            Self::Publish(..) => "publish",
        }
    }

    fn count(self) -> u32 {
        match self {
            Self::Handle(count) | Self::Poison(count) | Self::Latency(count) => count,
            Self::Request(count, _) | Self::Publish(count, _) => count,
        }
    }

    /// Converts the seconds of a measurement to the unit of the title.
    fn figure(self, seconds: f64) -> f64 {
        match self {
            Self::Latency(_) => seconds * 1e6,
            _ => f64::from(self.count()) / seconds,
        }
    }
}

/// The programs, and the addresses of the servers.
struct Bench {
    tempo: PathBuf,
    native: PathBuf,
    guests: PathBuf,
    server: String,
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    if !arguments.get_flag("no-build") {
        prepare::native(super::profile(arguments), |name| name.starts_with("test-messaging-"))?;
    }
    let directory = workspace.target.join("bench-messaging");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory)?;
    let port = free_port()?;
    let _server = nats::Server::start(port, &directory.join("nats"))?;
    let bench = Bench {
        tempo: workspace.target.join(super::profile(arguments)).join("tempo"),
        native: workspace.profile_dir(true).join("native-messaging"),
        guests: workspace.guest_dir(),
        server: format!("nats://127.0.0.1:{port}"),
    };
    let mut figures: Vec<(Vec<f64>, Vec<f64>)> = CASES.iter().map(|_| Default::default()).collect();
    let rounds = super::number(arguments, "rounds");
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}"));
        for (case, (guest, native)) in CASES.iter().zip(&mut figures) {
            guest.push(case.figure(bench.guest(*case).with_context(|| format!("{}, guest", case.title()))?));
            native.push(case.figure(bench.native(*case).with_context(|| format!("{}, native", case.title()))?));
        }
    }
    print!("{}", report(&figures));
    let _ = std::fs::remove_dir_all(&directory);
    Ok(())
}

fn report(figures: &[(Vec<f64>, Vec<f64>)]) -> String {
    let rows = CASES.iter().zip(figures).map(|(case, (guest, native))| {
        let (guest, native) = (median(guest.iter().copied()), median(native.iter().copied()));
        let ratio = guest.zip(native).map(|(guest, native)| guest / native);
        vec![case.title(), number(guest, 0), number(native, 0), number(ratio, 2)]
    });
    markdown(&["messages of 256 B", "guest", "native", "ratio"], &rows.collect::<Vec<_>>())
}

impl Bench {
    fn guest(&self, case: Case) -> Result<f64> {
        match case {
            Case::Handle(_) | Case::Latency(_) => self.handled_by_guest(case, &[]),
            Case::Poison(_) => self.handled_by_guest(case, &["10"]),
            Case::Request(count, at_once) | Case::Publish(count, at_once) => {
                let mut command = self.run("test_messaging_bench.wasm", &self.server);
                let (count, at_once) = (count.to_string(), at_once.to_string());
                self.sent(case, command.args(["--", case.operation(), &count, &at_once]))
            }
        }
    }

    fn native(&self, case: Case) -> Result<f64> {
        match case {
            Case::Handle(_) | Case::Latency(_) => {
                self.handled(case, Command::new(&self.native).args(["consume", &self.stream()]), "native", &[])
            }
            Case::Poison(_) => self.handled_by_guest(case, &["0"]),
            Case::Request(count, at_once) | Case::Publish(count, at_once) => {
                let (count, at_once) = (count.to_string(), at_once.to_string());
                let mut command = Command::new(&self.native);
                self.sent(case, command.args([case.operation(), &self.server, &count, &at_once]))
            }
        }
    }

    /// Returns the command `tempo run` of a guest on these messages.
    fn run(&self, guest: &str, url: &str) -> Command {
        let mut command = Command::new(&self.tempo);
        command.arg("run").arg(self.guests.join(guest)).args(["--messaging", url]);
        command
    }

    fn handled_by_guest(&self, case: Case, more: &[&str]) -> Result<f64> {
        let mut consumer = self.run("test_messaging_handler.wasm", &self.stream());
        consumer.args(["--subscribe", "bench.handle;backoff=100ms"]);
        self.handled(case, &mut consumer, "test_messaging_handler", more)
    }

    fn stream(&self) -> String {
        format!("{}/BENCH", self.server)
    }

    /// Measures the consumer that `command` starts, from outside.
    fn handled(&self, case: Case, command: &mut Command, name: &str, more: &[&str]) -> Result<f64> {
        let (stream, count) = (self.stream(), case.count().to_string());
        shell::run(Command::new(&self.native).args(["prepare", &stream]))?;
        let _consumer = Background::start(command)?;
        seconds(Command::new(&self.native).args([case.operation(), &stream, name, &count]).args(more))
    }

    /// Measures the client that `command` starts, with a program that replies to its requests.
    fn sent(&self, case: Case, command: &mut Command) -> Result<f64> {
        let _responder = match case {
            Case::Request(..) => Some(Background::ready(Command::new(&self.native).args(["respond", &self.server]))?),
            _ => None,
        };
        seconds(command)
    }
}

/// A process that is killed when this is dropped.
struct Background(Child);

impl Background {
    fn start(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_owned();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("cannot start {}", program.display()))?))
    }

    /// Starts a program, and waits for the line that it prints when it is ready.
    fn ready(command: &mut Command) -> Result<Self> {
        let mut started = Self::start(command)?;
        let output = started.0.stdout.as_mut().context("no output")?;
        BufReader::new(output).read_line(&mut String::new())?;
        Ok(started)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
