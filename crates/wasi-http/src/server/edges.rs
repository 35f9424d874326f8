//! The ways of requests into and between the components of an app, from its routes, middleware and grants.

use tempo_core::{AppEdge, ComponentOutline};
use tempo_settings::Disclosure;

use super::config::{MIDDLEWARE, ROUTE};
use crate::backend::ALLOW;
use crate::egress::{ComponentGrant, component_grant};

/// The label of an edge from middleware to the next component.
const NEXT: &str = "next";

/// Returns the edges of `app`. A request to a component with middleware goes to the outermost one.
pub(super) fn edges(app: &[ComponentOutline<'_>]) -> Vec<AppEdge> {
    let mut edges = Vec::new();
    for component in app.iter().filter(|component| component.exports) {
        let routes = component.settings.raw_values(&ROUTE).iter();
        edges.extend(routes.map(|route| AppEdge::entry(format!("route {}", route.text), first(app, component))));
        let chain: Vec<&str> = middleware(app, component).chain([component.name]).collect();
        edges.extend(chain.windows(2).filter_map(|pair| match pair {
            [from, to] => Some(AppEdge::between(from, to, NEXT)),
            _ => None,
        }));
    }
    edges.extend(app.iter().flat_map(|caller| granted(app, caller)));
    edges
}

/// Returns the edges that the grants of `caller` permit.
fn granted(app: &[ComponentOutline<'_>], caller: &ComponentOutline<'_>) -> Vec<AppEdge> {
    let mut edges = Vec::new();
    for value in caller.settings.raw_values(&ALLOW) {
        let Some(grant) = component_grant(&value.text) else { continue };
        let is_granted = |other: &&ComponentOutline<'_>| match &grant.components {
            ComponentGrant::All => other.exports && other.name != caller.name,
            ComponentGrant::One(name) => other.name == name,
        };
        let label = Disclosure::Origin.apply(&value.text);
        edges.extend(
            app.iter().filter(is_granted).map(|to| AppEdge::between(caller.name, first(app, to), label.clone())),
        );
    }
    edges
}

/// Returns the component that gets the requests to `component` first.
fn first<'a>(app: &[ComponentOutline<'a>], component: &ComponentOutline<'a>) -> &'a str {
    middleware(app, component).next().unwrap_or(component.name)
}

/// Returns the middleware of `component`, without names that the app does not have.
fn middleware<'a>(app: &[ComponentOutline<'a>], component: &ComponentOutline<'a>) -> impl Iterator<Item = &'a str> {
    let values = component.settings.raw_values(&MIDDLEWARE).iter();
    values.filter_map(|value| app.iter().find(|other| other.name == value.text).map(|other| other.name))
}

#[cfg(test)]
mod tests {
    use tempo_settings::{Flag, Settings, Value, ValueSource};

    use super::*;

    fn settings(values: &[(&Flag, &[&str])]) -> Settings {
        let mut settings = Settings::default();
        for (flag, texts) in values {
            let value = |text: &&str| Value { text: (*text).to_owned(), source: ValueSource::CommandLine };
            settings.set(flag, texts.iter().map(value).collect());
        }
        settings
    }

    #[test]
    fn requests_pass_the_middleware_first() {
        let front = settings(&[(&ROUTE, &["/*", "/x"]), (&MIDDLEWARE, &["auth", "zip"])]);
        let (plain, api) =
            (Settings::default(), settings(&[(&ALLOW, &["http://front.tempo.internal", "https://b.c"])]));
        let outline = |name, settings, exports| ComponentOutline::new(name, settings, exports);
        let app = [
            outline("front", &front, true),
            outline("auth", &plain, true),
            outline("zip", &plain, true),
            outline("api", &api, false),
        ];
        let label = "http://front.tempo.internal";
        let expected = [
            AppEdge::entry("route /*", "auth"),
            AppEdge::entry("route /x", "auth"),
            AppEdge::between("auth", "zip", "next"),
            AppEdge::between("zip", "front", "next"),
            AppEdge::between("api", "auth", label),
        ];
        assert_eq!(edges(&app), expected);
    }

    #[test]
    fn a_grant_of_all_components_excludes_the_caller_and_those_without_a_handler() {
        let all = settings(&[(&ALLOW, &["http://*.tempo.internal/x"])]);
        let plain = Settings::default();
        let app = [("a", &all, true), ("b", &plain, true), ("c", &plain, false)];
        let app = app.map(|(name, settings, exports)| ComponentOutline::new(name, settings, exports));
        let [edge] = &edges(&app)[..] else { panic!("expected one edge") };
        assert_eq!((edge.from.as_deref(), edge.to.as_str()), (Some("a"), "b"));
    }
}
