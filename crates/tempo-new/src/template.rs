//! `Template`: the templates, with their files.

use tempo_tool::clap::ValueEnum;
use tempo_tool::clap::builder::PossibleValue;

use crate::file::TemplateFile;

/// Includes a file of `templates/`.
macro_rules! file {
    ($path:literal, $source:literal) => {
        TemplateFile::new($path, include_str!(concat!("../templates/", $source)))
    };
}

/// Includes a WIT file of the repository.
macro_rules! wit {
    ($path:literal, $source:literal) => {
        TemplateFile::new($path, include_str!(concat!("../wit/", $source)))
    };
}

const HTTP: &[TemplateFile] = &[
    file!("Cargo.toml", "http/manifest.toml"),
    file!("README.md", "http/README.md"),
    file!(".gitignore", "rust/gitignore"),
    file!("src/lib.rs", "http/lib.rs"),
];

const WORKER: &[TemplateFile] = &[
    file!("Cargo.toml", "worker/manifest.toml"),
    file!("README.md", "worker/README.md"),
    file!(".gitignore", "rust/gitignore"),
    file!("src/lib.rs", "worker/lib.rs"),
    wit!("wit/handler.wit", "messaging/handler.wit"),
    wit!("wit/producer.wit", "messaging/producer.wit"),
    wit!("wit/types.wit", "messaging/types.wit"),
    wit!("wit/world.wit", "messaging/world.wit"),
];

const MIDDLEWARE: &[TemplateFile] = &[
    file!("Cargo.toml", "middleware/manifest.toml"),
    file!("README.md", "middleware/README.md"),
    file!(".gitignore", "rust/gitignore"),
    file!("src/lib.rs", "middleware/lib.rs"),
    wit!("wit/world.wit", "handler-0.3/world.wit"),
];

const COMMAND: &[TemplateFile] = &[
    file!("Cargo.toml", "command/manifest.toml"),
    file!("README.md", "command/README.md"),
    file!(".gitignore", "rust/gitignore"),
    file!("src/main.rs", "command/main.rs"),
    file!("tempo.toml", "command/tempo.toml"),
];

const JAVASCRIPT: &[TemplateFile] = &[
    file!("package.json", "javascript/package.json"),
    file!("README.md", "javascript/README.md"),
    file!(".gitignore", "javascript/gitignore"),
    file!("build.mjs", "javascript/build.mjs"),
    file!("handler.js", "javascript/handler.js"),
    file!("handler.test.js", "javascript/handler.test.js"),
    wit!("wit/world.wit", "handler-0.2/world.wit"),
];

const PYTHON: &[TemplateFile] = &[
    file!("requirements.txt", "python/requirements.txt"),
    file!("README.md", "python/README.md"),
    file!(".gitignore", "python/gitignore"),
    file!("app.py", "python/app.py"),
    file!("answer.py", "python/answer.py"),
    file!("test_answer.py", "python/test_answer.py"),
    wit!("wit/world.wit", "handler-0.3/world.wit"),
];

const C: &[TemplateFile] = &[
    file!("Makefile", "c/Makefile"),
    file!("README.md", "c/README.md"),
    file!(".gitignore", "c/gitignore"),
    file!("handler.c", "c/handler.c"),
    file!("answer.h", "c/answer.h"),
    file!("wasi.h", "c/wasi.h"),
    file!("test.c", "c/test.c"),
    wit!("wit/world.wit", "handler-0.2/world.wit"),
];

const APP: &[TemplateFile] = &[
    file!("Cargo.toml", "app/workspace.toml"),
    file!("README.md", "app/README.md"),
    file!(".gitignore", "rust/gitignore"),
    file!("tempo.toml", "app/tempo.toml"),
    file!("api/Cargo.toml", "app/api.toml"),
    file!("api/src/lib.rs", "app/api.rs"),
    file!("auth/Cargo.toml", "app/auth.toml"),
    file!("auth/src/lib.rs", "app/auth.rs"),
    wit!("auth/wit/world.wit", "handler-0.3/world.wit"),
    file!("pricing/Cargo.toml", "app/pricing.toml"),
    file!("pricing/src/lib.rs", "app/pricing.rs"),
];

/// The profile of components, which the root of a workspace has.
const PROFILE: &str = include_str!("../templates/rust/profile.toml");
/// Makes a package the root of a workspace.
const WORKSPACE: &str = include_str!("../templates/rust/workspace.toml");

/// A template of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    /// A handler of HTTP requests, in Rust.
    Http,
    /// A handler of messages, in Rust.
    Worker,
    /// A handler of HTTP requests that passes them on, in Rust.
    Middleware,
    /// Three components of one app, in Rust.
    App,
    /// A program that runs once, in Rust.
    Command,
    /// A handler of HTTP requests, in JavaScript.
    Javascript,
    /// A handler of HTTP requests, in Python.
    Python,
    /// A handler of HTTP requests, in C.
    C,
}

/// The source of a component's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CalledBy {
    /// Requests of a route.
    Requests,
    /// Messages of a topic.
    Messages,
    /// Another component.
    Component,
    /// The operator, once.
    Operator,
}

impl Template {
    /// All templates.
    pub(crate) const ALL: &[Self] = &[
        Self::Http,
        Self::Worker,
        Self::Middleware,
        Self::App,
        Self::Command,
        Self::Javascript,
        Self::Python,
        Self::C,
    ];

    /// Returns its name on the command line, and its description in the help.
    fn description(self) -> (&'static str, &'static str) {
        match self {
            Self::Http => ("http", "A handler of HTTP requests, in Rust"),
            Self::Worker => ("worker", "A handler of messages, in Rust"),
            Self::Middleware => ("middleware", "A handler that passes HTTP requests on to another one, in Rust"),
            Self::App => ("app", "An app of three components, in Rust"),
            Self::Command => ("command", "A program that runs once, in Rust"),
            Self::Javascript => ("javascript", "A handler of HTTP requests, in JavaScript"),
            Self::Python => ("python", "A handler of HTTP requests, in Python"),
            Self::C => ("c", "A handler of HTTP requests, in C"),
        }
    }

    /// Returns its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        self.description().0
    }

    /// Returns its files.
    pub(crate) fn files(self) -> &'static [TemplateFile] {
        match self {
            Self::Http => HTTP,
            Self::Worker => WORKER,
            Self::Middleware => MIDDLEWARE,
            Self::App => APP,
            Self::Command => COMMAND,
            Self::Javascript => JAVASCRIPT,
            Self::Python => PYTHON,
            Self::C => C,
        }
    }

    /// Returns the end of the `Cargo.toml` at the root of a workspace.
    pub(crate) fn cargo_root(self) -> String {
        if self == Self::App { PROFILE.to_owned() } else { format!("{PROFILE}{WORKSPACE}") }
    }

    /// Returns true if Cargo builds it.
    pub(crate) fn is_rust(self) -> bool {
        matches!(self, Self::Http | Self::Worker | Self::Middleware | Self::App | Self::Command)
    }

    /// Returns the source of its calls.
    pub(crate) fn called_by(self) -> CalledBy {
        match self {
            Self::Http | Self::App | Self::Javascript | Self::Python | Self::C => CalledBy::Requests,
            Self::Worker => CalledBy::Messages,
            Self::Middleware => CalledBy::Component,
            Self::Command => CalledBy::Operator,
        }
    }
}

impl ValueEnum for Template {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = self.description();
        Some(PossibleValue::new(name).help(help))
    }
}
