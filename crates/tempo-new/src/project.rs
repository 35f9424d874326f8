//! `Project`: a template with a name, and the files and commands that follow from both.

use crate::commands::Commands;
use crate::manifest;
use crate::name::ProjectName;
use crate::template::{CalledBy, Template};

/// The place of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder of its own, with a manifest.
    Alone,
    /// A folder in that of an app.
    App {
        /// Whether it is a member of the app's Cargo workspace.
        member: bool,
    },
}

/// A project that is to be created.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Project<'a> {
    pub name: &'a ProjectName,
    pub template: Template,
    pub place: Place,
}

impl Project<'_> {
    /// Returns its files: paths in the project's folder, and texts.
    pub(crate) fn files(&self) -> Vec<(&'static str, String)> {
        let commands = Commands::of(self);
        let path = match self.place {
            Place::Alone => "/a/path".to_owned(),
            Place::App { .. } => format!("/{}/a/path", self.name),
        };
        let values = [
            ("__NAME__", self.name.as_str()),
            ("__LIBRARY__", &self.name.library()),
            ("__BUILD__", &commands.build),
            ("__DEV__", commands.develop.as_deref().unwrap_or_default()),
            ("__TEST__", commands.test),
            ("__PATH__", &path),
        ];
        let files = self.template.files().iter().map(|file| {
            let mut text = file.render(&values);
            if file.path == "Cargo.toml" && self.place != (Place::App { member: true }) {
                text += &self.template.cargo_root();
            }
            (file.path, text)
        });
        let manifest = (self.place == Place::Alone).then(|| manifest::of_project(self)).flatten();
        files.chain(manifest.map(|text| ("tempo.toml", text))).collect()
    }

    /// Returns the component's file, relative to the manifest.
    pub(crate) fn source(&self) -> String {
        let folder = match self.place {
            Place::Alone | Place::App { member: true } if self.template.is_rust() => String::new(),
            Place::Alone => String::new(),
            Place::App { .. } => format!("{}/", self.name),
        };
        format!("{folder}{}", self.built())
    }

    /// Returns the component's file, relative to the folder in which it is built.
    fn built(&self) -> String {
        match self.template {
            Template::Command => format!("target/wasm32-wasip2/release/{}.wasm", self.name),
            template if template.is_rust() => format!("target/wasm32-wasip2/release/{}.wasm", self.name.library()),
            _ => format!("dist/{}.wasm", self.name),
        }
    }

    /// Returns true if its manifest has a table for it, with the source of its calls.
    pub(crate) fn is_declared(&self) -> bool {
        self.template != Template::App && matches!(self.template.called_by(), CalledBy::Requests | CalledBy::Messages)
    }
}
