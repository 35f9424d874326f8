//! Checks the middleware of an app: its names, and that it passes requests on.

use std::collections::BTreeSet;
use std::sync::Arc;

use tempo_core::{AppCheck, ComponentOutline, MAX_CHAIN_DEPTH};
use tempo_settings::{Error, ErrorKind};

use super::super::components::ServedComponent;
use super::super::config::{MIDDLEWARE, ROUTE};
use super::super::worker::Worker;
use crate::middleware::{HANDLERS, is_handler};

/// Checks that the middleware of `components` passes requests on, and that no other component wants to.
///
/// # Errors
///
/// A component does not import the handler, or imports it and has no next one.
pub(in crate::server) fn check_middleware(
    components: &[ServedComponent],
    workers: &[Arc<Worker>],
) -> Result<(), Error> {
    let used: BTreeSet<&str> =
        components.iter().flat_map(|component| &component.middleware).map(String::as_str).collect();
    for (component, worker) in components.iter().zip(workers) {
        let (name, imported) = (worker.workload().name(), worker.instances.export().next_handler());
        if let Some(error) = mistake(name, imported, (used.contains(name), !component.routes.is_empty())) {
            return Err(error);
        }
    }
    Ok(())
}

/// Finds the components of `app` for which [`check_middleware`] fails, as far as their imports are known. `used` are those that
/// are middleware of others.
pub(super) fn check_imports(app: &[ComponentOutline<'_>], used: &BTreeSet<usize>) -> Vec<Error> {
    let exporting = app.iter().enumerate().filter(|(_, component)| component.exports);
    let mistakes = exporting.filter_map(|(index, component)| {
        let imported = component.imports?.iter().map(String::as_str).find(|name| is_handler(name));
        mistake(component.name, imported, (used.contains(&index), component.settings.is_set(&ROUTE)))
    });
    mistakes.collect()
}

/// Returns the mistake of the component `name`, which imports the handler `imported` and is middleware or not.
fn mistake(name: &str, imported: Option<&str>, (is_middleware, has_routes): (bool, bool)) -> Option<Error> {
    let problem = match (is_middleware, imported) {
        (true, None) => format!("it is middleware of another component, and does not import {HANDLERS}"),
        (true, Some(_)) if has_routes => {
            "it is middleware, and its route leads to no next handler; remove the route".to_owned()
        }
        (false, Some(handler)) => {
            format!("it imports {handler}: name it in the `middleware` of another component of an app")
        }
        _ => return None,
    };
    Some(Error::new(ErrorKind::BadComponent, format!("{name}: {problem}")))
}

/// Finds middleware that the app does not have, that is named twice or that exports no handler. Returns the components that are
/// middleware of others.
pub(super) fn check_names(app: &[ComponentOutline<'_>], check: &mut AppCheck) -> BTreeSet<usize> {
    let mut used = BTreeSet::new();
    for component in app {
        let values = component.settings.raw_values(&MIDDLEWARE);
        for (position, value) in values.iter().enumerate() {
            let name = value.text.escape_debug();
            let mut invalid = |problem: &str| check.errors.push(value.invalid(&MIDDLEWARE, problem));
            if values.iter().take(position).any(|earlier| earlier.text == value.text) {
                invalid(&format!("{name} is named twice, and would get each request twice; remove one"));
                continue;
            }
            if !component.exports {
                invalid(&format!("{} exports no HTTP handler; remove the middleware", component.name));
            }
            match app.iter().enumerate().find(|(_, other)| other.name == value.text) {
                Some((_, other)) if other.name == component.name => {
                    invalid("a component is not its own middleware; set it under [component.NAME] of another one");
                }
                Some((index, other)) if other.settings.is_set(&MIDDLEWARE) => {
                    invalid(&format!("{name} has middleware of its own; list that here, before it"));
                    used.insert(index);
                }
                Some((_, other)) if !other.exports => {
                    invalid(&format!("the component {name} exports no HTTP handler"));
                }
                Some((index, _)) => {
                    used.insert(index);
                }
                None => {
                    invalid(&format!("the app has no component {name}; declare it"));
                    check.undeclared.push(value.text.clone());
                }
            }
        }
        if values.len() > MAX_CHAIN_DEPTH {
            let problem = format!("{} components; a chain has at most {MAX_CHAIN_DEPTH} before the last", values.len());
            check.errors.push(component.settings.invalid(&MIDDLEWARE, &problem));
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use tempo_settings::{Settings, Value, ValueSource};

    use super::*;

    fn settings(values: &[&str]) -> Settings {
        let mut settings = Settings::default();
        let source = |index: usize| ValueSource::SettingsFile { path: "tempo.toml".into(), line: index + 1 };
        let value = |(index, text): (usize, &&str)| Value { text: (*text).to_owned(), source: source(index) };
        settings.set(&MIDDLEWARE, values.iter().enumerate().map(value).collect());
        settings
    }

    #[test]
    fn middleware_that_is_named_twice_is_a_mistake() {
        let (front, none) = (settings(&["auth", "zip", "auth"]), Settings::default());
        let outline = |name, settings| ComponentOutline::new(name, settings, true);
        let mut check = AppCheck::default();
        let app = [outline("front", &front), outline("auth", &none), outline("zip", &none)];
        assert_eq!(check_names(&app, &mut check), BTreeSet::from([1, 2]));
        let errors: Vec<String> = check.errors.iter().map(ToString::to_string).collect();
        let expected =
            "middleware: auth is named twice, and would get each request twice; remove one (tempo.toml:3)".to_owned();
        assert_eq!(errors, [expected]);
    }

    #[test]
    fn imports_are_checked_once_they_are_known() {
        let (front, none) = (settings(&["auth"]), Settings::default());
        let (handler, other) = (["wasi:http/handler@0.3.0".to_owned()], ["wasi:io/poll@0.2.0".to_owned()]);
        let found = |of_front: Option<&[String]>, of_auth: Option<&[String]>| {
            let app = [
                ComponentOutline::new("front", &front, true).with_imports(of_front),
                ComponentOutline::new("auth", &none, true).with_imports(of_auth),
            ];
            let errors = check_imports(&app, &BTreeSet::from([1]));
            errors.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found(None, None), [""; 0]);
        assert_eq!(found(Some(&other), Some(&handler)), [""; 0]);
        let both = found(Some(&handler), Some(&other));
        assert!(both[0].starts_with("front: it imports wasi:http/handler@0.3.0: name it"), "{both:?}");
        assert!(both[1].starts_with("auth: it is middleware of another component, and does not import"), "{both:?}");
    }
}
