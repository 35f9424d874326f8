//! Trains an instrumented Tempo, for `cargo xtask dist --pgo`: each case runs under load, and every process writes its profile
//! when it ends.

use std::path::Path;

use anyhow::{Context, Result};

use super::app::App;
use super::cases::{CASES, Case};
use super::contest::{Files, Program};
use super::load::Generator;
use super::server::Server;
use super::{client, prepare};
use crate::shell::{self, say};
use crate::workspace::Workspace;
use crate::{build, setup};

/// The duration of the load of a case, in seconds.
const SECONDS: f64 = 3.0;
/// Connections of the load, each with one request in flight.
const CONNECTIONS: u16 = 64;

/// Runs `tempo`, an instrumented runtime, with those cases that its flags allow.
pub(crate) fn train(tempo: &Path) -> Result<()> {
    let workspace = Workspace::load()?;
    let mut files = prepare::files(&[Program::Hyper], "release", true)?;
    tempo.clone_into(&mut files.tempo);
    let help = shell::read(shell::program(tempo).args(["run", "--help"]))?;
    let flags = |case: &Case| case.flags.iter().filter(|flag| flag.starts_with("--")).all(|flag| help.contains(flag));
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.guest.is_some() && flags(case)).collect();
    setup::ensure()?;
    let wanted = |name: &str| cases.iter().flat_map(|case| case.guests()).any(|guest| guest == name);
    build::guests(workspace.guests().filter(|package| wanted(package.dir_name())))?;
    for case in cases {
        say(&format!("training: {}", case.title));
        run(&workspace, &files, case).with_context(|| case.title)?;
    }
    Ok(())
}

fn run(workspace: &Workspace, files: &Files, case: &Case) -> Result<()> {
    let app = App::create(files, workspace.target.join("train"))?;
    for guest in case.guests() {
        let package = workspace.guests().find(|package| package.dir_name() == guest);
        let package = package.with_context(|| format!("there is no guest {guest}"))?;
        app.compile(&workspace.guest_dir().join(&package.wasm), guest, case.flags)?;
    }
    let mut command = app.serve();
    command.args(case.flags);
    match case.manifest() {
        Some(manifest) => {
            app.declare(&manifest)?;
            command.arg("tempo.toml");
        }
        None => {
            command.args(case.guest.map(|guest| format!("{guest}.bin")));
        }
    }
    let server = Server::start(command)?;
    if let Some(path) = case.prepared_by {
        client::ask(server.addr, "POST", path)?;
    }
    let load = Generator {
        program: &files.load,
        core: None,
        connections: CONNECTIONS,
        path: case.path,
        body_bytes: case.body_bytes,
    };
    load.seconds(server.addr, SECONDS)?;
    server.stop()
}
