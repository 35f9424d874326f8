//! A generated app: its manifest, and which components a request reaches.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::apps::manifest;

/// The number of components that clients reach, or that others call.
pub(super) const COMPONENTS: usize = 4;
/// The number of components that stand before others.
pub(super) const MIDDLEWARE: usize = 2;

/// Values of `allow-http` that grant no component of an app.
const OTHERS: &[&str] =
    &["*", "http://*", "http://*:*", "http://*.internal", "https://c0.example.com", "http://internal"];

/// A grant of one component, or of all without one.
#[derive(Clone, Debug)]
struct Grant {
    target: Option<usize>,
    suffix: &'static str,
    /// True if only the paths below `/granted` are granted.
    below: bool,
}

#[derive(Clone, Debug)]
struct Component {
    guest: &'static str,
    /// Without a route, if another component calls it.
    private: bool,
    grants: Vec<Grant>,
    others: Vec<&'static str>,
    middleware: Vec<usize>,
}

/// A component that passes requests on, or responds with the outcome of a request of its own.
#[derive(Clone, Debug)]
struct Middleware {
    fetch: Option<usize>,
    grants: Vec<Grant>,
}

#[derive(Clone, Debug)]
pub(super) struct App {
    components: Vec<Component>,
    middleware: Vec<Middleware>,
    /// Which of the two components with prices the shop imports.
    pub(super) pricing: usize,
}

/// The requests that have reached each component.
pub(super) type Reached = BTreeMap<String, u64>;

fn grant() -> impl Strategy<Value = Grant> {
    let target = prop_oneof![8 => (0..COMPONENTS).prop_map(Some), 1 => Just(None)];
    (target, select(vec!["tempo", "spin"]), prop::bool::weighted(0.3)).prop_map(|(target, suffix, below)| Grant {
        target,
        suffix,
        below,
    })
}

fn component() -> impl Strategy<Value = Component> {
    let guest = select(vec!["hostile", "hostile-p2"]);
    let others = vec(select(OTHERS), 0..3);
    let middleware = prop_oneof![2 => Just(Vec::new()), 1 => subsequence(vec![0, 1], 0..=MIDDLEWARE).prop_shuffle()];
    (guest, any::<bool>(), vec(grant(), 0..3), others, middleware).prop_map(
        |(guest, private, grants, others, middleware)| Component { guest, private, grants, others, middleware },
    )
}

fn middleware() -> impl Strategy<Value = Middleware> {
    (prop::option::weighted(0.4, 0..COMPONENTS), vec(grant(), 0..2))
        .prop_map(|(fetch, grants)| Middleware { fetch, grants })
}

pub(super) fn apps() -> impl Strategy<Value = App> {
    (vec(component(), COMPONENTS), vec(middleware(), MIDDLEWARE), 0..2_usize).prop_map(
        |(components, middleware, pricing)| {
            let mut app = App { components, middleware, pricing };
            app.repair();
            app
        },
    )
}

impl Grant {
    fn covers(&self, target: usize, path: &str) -> bool {
        self.target.is_none_or(|granted| granted == target) && (!self.below || path.starts_with("/granted"))
    }

    fn value(&self) -> String {
        let name = self.target.map_or_else(|| "*".to_owned(), |target| format!("c{target}"));
        format!("http://{name}.{}.internal{}", self.suffix, if self.below { "/granted" } else { "" })
    }
}

impl App {
    /// Removes what the runtime refuses: a component that is not reached, and a circle through middleware.
    fn repair(&mut self) {
        for middleware in &mut self.middleware {
            middleware.fetch = middleware.fetch.filter(|fetch| self.components[*fetch].middleware.is_empty());
        }
        // Middleware of no component is refused too.
        for index in 0..MIDDLEWARE {
            if !self.components.iter().any(|component| component.middleware.contains(&index)) {
                self.middleware[index].fetch = None;
                self.components[index].middleware.push(index);
                for middleware in &mut self.middleware {
                    middleware.fetch = middleware.fetch.filter(|fetch| *fetch != index);
                }
            }
        }
        while let Some(unreached) = self.unreached() {
            self.components[unreached].private = false;
        }
    }

    /// Returns a component that no request can reach from a route, through middleware and grants.
    fn unreached(&self) -> Option<usize> {
        let mut reached: BTreeSet<usize> = self.entries().collect();
        loop {
            let grants = reached.iter().map(|index| &self.components[*index]).flat_map(|component| {
                let middleware = component.middleware.iter().flat_map(|index| &self.middleware[*index].grants);
                component.grants.iter().chain(middleware)
            });
            let next = (0..COMPONENTS).find(|index| {
                !reached.contains(index)
                    && grants.clone().any(|grant| grant.target.is_none_or(|target| target == *index))
            });
            match next {
                Some(index) => reached.insert(index),
                None => return (0..COMPONENTS).find(|index| !reached.contains(index)),
            };
        }
    }

    pub(super) fn manifest(&self) -> String {
        let grants = |grants: &[Grant], others: &[&str]| {
            let all: Vec<String> =
                grants.iter().map(Grant::value).chain(others.iter().map(|other| (*other).to_owned())).collect();
            format!("allow-http = {all:?}\n")
        };
        let mut declared = Vec::new();
        for (index, component) in self.components.iter().enumerate() {
            let mut lines = grants(&component.grants, &component.others);
            if !component.private {
                lines += &format!("route = \"c{index}.test/*\"\n");
            }
            let names: Vec<String> = component.middleware.iter().map(|index| format!("m{index}")).collect();
            lines += &format!("middleware = {names:?}\n");
            declared.push((format!("c{index}"), component.guest, lines));
        }
        for (index, middleware) in self.middleware.iter().enumerate() {
            let mut lines = grants(&middleware.grants, &[]);
            if let Some(target) = middleware.fetch {
                lines += &format!("env = {{ FETCH = \"c{target}.tempo.internal\" }}\n");
            }
            declared.push((format!("m{index}"), "middleware-pass", lines));
        }
        let shop = |own: &str, pricing: usize| {
            format!("route = \"{own}.test/*\"\nimports = {{ \"acme:pricing/quote\" = \"p{pricing}\" }}\n")
        };
        declared.push(("shop".to_owned(), "checkout", shop("shop", self.pricing)));
        // The other one is imported as well: a component that is not reached is refused.
        declared.push(("outlet".to_owned(), "checkout", shop("outlet", 1 - self.pricing)));
        declared.extend([0, 1].map(|index| (format!("p{index}"), "pricing", String::new())));
        let declared: Vec<_> =
            declared.iter().map(|(name, guest, lines)| (name.as_str(), *guest, lines.as_str())).collect();
        manifest("admin = \"127.0.0.1:0\"", &declared)
    }

    /// Returns the components that have a route.
    pub(super) fn entries(&self) -> impl Iterator<Item = usize> {
        (0..COMPONENTS).filter(|index| !self.components[*index].private)
    }

    /// Sends a request to `target`: counts the components that it reaches. Returns whether `target` is one of them.
    pub(super) fn send(&self, target: usize, reached: &mut Reached) -> bool {
        for index in &self.components[target].middleware {
            *reached.entry(format!("m{index}")).or_default() += 1;
            let middleware = &self.middleware[*index];
            if let Some(fetch) = middleware.fetch {
                if middleware.grants.iter().any(|grant| grant.covers(fetch, "/")) {
                    self.send(fetch, reached);
                }
                return false;
            }
        }
        *reached.entry(format!("c{target}")).or_default() += 1;
        true
    }

    /// Returns whether `caller` may send a request for `path` to `target`.
    pub(super) fn grants(&self, caller: usize, target: usize, path: &str) -> bool {
        self.components[caller].grants.iter().any(|grant| grant.covers(target, path))
    }

    /// Returns whether `caller` may send requests to middleware, by a grant of all components.
    pub(super) fn grants_all(&self, caller: usize, path: &str) -> bool {
        self.components[caller].grants.iter().any(|grant| grant.target.is_none() && grant.covers(0, path))
    }
}
