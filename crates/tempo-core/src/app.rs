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
}

impl<'a> ComponentOutline<'a> {
    /// Creates the outline of the component `name`.
    pub fn new(name: &'a str, settings: &'a Settings, exports: bool) -> Self {
        Self { name, settings, exports }
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
    /// The setting that makes a component reachable, for the error about one that is not: `add route = "/*"`.
    pub advice: Option<&'static str>,
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
