//! The data folders of an app's components, which must not share files.

use std::path::{Component, Path, PathBuf};

use tempo_backend::DATA;
use tempo_settings::Error;

use crate::loaded_settings::App;

/// Returns an error for each component whose data folder is that of another, or lies in it.
pub(super) fn problems(app: &App) -> Vec<Error> {
    let folders = app.components.iter().filter_map(|component| {
        let data: PathBuf = component.settings.get(&DATA).ok()??;
        Some((component, lexical(&data)))
    });
    let folders: Vec<_> = folders.collect();
    let mut problems = Vec::new();
    for (index, (component, folder)) in folders.iter().enumerate() {
        let mut others = folders.iter().enumerate().filter(|(other, _)| *other != index);
        // Of two with the same folder, the second one has the problem.
        let holds = |other: usize, outer: &Path| folder.starts_with(outer) && (folder != outer || other < index);
        if let Some((_, (other, outer))) = others.find(|(other, (_, outer))| holds(*other, outer)) {
            let relation = if folder == outer { "is that" } else { "lies in that" };
            let problem = format!(
                "the data folder of {} {relation} of {}; choose another, or share stores by their URL",
                component.name, other.name
            );
            problems.push(component.settings.invalid(&DATA, &problem));
        }
    }
    problems
}

/// Returns the absolute path without `.` and `..`.
fn lexical(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut folder = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                folder.pop();
            }
            part => folder.push(part),
        }
    }
    folder
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempo_settings::{Settings, Value, ValueSource};

    use super::*;
    use crate::loaded_settings::AppComponentSettings;

    fn errors(folders: &[&str]) -> Vec<String> {
        let component = |(index, folder): (usize, &&str)| {
            let mut settings = Settings::default();
            let source = ValueSource::SettingsFile { path: "tempo.toml".into(), line: index + 1 };
            settings.set(&DATA, vec![Value { text: (*folder).to_owned(), source }]);
            let (name, place) = (index.to_string(), String::new());
            let settings = Arc::new(settings);
            AppComponentSettings {
                name,
                place,
                source: PathBuf::new(),
                imports: Vec::new(),
                build: None,
                settings,
                own_flags: Vec::new(),
            }
        };
        let components = folders.iter().enumerate().map(component).collect();
        problems(&App { name: "app".into(), components }).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn folders_are_apart() {
        assert_eq!(errors(&["a", "b", "ab", "./c/../d"]), [""; 0]);
        let found = errors(&["a", "x/../a/b", "./a"]);
        assert_eq!(
            found,
            [
                "data: the data folder of 1 lies in that of 0; choose another, or share stores by their URL (tempo.toml:2)",
                "data: the data folder of 2 is that of 0; choose another, or share stores by their URL (tempo.toml:3)",
            ]
        );
    }
}
