//! `cargo xtask bench readme`: measures everything that README's section on performance shows, and writes its tables.
//!
//! A table stands between a comment with the command that prints it, such as `<!-- bench http --rounds 5 -->`, and the comment
//! `<!-- end of bench -->`.

use std::fs;
use std::ops::Range;

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::shell::{self, say};
use crate::workspace;

const BEGIN: &str = "<!-- bench ";
const BEGIN_CLOSE: &str = " -->\n";
const END: &str = "<!-- end of bench -->";

pub(super) fn command() -> Command {
    let only = Arg::new("only").long("only").value_name("NAME,...").value_delimiter(',');
    let no_build = Arg::new("no-build").long("no-build").action(ArgAction::SetTrue);
    Command::new("readme")
        .about("Writes the tables of README's section on performance (half an hour)")
        .arg(only.help("Only the tables of these benchmarks, such as `http`"))
        .arg(no_build.help("Measure the programs that are there, such as a profile-guided `target/dist/tempo`"))
}

pub(super) fn run(arguments: &ArgMatches) -> Result<()> {
    let only = super::only(arguments);
    let path = workspace::root().join("README.md");
    let mut text = fs::read_to_string(&path)?;
    for index in 0..tables(&text)?.len() {
        // The previous one may have become longer.
        let tables = tables(&text)?;
        let Some(Table { command, place }) = tables.get(index) else { break };
        let mut words = command.split_whitespace();
        let name = words.clone().next().unwrap_or_default();
        if only.as_ref().is_some_and(|only| !only.iter().any(|wanted| wanted == name)) {
            continue;
        }
        say(&format!("cargo xtask bench {command}"));
        let mut bench = shell::program(&std::env::current_exe()?);
        bench.current_dir(workspace::root()).arg("bench").args(&mut words);
        if arguments.get_flag("no-build") {
            bench.arg("--no-build");
        }
        let printed = shell::read(&mut bench)?;
        text.replace_range(place.clone(), &format!("\n{}\n\n", printed.trim()));
        fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A table of README.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    /// The command that prints it, after `cargo xtask bench`.
    command: String,
    /// The place of what the command prints.
    place: Range<usize>,
}

fn tables(text: &str) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    let mut at = 0;
    while let Some(begin) = text.get(at..).and_then(|rest| rest.find(BEGIN)) {
        let begin = at + begin + BEGIN.len();
        let rest = text.get(begin..).unwrap_or_default();
        let (command, after) = rest.split_once(BEGIN_CLOSE).context("a comment `<!-- bench` does not end")?;
        let length = after.find(END).with_context(|| format!("no `{END}` after the table of `{command}`"))?;
        ensure!(!command.contains('\n'), "no command in one line: {command:?}");
        let start = begin + command.len() + BEGIN_CLOSE.len();
        at = start + length;
        tables.push(Table { command: command.to_owned(), place: start..at });
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_readme_have_commands_that_exist() {
        let text = fs::read_to_string(workspace::root().join("README.md")).unwrap();
        let tables = tables(&text).unwrap();
        assert!(!tables.is_empty());
        for Table { command, place } in tables {
            let arguments = ["bench"].into_iter().chain(command.split_whitespace());
            super::super::command()
                .try_get_matches_from(arguments)
                .unwrap_or_else(|error| panic!("{command}: {error}"));
            assert!(text[place].contains("|--"), "{command}");
        }
    }

    #[test]
    fn a_table_is_between_its_comments() {
        let text = "a\n<!-- bench http --rounds 5 -->\none\n<!-- end of bench -->\nb\n<!-- bench start -->\n<!-- end of bench -->\n";
        let tables = tables(text).unwrap();
        let found: Vec<_> = tables.iter().map(|table| (table.command.as_str(), &text[table.place.clone()])).collect();
        assert_eq!(found, [("http --rounds 5", "one\n"), ("start", "")]);
        assert!(super::tables("<!-- bench http -->\n").is_err());
        assert!(super::tables("<!-- bench http").is_err());
    }
}
