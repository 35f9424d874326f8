//! The help of every command of the runtimes, as snapshots in `cli_help/`. `UPDATE_EXPECT=1` writes them.

use std::path::Path;

use expect_test::expect_file;

use crate::support::Run;

/// The programs, each with its commands.
const COMMANDS: &[(&str, &[&[&str]])] = &[
    ("tempo", &[&[], &["run"], &["dev"], &["compile"], &["compose"], &["inspect"], &["add"], &["messages"], &["new"]]),
    ("tempo-http", &[&[], &["run"], &["dev"], &["compile"], &["inspect"]]),
    ("tempo-worker", &[&[], &["run"], &["dev"], &["compile"], &["inspect"], &["messages"]]),
];
/// The subcommands of `messages`, which are the same in both programs.
const MESSAGES: &[&str] = &["list", "peek", "replay", "purge", "move"];

fn check(program: &str, command: &[&str]) {
    // The width of the help is that of the terminal, and without one a fixed width.
    let ended = Run::new(program).args(command).args(["--help"]).finish();
    let name = [&[program], command].concat().join("-");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/cli_help").join(format!("{name}.txt"));
    expect_file![file].assert_eq(ended.succeeded());
}

#[test]
fn the_help_of_every_command() {
    for (program, commands) in COMMANDS {
        commands.iter().for_each(|command| check(program, command));
    }
}

#[test]
fn the_help_of_messages() {
    MESSAGES.iter().for_each(|command| check("tempo", &["messages", command]));
}

#[test]
fn the_version() {
    for (program, _) in COMMANDS {
        let ended = Run::new(program).args(["--version"]).finish();
        assert_eq!(ended.succeeded().trim_end(), format!("{program} {}", env!("CARGO_PKG_VERSION")));
    }
}
