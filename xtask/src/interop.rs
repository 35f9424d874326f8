//! `cargo xtask interop`: components of other languages and toolchains, for the integration tests to serve unchanged.
//!
//! They are built into `target/interop`, with tools of pinned versions in `target/tools`. A language is skipped with a
//! message if this machine cannot install its tools; any other failure is an error.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Command};

use crate::shell::say;
use crate::workspace::Workspace;
use crate::{setup, workspace};

mod c;
mod javascript;
mod python;
mod spin;
mod stamp;
mod tools;
mod wit;

use stamp::Stamp;
use tools::Tools;
use wit::Interfaces;

/// The paths and interfaces that every recipe needs.
struct BuildContext {
    /// The directory of the components.
    output: PathBuf,
    /// The directory of the tools.
    tools: Tools,
    /// `wasi:http` 0.2 and its dependencies.
    p2: Interfaces,
    /// `wasi:http` 0.3 and its dependencies.
    p3: Interfaces,
}

/// The build of the component of one language.
struct Recipe {
    /// The name of the component, and of its directory under `tests/interop`.
    name: &'static str,
    /// Returns the missing prerequisite of this machine, if any.
    lacks: fn() -> Option<&'static str>,
    /// The versions of the tools; a change causes a rebuild.
    tools: &'static [&'static str],
    /// Its dependencies in this repository's `wit`.
    wit: &'static [&'static str],
    /// Builds the sources in the first directory into the second, which is empty, as the file `NAME.wasm`.
    build: fn(&BuildContext, &Path, &Path) -> Result<()>,
}

const RECIPES: &[Recipe] = &[
    Recipe { name: "c", lacks: python::lacks, tools: &[c::ZIG], wit: &[], build: c::build },
    Recipe {
        name: "javascript",
        lacks: javascript::lacks,
        tools: javascript::TOOLS,
        wit: &[],
        build: javascript::build_handler,
    },
    Recipe {
        name: "javascript-storage",
        lacks: javascript::lacks,
        tools: javascript::TOOLS,
        wit: javascript::STORAGE,
        build: javascript::build_storage,
    },
    Recipe {
        name: "python-p2",
        lacks: python::lacks,
        tools: &[python::COMPONENTIZE],
        wit: &[],
        build: python::build_p2,
    },
    Recipe {
        name: "python-p3",
        lacks: python::lacks,
        tools: &[python::COMPONENTIZE],
        wit: &[],
        build: python::build_p3,
    },
    Recipe {
        name: "python-storage",
        lacks: python::lacks,
        tools: &[python::COMPONENTIZE],
        wit: python::STORAGE,
        build: python::build_storage,
    },
    Recipe { name: "spin-6", lacks: || None, tools: &[], wit: &[], build: spin::build },
    Recipe { name: "spin-7", lacks: || None, tools: &[], wit: &[], build: spin::build },
    Recipe { name: "spin-middleware", lacks: || None, tools: &[], wit: &[], build: spin::build },
];

pub(crate) fn command() -> Command {
    let names = Arg::new("names")
        .value_name("NAME")
        .num_args(0..)
        .value_parser(RECIPES.iter().map(|recipe| recipe.name).collect::<Vec<_>>())
        .help("Build these only; by default all");
    Command::new("interop").about("Builds the components of other languages that the tests serve").arg(names)
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    setup::ensure()?;
    let names: Vec<&String> = arguments.get_many("names").into_iter().flatten().collect();
    let workspace = Workspace::load()?;
    let chosen = |recipe: &&Recipe| names.is_empty() || names.iter().any(|name| *name == recipe.name);
    build_each(&workspace, RECIPES.iter().filter(chosen))
}

/// Builds every component whose prerequisites exist. Returns quickly if nothing has changed.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    build_each(workspace, RECIPES.iter())
}

fn build_each<'a>(workspace: &Workspace, recipes: impl Iterator<Item = &'a Recipe>) -> Result<()> {
    let output = workspace.target.join("interop");
    fs::create_dir_all(&output).with_context(|| format!("cannot create {}", output.display()))?;
    let [p2, p3] = wit::interfaces()?;
    let context = BuildContext { output, tools: Tools::new(workspace.target.join("tools")), p2, p3 };
    for recipe in recipes {
        let component = context.output.join(format!("{}.wasm", recipe.name));
        if let Some(lacking) = (recipe.lacks)() {
            say(&format!("SKIPPED interop {}: this machine has no {lacking}", recipe.name));
            // Otherwise the tests would use the component of an earlier machine or commit.
            remove(&component)?;
            continue;
        }
        build_one(&context, recipe, &component).with_context(|| format!("cannot build interop {}", recipe.name))?;
    }
    Ok(())
}

fn build_one(context: &BuildContext, recipe: &Recipe, component: &Path) -> Result<()> {
    let source = workspace::root().join("tests/interop").join(recipe.name);
    let stamp = Stamp::of(&source, recipe.tools, &[&context.p2.with(recipe.wit)?, &context.p3])?;
    let stamp_file = component.with_extension("stamp");
    if component.exists() && stamp.is_in(&stamp_file) {
        return Ok(());
    }
    let scratch = context.output.join(recipe.name);
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    fs::create_dir_all(&scratch)?;
    remove(component)?;
    (recipe.build)(context, &source, &scratch)?;
    let built = scratch.join(format!("{}.wasm", recipe.name));
    if !built.exists() {
        bail!("the tools reported success and left no {}", built.display());
    }
    fs::rename(&built, component)?;
    stamp.write(&stamp_file)
}

fn remove(file: &Path) -> Result<()> {
    if file.exists() {
        fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}
