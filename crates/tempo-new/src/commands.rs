//! `Commands`: the commands that install, build, test and develop a project.

use crate::project::{Place, Project};
use crate::template::{CalledBy, Template};

/// The commands of a project. All are run in its folder.
#[derive(Debug)]
pub(crate) struct Commands {
    /// Installs what the build needs, once.
    pub install: &'static str,
    pub build: String,
    pub test: &'static str,
    /// Builds, runs, and does so again after each change. `None` if it does not run without another component.
    pub develop: Option<String>,
}

impl Commands {
    pub(crate) fn of(project: &Project<'_>) -> Self {
        let name = project.name;
        let (install, build, test) = match project.template {
            Template::Javascript => ("npm install", "npm run build".to_owned(), "npm test"),
            Template::Python => (
                "pip install -r requirements.txt",
                format!("mkdir -p dist && componentize-py -d wit -w handler componentize app -o dist/{name}.wasm"),
                "python3 -m unittest",
            ),
            Template::C => {
                ("pip install ziglang==0.15.2 && rustup target add wasm32-wasip2", "make".to_owned(), "make test")
            }
            Template::Http | Template::Worker | Template::Middleware | Template::App | Template::Command => (
                "rustup target add wasm32-wasip2",
                "cargo build --release --target wasm32-wasip2".to_owned(),
                "cargo test",
            ),
        };
        let develop = match (project.template.called_by(), project.place) {
            (CalledBy::Component, _) => None,
            (CalledBy::Operator, _) => Some(format!("tempo dev {}", project.source())),
            (_, Place::Alone) => Some("tempo dev".to_owned()),
            (_, Place::App { .. }) => Some("cd .. && tempo dev".to_owned()),
        };
        Self { install, build, test, develop }
    }

    /// Returns the lines that a user runs next, beginning in the folder above the project's.
    pub(crate) fn next(&self, folder: &str) -> String {
        let then = self.develop.as_deref().unwrap_or(&self.build);
        let lines = [self.install, then].map(|line| format!("  {line}\n"));
        format!("next:\n  cd {folder}\n{}", lines.concat())
    }
}
