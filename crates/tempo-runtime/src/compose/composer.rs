//! `Composer`: composes a component with its dependencies, which it prepares by their links.

use tempo_settings::{Error, ErrorKind};

use super::deny::ComponentWorld;
use super::graph::{self, Dependency};
use super::policy::{Access, Policy};
use crate::interfaces::is_same_interface;
use crate::load::ScannedFile;
use crate::loaded_settings::{App, AppComponentSettings};
use crate::manifest::{DeclaredImport, IMPORTS, LinkKind};
use crate::registry::ServiceEntry;

/// A component with its dependencies.
struct Composed {
    /// The component; `None` if it has no dependencies, and is its file.
    component: Option<Vec<u8>>,
    /// Its isolated links, and those of its dependencies.
    isolated: Vec<DeclaredImport>,
}

/// Why a component cannot be composed.
pub(super) enum ComposeError {
    /// A link of this component.
    Link(Error),
    /// A dependency, whose own error says why.
    Dependency,
}

impl ComposeError {
    /// Returns the error of `component`.
    pub(super) fn of(self, component: &AppComponentSettings) -> Error {
        let message = format!("component.{} ({})", component.name, component.place);
        match self {
            Self::Link(error) => Error::new(error.kind(), message).with_source(error),
            Self::Dependency => {
                let cause = format!("{IMPORTS}: a component that it is composed with has an error");
                Error::new(ErrorKind::BadComponent, message).with_source(Error::new(ErrorKind::BadComponent, cause))
            }
        }
    }
}

fn link_error(problem: &str) -> ComposeError {
    ComposeError::Link(Error::new(ErrorKind::BadComponent, format!("{IMPORTS}: {problem}")))
}

/// Composes the components of an app, each after its dependencies.
pub(super) struct Composer<'a> {
    app: &'a App,
    files: &'a [ScannedFile],
    services: &'a [ServiceEntry],
    /// The components that are composed, by index.
    done: Vec<Option<Composed>>,
}

impl<'a> Composer<'a> {
    /// Creates a composer of `app`, whose files are `files`.
    pub(super) fn new(app: &'a App, files: &'a [ScannedFile], services: &'a [ServiceEntry]) -> Self {
        Self { app, files, services, done: app.components.iter().map(|_| None).collect() }
    }

    /// Returns the isolated links of each component, with those of its dependencies.
    pub(super) fn isolated(self) -> Vec<Vec<DeclaredImport>> {
        self.done.into_iter().map(|done| done.map(|done| done.isolated).unwrap_or_default()).collect()
    }

    /// Composes the component at `index`, after its dependencies. The manifest has no cycles.
    ///
    /// # Errors
    ///
    /// A link cannot be composed, or a dependency has such an error.
    pub(super) fn component(&mut self, index: usize) -> Result<(), ComposeError> {
        if self.done.get(index).is_some_and(Option::is_some) {
            return Ok(());
        }
        let app = self.app;
        let Some(component) = app.components.get(index) else { return Ok(()) };
        let is_isolated = |import: &&DeclaredImport| import.link == LinkKind::Isolated;
        let mut isolated: Vec<DeclaredImport> = component.imports.iter().filter(is_isolated).cloned().collect();
        let mut linked: Vec<(usize, &[String], Vec<&str>)> = Vec::new();
        for import in &component.imports {
            let LinkKind::Composed { inherit } = &import.link else { continue };
            let exporter = app.components.iter().position(|other| other.name == import.component);
            let exporter = exporter.ok_or(ComposeError::Dependency)?;
            match linked.iter_mut().find(|(index, ..)| *index == exporter) {
                Some((.., interfaces)) => interfaces.push(&import.interface),
                None => linked.push((exporter, inherit, vec![&import.interface])),
            }
        }
        for (dependency, ..) in &linked {
            self.component(*dependency).map_err(|_| ComposeError::Dependency)?;
        }
        let mut dependencies = Vec::new();
        for (dependency, inherit, interfaces) in linked {
            dependencies.push(self.dependency(dependency, inherit, interfaces)?);
            self.adopt(index, dependency, &mut isolated)?;
        }
        let composed = if dependencies.is_empty() {
            None
        } else {
            Some(
                graph::compose(&component.name, self.wasm(index)?, &dependencies)
                    .map_err(|problem| link_error(&problem))?,
            )
        };
        if let Some(done) = self.done.get_mut(index) {
            *done = Some(Composed { component: composed, isolated });
        }
        Ok(())
    }

    /// Returns the component at `index`, composed if it is.
    fn wasm(&self, index: usize) -> Result<&[u8], ComposeError> {
        if let Some(Composed { component: Some(component), .. }) = self.done.get(index).and_then(Option::as_ref) {
            return Ok(component);
        }
        let file = self.files.get(index).ok_or(ComposeError::Dependency)?;
        file.wasm().ok_or_else(|| {
            let path = file.path().display();
            link_error(&format!(
                "{path} is precompiled, and components are composed before they are compiled; name its .wasm file"
            ))
        })
    }

    /// Returns the component at `index` as a dependency that inherits the grants of the flags `inherit`.
    fn dependency<'s>(
        &'s self,
        index: usize,
        inherit: &[String],
        interfaces: Vec<&'s str>,
    ) -> Result<Dependency<'s>, ComposeError> {
        let name = self.app.components.get(index).map_or("", |component| component.name.as_str());
        let component = self.wasm(index)?;
        let failed = |error: anyhow::Error| link_error(&format!("`{name}` cannot be composed: {error:#}"));
        let world = ComponentWorld::of(component).map_err(failed)?;
        let policy = Policy::new(self.services, inherit);
        let links = self.done.get(index).and_then(Option::as_ref).map_or(&[][..], |done| &done.isolated);
        let mut denied = Vec::new();
        for import in world.imports() {
            let is_linked = links.iter().any(|link| is_same_interface(&import.name, &link.interface));
            if import.is_types_only || is_linked {
                continue;
            }
            match policy.access(import.interface.as_deref().unwrap_or(&import.name)) {
                Access::Shared => {}
                Access::Denied if import.interface.is_some() => denied.push(import.name),
                _ => {
                    return Err(link_error(&format!(
                        "`{name}` imports `{}`, which no service offers; another component of the app can, by `{IMPORTS}` of `{name}`",
                        import.name
                    )));
                }
            }
        }
        let is_denied = |name: &str| denied.iter().any(|denied| denied == name);
        let adapter = if denied.is_empty() { None } else { Some(world.deny_adapter(is_denied).map_err(failed)?) };
        Ok(Dependency { name, component, interfaces, denied, adapter })
    }

    /// Adds the isolated links of the dependency at `index` to those of the component at `into`, whose imports they become.
    fn adopt(&self, into: usize, index: usize, isolated: &mut Vec<DeclaredImport>) -> Result<(), ComposeError> {
        let links = self.done.get(index).and_then(Option::as_ref).map_or(&[][..], |done| &done.isolated);
        let (Some(component), Some(dependency)) = (self.app.components.get(into), self.app.components.get(index))
        else {
            return Ok(());
        };
        for link in links {
            let same = isolated.iter().find(|own| is_same_interface(&own.interface, &link.interface));
            match same {
                Some(own) if own.component == link.component => {}
                Some(own) => {
                    return Err(link_error(&format!(
                        "`{}` is linked to `{}`, and by `{}` to `{}`; composed, the two have one import: link both to one component",
                        link.interface, own.component, dependency.name, link.component
                    )));
                }
                None if self.imports(into, &link.interface) && !is_composed(component, &link.interface) => {
                    return Err(link_error(&format!(
                        "it imports `{}`, which only `{}` links; link it to `{}` too",
                        link.interface, dependency.name, link.component
                    )));
                }
                None => isolated.push(link.clone()),
            }
        }
        Ok(())
    }

    /// Returns whether the file of the component at `index` imports `interface`.
    fn imports(&self, index: usize, interface: &str) -> bool {
        let world = self.files.get(index).and_then(ScannedFile::wasm).map(ComponentWorld::of);
        let imports = world.and_then(Result::ok).map(|world| world.imports()).unwrap_or_default();
        imports.iter().any(|import| is_same_interface(&import.name, interface))
    }

    /// Validates the composed component at `index`. Returns `None` if it is its file.
    ///
    /// # Errors
    ///
    /// It is not valid.
    pub(super) fn scanned(
        &self,
        index: usize,
        concurrent_packages: &[&str],
    ) -> Result<Option<ScannedFile>, ComposeError> {
        let composed = self.done.get(index).and_then(Option::as_ref).and_then(|done| done.component.as_ref());
        let (Some(bytes), Some(file)) = (composed, self.files.get(index)) else { return Ok(None) };
        file.composed(bytes.clone(), concurrent_packages).map(Some).map_err(ComposeError::Link)
    }
}

fn is_composed(component: &AppComponentSettings, interface: &str) -> bool {
    let mut imports = component.imports.iter().filter(|import| import.link != LinkKind::Isolated);
    imports.any(|import| is_same_interface(interface, &import.interface))
}
