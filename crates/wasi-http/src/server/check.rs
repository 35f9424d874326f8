//! Checks the routes of an app, and which of its components reach which.

mod middleware;

use std::collections::BTreeSet;

use tempo_core::{AppCheck, ComponentOutline, MAX_CHAIN_DEPTH};
use tempo_settings::{Error, FlagValue as _, Settings, Value};

pub(super) use self::middleware::check_middleware;
use super::components::Components;
use super::config::{MIDDLEWARE, ROUTE};
use super::edges::edges;
use super::route::Route;
use crate::backend::ALLOW;
use crate::egress::{ComponentGrant, component_grant};

/// Reads the routes of a component.
///
/// # Errors
///
/// A value is no route.
pub(super) fn routes(settings: &Settings) -> Result<Vec<Route>, Error> {
    settings.all(&ROUTE)
}

/// Reads the middleware of a component of an app, which [`check`] has found in the app.
///
/// # Errors
///
/// A value cannot be read.
pub(super) fn middleware(settings: &Settings) -> Result<Vec<String>, Error> {
    settings.all(&MIDDLEWARE)
}

/// Refuses middleware of a component that is not part of an app.
///
/// # Errors
///
/// The setting has a value.
pub(super) fn without_app(settings: &Settings) -> Result<Vec<String>, Error> {
    match settings.is_set(&MIDDLEWARE) {
        true => {
            Err(settings.invalid(&MIDDLEWARE, "only a component of an app has middleware; declare both in tempo.toml"))
        }
        false => Ok(Vec::new()),
    }
}

/// Checks the routes and the grants of all components of an app.
pub(super) fn check(app: &[ComponentOutline<'_>]) -> AppCheck {
    let mut check = AppCheck::default();
    let reached: Vec<BTreeSet<usize>> = app.iter().map(|component| grants(app, component, &mut check)).collect();
    check_routes(app, &mut check.errors);
    let used = middleware::check_names(app, &mut check);
    // Middleware under a misspelt name would only seem to be none.
    if check.undeclared.is_empty() {
        check.errors.extend(middleware::check_imports(app, &used));
    }
    if let Some(served) = app.iter().find(|component| component.exports && component.imports.is_some()) {
        check.errors.extend(Components::check(served.settings).err());
    }
    for (index, component) in app.iter().enumerate().filter(|(_, component)| component.exports) {
        let by_another = |(from, targets): (usize, &BTreeSet<usize>)| from != index && targets.contains(&index);
        if component.settings.is_set(&ROUTE) || used.contains(&index) || reached.iter().enumerate().any(by_another) {
            check.reachable.push(component.name.to_owned());
        }
    }
    let (reached, middleware) = with_middleware(app, &reached);
    check.chain_depth = longest_chain(&reached, &middleware);
    check.edges = edges(app);
    check.advice = Some(
        "add route = \"/*\", http://NAME.tempo.internal to the allow-http of its caller, or its name to the middleware of another",
    );
    check
}

/// Finds values that are no routes, and routes that tie.
fn check_routes(app: &[ComponentOutline<'_>], errors: &mut Vec<Error>) {
    let mut known: Vec<(Route, &str, &Value)> = Vec::new();
    for component in app {
        for value in component.settings.raw_values(&ROUTE) {
            let Some(route) = Route::parse(&value.text) else {
                errors.push(value.invalid(&ROUTE, &format!("expected {}", Route::EXPECTED)));
                continue;
            };
            if !component.exports {
                let problem = format!("{} exports no HTTP handler; remove the route", component.name);
                errors.push(value.invalid(&ROUTE, &problem));
            }
            match known.iter().find(|(other, _, _)| other.ties_with(&route)) {
                Some((other, owner, place)) => {
                    let problem = format!(
                        "{route} of {} ties with {other} of {owner} ({}); change one",
                        component.name, place.source
                    );
                    errors.push(value.invalid(&ROUTE, &problem));
                }
                None => known.push((route, component.name, value)),
            }
        }
    }
}

/// Returns the components that `caller` may call, and finds grants of components that cannot be called.
fn grants(app: &[ComponentOutline<'_>], caller: &ComponentOutline<'_>, check: &mut AppCheck) -> BTreeSet<usize> {
    let mut targets = BTreeSet::new();
    for value in caller.settings.raw_values(&ALLOW) {
        let Some(grant) = component_grant(&value.text) else { continue };
        let mut invalid = |problem: &str| check.errors.push(value.invalid(&ALLOW, problem));
        if let Some(expected) = grant.unusable {
            invalid(&format!("expected {expected}"));
        }
        match grant.components {
            ComponentGrant::All => {
                targets.extend(app.iter().enumerate().filter(|(_, other)| other.exports).map(|(index, _)| index));
            }
            ComponentGrant::One(name) => match app.iter().position(|other| other.name == name) {
                None => {
                    invalid(&format!("the app has no component {name}; declare it, or remove the grant"));
                    check.undeclared.push(name);
                }
                Some(index) if app.get(index).is_some_and(|other| other.exports) => {
                    targets.insert(index);
                }
                Some(_) => invalid(&format!("the component {name} exports no HTTP handler; remove the grant")),
            },
        }
    }
    targets
}

/// Returns the components that each one and its middleware may call, and how much middleware it has.
fn with_middleware(app: &[ComponentOutline<'_>], reached: &[BTreeSet<usize>]) -> (Vec<BTreeSet<usize>>, Vec<usize>) {
    let of_component = |(component, own): (&ComponentOutline<'_>, &BTreeSet<usize>)| {
        let values = component.settings.raw_values(&MIDDLEWARE);
        let index = |value: &Value| app.iter().position(|other| other.name == value.text);
        let others = values.iter().filter_map(index).filter_map(|index| reached.get(index)).flatten();
        (own.iter().chain(others).copied().collect(), values.len())
    };
    app.iter().zip(reached).map(of_component).unzip()
}

/// Returns the number of calls in the longest chain after the first, with those of `middleware`, of which each component has so
/// much; the maximum if components can call each other in a circle.
fn longest_chain(reached: &[BTreeSet<usize>], middleware: &[usize]) -> usize {
    // The longest chain from each component with at most so many calls; it grows without end in a circle.
    let mut longest = middleware.to_vec();
    for _ in 0..MAX_CHAIN_DEPTH {
        let after = |(targets, own): (&BTreeSet<usize>, &usize)| {
            let longest = targets.iter().filter_map(|target| longest.get(*target)).max();
            own.saturating_add(longest.map_or(0, |longest| longest.saturating_add(1)))
        };
        longest = reached.iter().zip(middleware).map(after).collect();
    }
    longest.into_iter().max().unwrap_or(0).min(MAX_CHAIN_DEPTH)
}

#[cfg(test)]
mod tests {
    use tempo_settings::{Flag, ValueSource};

    use super::*;

    fn settings(values: &[(&Flag, &[&str])]) -> Settings {
        let mut settings = Settings::default();
        for (flag, texts) in values {
            let value = |(line, text): (usize, &&str)| Value {
                text: (*text).to_owned(),
                source: ValueSource::SettingsFile { path: "tempo.toml".into(), line: line + 1 },
            };
            settings.set(flag, texts.iter().enumerate().map(value).collect());
        }
        settings
    }

    fn checked(components: &[(&str, &[&str], &[&str], bool)]) -> AppCheck {
        let settings: Vec<Settings> =
            components.iter().map(|(_, routes, allowed, _)| settings(&[(&ROUTE, routes), (&ALLOW, allowed)])).collect();
        let outlines = components.iter().zip(&settings);
        let outlines: Vec<_> =
            outlines.map(|((name, .., exports), settings)| ComponentOutline::new(name, settings, *exports)).collect();
        check(&outlines)
    }

    fn errors(components: &[(&str, &[&str], &[&str], bool)]) -> Vec<String> {
        checked(components).errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn routes_and_grants_make_components_reachable() {
        let check = checked(&[
            ("api", &["/*"], &["http://pricing.tempo.internal", "https://api.stripe.com"], true),
            ("pricing", &[], &["http://pricing.tempo.internal"], true),
            ("selfish", &[], &["http://selfish.tempo.internal"], true),
            ("worker", &[], &["http://api.spin.internal"], false),
        ]);
        assert_eq!(check.errors, []);
        assert_eq!(check.reachable, ["api", "pricing"]);
        assert_eq!(check.chain_depth, MAX_CHAIN_DEPTH, "a component that calls itself");
    }

    #[test]
    fn the_longest_chain_is_counted() {
        let grant = |name: &str| format!("http://{name}.tempo.internal");
        let (b, c) = (grant("b"), grant("c"));
        let depth = |of_c: &[&str]| {
            checked(&[("a", &["/"], &[&b, &c], true), ("b", &[], &[&c], true), ("c", &[], of_c, true)]).chain_depth
        };
        assert_eq!(depth(&[]), 2);
        assert_eq!(depth(&["http://a.tempo.internal"]), MAX_CHAIN_DEPTH);
        assert_eq!(checked(&[("a", &["/"], &["*"], true)]).chain_depth, 0);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let found = errors(&[
            ("a", &["/x/{id}", "nonsense"], &["http://absent.tempo.internal", "https://a.tempo.internal"], true),
            ("b", &["/x/{name}"], &["http://c.tempo.internal"], true),
            ("c", &["/c"], &[], false),
        ]);
        let parts = [
            "allow-http: the app has no component absent; declare it, or remove the grant (tempo.toml:1)",
            "allow-http: expected http://NAME.tempo.internal, without a port, for a component of the app (tempo.toml:2)",
            "allow-http: the component c exports no HTTP handler",
            "route: expected [HOST]/PATH",
            "route: /x/{name} of b ties with /x/{id} of a (tempo.toml:1); change one",
            "route: c exports no HTTP handler",
        ];
        assert_eq!(found.len(), parts.len(), "{found:?}");
        for (error, part) in found.iter().zip(parts) {
            assert!(error.starts_with(part), "{error}");
        }
    }
}
