//! `build` of a component: the command that builds its file, and what the file is built from. Only `tempo dev` runs it.

use std::path::PathBuf;

use tempo_settings::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problems::Problems;
use crate::settings_file::SettingsParser;

/// The key of the build.
pub(crate) const BUILD: &str = "build";

/// The key of the command.
const COMMAND: &str = "command";
/// The key of the folder in which the command runs.
const DIR: &str = "dir";
/// The key of the files and folders whose changes cause a build.
const WATCH: &str = "watch";

/// How a component is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeclaredBuild {
    /// The command, for `sh -c`.
    pub command: String,
    /// The folder in which it runs.
    pub dir: PathBuf,
    /// The files and folders whose changes cause a build. If it is empty, they are all of `dir`.
    pub watch: Vec<PathBuf>,
}

/// Parses `bytes`, the contents of the settings file `path`, and returns the build at its top.
///
/// # Errors
///
/// The file is not TOML in UTF-8, or the build has problems.
pub(crate) fn at_top(bytes: &[u8], path: &str) -> Result<Option<DeclaredBuild>, Error> {
    let parser = SettingsParser::new(bytes, path)?;
    let root = parser.root()?;
    let mut problems = Problems::new(path);
    let build = parse(&parser, BUILD, root.get_ref(), &mut problems);
    problems.into_result().map(|()| build)
}

/// Parses the build in `table`, if there is one. `name` is the path of its key: `component.api.build`.
pub(super) fn parse(
    parser: &SettingsParser<'_>,
    name: &str,
    table: &DeTable<'_>,
    problems: &mut Problems,
) -> Option<DeclaredBuild> {
    let value = table.get(BUILD)?;
    let mut bad = |value: &Spanned<DeValue<'_>>, problem: &str| {
        let span = value.span();
        problems.add(parser.line(&span), parser.bad(span, &format!("{name}{problem}")));
    };
    let DeValue::Table(keys) = value.get_ref() else {
        bad(value, ": expected { command = \"COMMAND\", watch = [\"PATH\"], dir = \"FOLDER\" }");
        return None;
    };
    let (mut command, mut dir, mut watch) = (None, None, Vec::new());
    for (key, value) in keys {
        match (key.get_ref().as_ref(), value.get_ref()) {
            (COMMAND, DeValue::String(text)) if !text.trim().is_empty() => command = Some(text.to_string()),
            (COMMAND, _) => bad(value, ".command: expected a command of the shell"),
            (DIR, DeValue::String(text)) if !text.is_empty() => dir = Some(PathBuf::from(text.as_ref())),
            (DIR, _) => bad(value, ".dir: expected the path of a folder"),
            (WATCH, DeValue::Array(items)) => {
                for item in items.iter() {
                    match item.get_ref() {
                        DeValue::String(text) if !text.is_empty() => watch.push(PathBuf::from(text.as_ref())),
                        _ => bad(item, ".watch: expected paths of files and folders"),
                    }
                }
            }
            (WATCH, _) => bad(value, ".watch: expected paths of files and folders"),
            (key, _) => bad(value, &format!(".{}: expected command, watch or dir", key.escape_debug())),
        }
    }
    let Some(command) = command else {
        if !keys.contains_key(COMMAND) {
            bad(value, ": `command` is missing");
        }
        return None;
    };
    let folder = parser.folder().map(PathBuf::from).unwrap_or_default();
    let dir = dir.map_or_else(|| folder.clone(), |dir| folder.join(dir));
    let watch = watch.into_iter().map(|path| dir.join(path)).collect();
    Some(DeclaredBuild { command, dir, watch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_manifest() {
        let text = b"build = { command = \"make all\", watch = [\"src\", \"../Makefile\"], dir = \"c\" }";
        let build = |path: &str| at_top(text, path).unwrap().unwrap();
        let expected = |folder: &str| DeclaredBuild {
            command: "make all".to_owned(),
            dir: format!("{folder}c").into(),
            watch: vec![format!("{folder}c/src").into(), format!("{folder}c/../Makefile").into()],
        };
        assert_eq!(build("tempo.toml"), expected(""));
        assert_eq!(build("conf/app.toml"), expected("conf/"));
        let build = at_top(b"[build]\ncommand = \"make\"", "conf/app.toml").unwrap().unwrap();
        assert_eq!((build.dir, build.watch), ("conf".into(), Vec::new()));
        assert_eq!(at_top(b"name = \"a\"", "tempo.toml"), Ok(None));
    }

    #[test]
    fn problems_name_the_key_and_the_line() {
        let error = |text: &str| at_top(text.as_bytes(), "tempo.toml").unwrap_err().to_string();
        assert_eq!(
            error("\nbuild = \"make\""),
            "build: expected { command = \"COMMAND\", watch = [\"PATH\"], dir = \"FOLDER\" } (tempo.toml:2)"
        );
        assert_eq!(error("[build]\nwatch = []"), "build: `command` is missing (tempo.toml:1)");
        assert_eq!(error("[build]\ncommand = \" \""), "build.command: expected a command of the shell (tempo.toml:2)");
        let listed = error("[build]\ncommand = \"a\"\nwatch = \"src\"\ndir = 1\nworkdir = \"x\"");
        assert_eq!(
            listed.lines().skip(1).map(str::trim).collect::<Vec<_>>(),
            [
                "build.watch: expected paths of files and folders (tempo.toml:3)",
                "build.dir: expected the path of a folder (tempo.toml:4)",
                "build.workdir: expected command, watch or dir (tempo.toml:5)",
            ]
        );
    }
}
