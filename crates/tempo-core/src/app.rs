//! Several components in one process, as triggers see them.

use std::fmt;

use tempo_settings::{Error, Settings};

use crate::{Service, ServiceState, Workload};

/// A component of an app before it is compiled.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ComponentOutline<'a> {
    /// The component's name.
    pub name: &'a str,
    /// The component's settings.
    pub settings: &'a Settings,
    /// Whether it exports an interface that the trigger calls.
    pub exports: bool,
    /// The interfaces that it imports, with versions. `None` if they are not known yet, or if the app is not to run here: then a
    /// check reads no files that the settings name.
    pub imports: Option<&'a [String]>,
}

impl<'a> ComponentOutline<'a> {
    /// Creates the outline of the component `name`.
    pub fn new(name: &'a str, settings: &'a Settings, exports: bool) -> Self {
        Self { name, settings, exports, imports: None }
    }

    /// Sets the interfaces that it imports.
    #[must_use]
    pub fn with_imports(self, imports: Option<&'a [String]>) -> Self {
        Self { imports, ..self }
    }
}

/// The result of a trigger's check of an app.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AppCheck {
    /// The names of the components that the trigger calls as they are configured, or that others can call through it.
    pub reachable: Vec<String>,
    /// How many further calls one call can have under way in a row, because components call each other.
    pub chain_depth: usize,
    /// The mistakes in the settings.
    pub errors: Vec<Error>,
    /// The names of components that settings refer to and that the app does not have.
    pub undeclared: Vec<String>,
    /// The setting that makes a component reachable, for the error about one that is not: `add route = "/*"`.
    pub advice: Option<&'static str>,
    /// The ways of calls into and between the components.
    pub edges: Vec<AppEdge>,
}

/// A way of calls to a component, as a trigger knows it from the settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct AppEdge {
    /// The calling component; `None` if the calls come from outside of the app.
    pub from: Option<String>,
    /// The name of the component that is called.
    pub to: String,
    /// The setting that permits the calls: a route, a topic, or a grant, without possible secrets.
    pub label: String,
}

impl AppEdge {
    /// Creates an edge for calls from outside: `label` is the route or the topic.
    pub fn entry(label: impl Into<String>, to: &str) -> Self {
        Self { from: None, to: to.to_owned(), label: label.into() }
    }

    /// Creates an edge for calls of the component `from`, which `label` permits.
    pub fn between(from: &str, to: &str, label: impl Into<String>) -> Self {
        Self { from: Some(from.to_owned()), to: to.to_owned(), label: label.into() }
    }
}

/// A component of an app, for the trigger that calls it or that its calls go through.
#[non_exhaustive]
pub struct AppComponent<S: Service> {
    /// The component.
    pub workload: Workload,
    /// The component's settings. Flags of the process have the same value for all components.
    pub settings: Settings,
    /// A store's state of the trigger's service.
    pub state: S::State,
    /// Whether the component exports an interface that the trigger calls.
    pub exports: bool,
}

impl<S: Service> AppComponent<S> {
    /// Creates the component `workload`.
    pub fn new(workload: Workload, settings: Settings, state: S::State, exports: bool) -> Self {
        Self { workload, settings, state, exports }
    }
}

/// An [`AppComponent`] whose service's type is erased.
#[derive(Debug)]
#[non_exhaustive]
pub struct AnyComponent {
    /// The component.
    pub workload: Workload,
    /// The component's settings.
    pub settings: Settings,
    /// A store's state of the trigger's service.
    pub state: ServiceState,
    /// Whether the component exports an interface that the trigger calls.
    pub exports: bool,
}

impl AnyComponent {
    /// Creates the component `workload`.
    pub fn new(workload: Workload, settings: Settings, state: ServiceState, exports: bool) -> Self {
        Self { workload, settings, state, exports }
    }

    /// Returns the component for a trigger of service `S`.
    ///
    /// # Errors
    ///
    /// The state is that of another service.
    pub fn downcast<S: Service>(self) -> Result<AppComponent<S>, Error> {
        let state = self.state.into_inner::<S>();
        let state = state.ok_or_else(|| {
            let service = std::any::type_name::<S>();
            Error::internal(format!("the component has no state of the service {service}"))
        })?;
        Ok(AppComponent::new(self.workload, self.settings, state, self.exports))
    }
}

impl<S: Service> fmt::Debug for AppComponent<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AppComponent");
        debug.field("workload", &self.workload).field("exports", &self.exports).finish_non_exhaustive()
    }
}
