//! `Plan`: the components that are built, by which commands, and the files whose changes matter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::built_file::BuiltFile;
use super::cargo::CargoProject;
use super::command::BuildCommand;
use crate::cli::Program;
use crate::loaded_settings::LoadedSettings;
use crate::manifest::DeclaredBuild;
use crate::watch::WatchSet;
use tempo_backend::DATA;

/// What is built and what is watched.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The components that have a command.
    pub(super) builds: Vec<Build>,
    /// The settings files, and the files of components without a command.
    pub(super) files: WatchSet,
}

/// The build of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Build {
    /// The component's name.
    pub(super) component: String,
    /// The command.
    pub(super) command: BuildCommand,
    /// What the component is built from.
    pub(super) sources: WatchSet,
}

/// A component of a program.
struct Component<'a> {
    name: String,
    file: &'a Path,
    build: Option<&'a DeclaredBuild>,
    /// The data directory.
    data: Option<PathBuf>,
}

impl Plan {
    /// Watches the files of `program`, and builds nothing.
    pub(super) fn without_builds(program: &Program, loaded: &LoadedSettings) -> Self {
        let mut files = settings_files(loaded);
        components(program, loaded).iter().for_each(|component| files.add(component.file));
        Self { builds: Vec::new(), files }
    }

    /// Builds the components of `program`: those with a declared build by its command, those that Cargo builds by Cargo.
    ///
    /// # Errors
    ///
    /// Cargo refuses the project of a component; the error is for users.
    pub(super) fn of(program: &Program, loaded: &LoadedSettings) -> Result<Self, String> {
        let (mut builds, mut files) = (Vec::new(), settings_files(loaded));
        let mut projects = BTreeMap::new();
        for component in components(program, loaded) {
            let build = match component.build {
                Some(build) => Some(declared(&component, build)),
                None => by_cargo(&component, &mut projects)?,
            };
            match build {
                Some(mut build) => {
                    // They lie beside the sources, and cause a reload.
                    loaded.files.iter().chain(&loaded.read_once).for_each(|file| build.sources.exclude(file));
                    builds.push(build);
                }
                None => files.add(component.file),
            }
        }
        Ok(Self { builds, files })
    }

    /// Returns all that is watched.
    pub(super) fn sets(&self) -> Vec<WatchSet> {
        self.builds.iter().map(|build| build.sources.clone()).chain([self.files.clone()]).collect()
    }
}

fn settings_files(loaded: &LoadedSettings) -> WatchSet {
    let mut files = WatchSet::default();
    loaded.files.iter().chain(&loaded.read_once).for_each(|file| files.add(file));
    files
}

fn components<'a>(program: &'a Program, loaded: &'a LoadedSettings) -> Vec<Component<'a>> {
    match program {
        Program::Component(file) => {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let data = loaded.settings.get(&DATA).ok().flatten();
            vec![Component { name, file, build: loaded.build.as_ref(), data }]
        }
        Program::App(app) => {
            let components = app.components.iter().map(|component| Component {
                name: component.name.clone(),
                file: &component.source,
                build: component.build.as_ref(),
                data: component.settings.get(&DATA).ok().flatten(),
            });
            components.collect()
        }
    }
}

/// Returns the build that the manifest declares.
fn declared(component: &Component<'_>, build: &DeclaredBuild) -> Build {
    let mut sources = WatchSet::default();
    build.watch.iter().for_each(|path| sources.add(path));
    if build.watch.is_empty() {
        sources.add(if build.dir.as_os_str().is_empty() { Path::new(".") } else { &build.dir });
    }
    // The output, and usually what is written with it.
    sources.exclude(component.file);
    let folder = component.file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| build.watch.is_empty() && is_below(folder, &build.dir)) {
        sources.exclude(folder);
    }
    component.data.iter().for_each(|data| sources.exclude(data));
    Build { component: component.name.clone(), command: BuildCommand::declared(build), sources }
}

/// Returns whether `folder` lies in `dir`, and is not `dir` itself.
fn is_below(folder: &Path, dir: &Path) -> bool {
    let absolute = |path: &Path| std::path::absolute(if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let (Ok(folder), Ok(dir)) = (absolute(folder), absolute(dir)) else { return false };
    folder != dir && folder.starts_with(dir)
}

/// Returns the build by Cargo, if its file is where Cargo writes components. `projects` has those that were read already.
fn by_cargo(
    component: &Component<'_>,
    projects: &mut BTreeMap<PathBuf, CargoProject>,
) -> Result<Option<Build>, String> {
    let name = &component.name;
    let Some(file) = BuiltFile::parse(component.file) else { return Ok(None) };
    let Some(folder) = file.project() else { return Ok(None) };
    let project = match projects.entry(folder.clone()) {
        std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
        std::collections::btree_map::Entry::Vacant(unknown) => {
            unknown.insert(CargoProject::read(&folder).map_err(|error| format!("{name}: {error}"))?)
        }
    };
    let Some(package) = project.package(&file) else {
        let (file, folder) = (component.file.display(), folder.display());
        let fix = "correct its `source`, or give it a `build`";
        return Err(format!("{name}: no package in {folder} has a cdylib or a program that is built as {file}; {fix}"));
    };
    let mut sources = project.watched(package);
    component.data.iter().for_each(|data| sources.exclude(data));
    let command = BuildCommand::cargo(folder, &package.name, &file);
    Ok(Some(Build { component: name.clone(), command, sources }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component<'a>(file: &'a str, build: &'a DeclaredBuild) -> Component<'a> {
        Component { name: "c".to_owned(), file: Path::new(file), build: Some(build), data: Some("/app/data".into()) }
    }

    fn build(watch: &[&str]) -> DeclaredBuild {
        let watch = watch.iter().map(PathBuf::from).collect();
        DeclaredBuild { command: "make".to_owned(), dir: "/app".into(), watch }
    }

    #[test]
    fn a_declared_build_watches_its_folder_without_its_output() {
        let build = build(&[]);
        let sources = declared(&component("/app/dist/c.wasm", &build), &build).sources;
        let contains = |path: &str| sources.contains(Path::new(path));
        assert!(contains("/app/src/c.c") && contains("/app/Makefile"));
        assert!(!contains("/app/dist/c.wasm") && !contains("/app/dist/c.o") && !contains("/app/data/store.redb"));
        // Only the file is the output if it lies among the sources.
        let sources = declared(&component("/app/c.wasm", &build), &build).sources;
        assert!(sources.contains(Path::new("/app/c.c")) && !sources.contains(Path::new("/app/c.wasm")));
    }

    #[test]
    fn a_declared_build_watches_what_it_names() {
        let build = build(&["/app/handler.js", "/app/wit"]);
        let sources = declared(&component("/app/dist/c.wasm", &build), &build).sources;
        let contains = |path: &str| sources.contains(Path::new(path));
        assert!(contains("/app/handler.js") && contains("/app/wit/world.wit"));
        assert!(!contains("/app/package.json"));
    }

    #[test]
    fn a_file_that_cargo_does_not_write_has_no_build() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("target/wasm32-wasip2/release/c.wasm");
        let alone = Component { name: "c".to_owned(), file: &file, build: None, data: None };
        assert_eq!(by_cargo(&alone, &mut BTreeMap::new()), Ok(None), "no Cargo.toml");
        let elsewhere = Component { file: Path::new("dist/c.wasm"), ..alone };
        assert_eq!(by_cargo(&elsewhere, &mut BTreeMap::new()), Ok(None));
    }
}
