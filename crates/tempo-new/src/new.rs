//! `New`: the command `new`, which creates a project.

use std::io::Write;
use std::path::{Path, PathBuf};

use tempo_settings::{Error, ErrorKind, Flag, Settings};
use tempo_tool::Tool;
use tempo_tool::clap::{Arg, ArgMatches, Command, value_parser};

use crate::commands::Commands;
use crate::name::ProjectName;
use crate::new_files::NewFiles;
use crate::project::{Place, Project};
use crate::template::Template;

/// The tool `new`: creates a project that builds and runs at once.
#[derive(Debug)]
pub struct New;

impl Tool for New {
    fn command() -> Command {
        let folder = Arg::new("name").value_name("NAME").required(true).value_parser(value_parser!(PathBuf));
        Command::new("new")
            .about("Create a project from a template")
            .arg(folder.help("The name of the project, or a path that ends in it: its folder"))
            .arg(template_argument(Template::ALL))
    }

    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    async fn run(matches: &ArgMatches, _: &Settings, output: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        let folder = matches.get_one::<PathBuf>("name").map(PathBuf::as_path).unwrap_or(Path::new(""));
        Ok(create(folder, chosen(matches), output)?)
    }
}

/// Returns the argument `--template` for these templates.
pub(crate) fn template_argument(templates: &'static [Template]) -> Arg {
    use tempo_tool::clap::ValueEnum;
    use tempo_tool::clap::builder::{PossibleValuesParser, TypedValueParser};

    let values = PossibleValuesParser::new(templates.iter().filter_map(ValueEnum::to_possible_value));
    let parse = values.try_map(|name| Template::from_str(&name, false));
    let default = Template::Http.name();
    Arg::new("template")
        .long("template")
        .value_name("TEMPLATE")
        .default_value(default)
        .value_parser(parse)
        .help("The template")
}

/// Returns the template that the arguments name.
pub(crate) fn chosen(matches: &ArgMatches) -> Template {
    matches.get_one("template").copied().unwrap_or(Template::Http)
}

/// Creates a project in `folder`, which it is named after.
pub(crate) fn create(folder: &Path, template: Template, output: &mut (dyn Write + Send)) -> Result<(), Error> {
    let text = folder.file_name().and_then(|name| name.to_str());
    let name = match text {
        Some(text) => ProjectName::parse(text)?,
        None => {
            let problem = format!("NAME: {}: the path does not end in a name", folder.display());
            return Err(Error::new(ErrorKind::Usage, problem).with_advice("choose another name"));
        }
    };
    let project = Project { name: &name, template, place: Place::Alone };
    let mut files = NewFiles::default();
    files.create_project(folder)?;
    write_files(&project, folder, &mut files)?;
    files.keep();
    let (folder, template) = (folder.display().to_string(), template.name());
    let next = Commands::of(&project).next(&folder);
    print(&format!("created {folder} from the template {template}\n{next}"), output)
}

/// Writes the files of a project.
pub(crate) fn write_files(project: &Project<'_>, folder: &Path, files: &mut NewFiles) -> Result<(), Error> {
    project.files().iter().try_for_each(|(path, text)| files.create(&folder.join(path), text))
}

/// Writes `text` to `output`.
pub(crate) fn print(text: &str, output: &mut (dyn Write + Send)) -> Result<(), Error> {
    output
        .write_all(text.as_bytes())
        .map_err(|error| Error::new(ErrorKind::CannotWrite, "cannot write the output").with_source(error))
}
