//! `Add`: the command `add`, which adds a component to an app.

use std::io::Write;
use std::path::Path;

use tempo_settings::{Error, Flag, Settings};
use tempo_tool::Tool;
use tempo_tool::clap::{Arg, ArgMatches, Command};

use crate::cargo_workspace::CargoWorkspace;
use crate::commands::Commands;
use crate::manifest::{MANIFEST, Manifest};
use crate::name::ProjectName;
use crate::new::{chosen, print, template_argument, write_files};
use crate::new_files::NewFiles;
use crate::project::{Place, Project};
use crate::template::Template;

/// The templates of components that the manifest of an app can declare.
const TEMPLATES: &[Template] = &[Template::Http, Template::Worker, Template::Javascript, Template::Python, Template::C];

/// The tool `add`: adds a component to the app in the working directory.
#[derive(Debug)]
pub struct Add;

impl Tool for Add {
    fn command() -> Command {
        Command::new("add")
            .about("Add a component from a template to the app of ./tempo.toml")
            .arg(
                Arg::new("name").value_name("NAME").required(true).help("The name of the component, and of its folder"),
            )
            .arg(template_argument(TEMPLATES))
    }

    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    async fn run(matches: &ArgMatches, _: &Settings, output: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        let name = matches.get_one::<String>("name").map_or("", String::as_str);
        Ok(add(Path::new(""), name, chosen(matches), output)?)
    }
}

/// Adds a component to the app in `app`.
fn add(app: &Path, name: &str, template: Template, output: &mut (dyn Write + Send)) -> Result<(), Error> {
    let name = ProjectName::parse(name)?;
    let manifest = Manifest::read(app)?;
    manifest.check_absent(&name)?;
    let workspace = if template.is_rust() { CargoWorkspace::with_member(app, &name)? } else { None };
    let project = Project { name: &name, template, place: Place::App { member: workspace.is_some() } };
    let folder = app.join(name.as_str());
    let mut files = NewFiles::default();
    files.create_project(&folder)?;
    write_files(&project, &folder, &mut files)?;
    workspace.as_ref().map_or(Ok(()), CargoWorkspace::write)?;
    manifest.add(&project).inspect_err(|_| workspace.iter().for_each(CargoWorkspace::restore))?;
    files.keep();
    let next = Commands::of(&project).next(&folder.display().to_string());
    print(&format!("added {name} from the template {} to {MANIFEST}\n{next}", template.name()), output)
}

#[cfg(test)]
mod tests;
