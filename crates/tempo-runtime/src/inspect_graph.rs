//! `inspect --mermaid`: draws an app or a component, with the ways of calls to it, its stores and its grants.
//!
//! Arrows are calls: from routes and topics, through middleware, by grants between components, and by imports that other
//! components export (dotted: in an instance of its own; thick: composed, in the instance of the caller). Lines without a head
//! are stores and grants.

use std::path::PathBuf;

use tempo_backend::DATA;
use tempo_core::{AppEdge, ComponentOutline};
use tempo_settings::{Disclosure, Flag, FlagValue as _, NamedUrl, Settings};

use crate::boot::Parts;
use crate::grants;
use crate::inspect::Report;
use crate::manifest::{DeclaredImport, LinkKind};
use crate::mermaid::{Flowchart, Line, Node, Shape};

/// A component to draw.
pub(crate) struct Drawn<'a> {
    /// Its report.
    pub report: &'a Report,
    /// Its settings.
    pub settings: &'a Settings,
    /// The interfaces that other components of its app export to it.
    pub imports: &'a [DeclaredImport],
}

impl Drawn<'_> {
    fn node(&self) -> Node<'_> {
        (Shape::Rectangle, self.report.name())
    }
}

/// Returns a flowchart of `components`: those of an app, or one that is alone.
pub(crate) fn draw(parts: &Parts<'_>, components: &[Drawn<'_>]) -> String {
    let mut chart = Flowchart::default();
    let calls = edges(parts, components);
    for edge in &calls {
        let to = (Shape::Rectangle, edge.to.as_str());
        match &edge.from {
            Some(from) => chart.connect((Shape::Rectangle, from), Line::Arrow, &edge.label, to),
            None => chart.connect((Shape::Stadium, &edge.label), Line::Arrow, "", to),
        }
    }
    for component in components {
        chart.add(component.node());
        for import in component.imports {
            let to = (Shape::Rectangle, import.component.as_str());
            let line = if import.link == LinkKind::Isolated { Line::Dotted } else { Line::Thick };
            chart.connect(component.node(), line, &import.interface, to);
        }
    }
    for component in
        components.iter().filter(|component| !is_only_composed(component.report.name(), components, &calls))
    {
        grants::flags().for_each(|flag| draw_grants(&mut chart, component, &flag, &calls));
        for service in parts.services.iter().filter(|service| component.report.uses(service.name)) {
            for flag in &service.flags {
                match flag.grants {
                    Some(Disclosure::Store) => draw_stores(&mut chart, component, flag),
                    _ => draw_grants(&mut chart, component, flag, &calls),
                }
            }
        }
    }
    chart.finish()
}

/// Returns whether only composed links reach the component `name`: it has no stores and grants of its own.
fn is_only_composed(name: &str, components: &[Drawn<'_>], calls: &[AppEdge]) -> bool {
    let imports = components.iter().flat_map(|component| component.imports);
    let mut links = imports.filter(|import| import.component == name).map(|import| &import.link).peekable();
    let is_composed = links.peek().is_some() && links.all(|link| *link != LinkKind::Isolated);
    is_composed && !calls.iter().any(|edge| edge.to == name)
}

/// Returns the ways of calls that the triggers know.
fn edges(parts: &Parts<'_>, components: &[Drawn<'_>]) -> Vec<AppEdge> {
    let mut edges = Vec::new();
    for trigger in parts.triggers {
        let outlines: Vec<_> = components
            .iter()
            .map(|drawn| ComponentOutline::new(drawn.report.name(), drawn.settings, drawn.report.is_called_by(trigger)))
            .collect();
        let checked = (trigger.check)(&outlines);
        if !checked.edges.is_empty() {
            edges.extend(checked.edges);
            continue;
        }
        // The trigger calls all of them, or the only one.
        let is_called = |outline: &&ComponentOutline<'_>| {
            outline.exports && (outlines.len() == 1 || checked.reachable.iter().any(|name| name == outline.name))
        };
        edges.extend(outlines.iter().filter(is_called).map(|outline| AppEdge::entry(trigger.name, outline.name)));
    }
    edges
}

/// Draws the stores that `flag` names. Stores of the same URL are one.
fn draw_stores(chart: &mut Flowchart, component: &Drawn<'_>, flag: &Flag) {
    let values = component.settings.raw_values(flag);
    for value in values {
        // `inspect` reports a value that is no URL.
        let Some(store) = NamedUrl::parse(&value.text) else { continue };
        let name = if store.name == tempo_settings::DEFAULT_NAME { "" } else { store.name.as_str() };
        let label = format!("{} {}", flag.name, store.url);
        chart.connect(component.node(), Line::Plain, name, (Shape::Cylinder, &label));
    }
    if values.is_empty()
        && let Ok(Some(data)) = component.settings.get::<PathBuf>(&DATA)
    {
        let label = format!("{} in {}", flag.name, data.display());
        chart.connect(component.node(), Line::Plain, "", (Shape::Cylinder, &label));
    }
}

/// Draws what `flag` grants, without the calls of other components in `edges`.
fn draw_grants(chart: &mut Flowchart, component: &Drawn<'_>, flag: &Flag, edges: &[AppEdge]) {
    let Some(disclosure @ (Disclosure::Origin | Disclosure::Whole)) = flag.grants else { return };
    for value in component.settings.raw_values(flag) {
        let granted = disclosure.apply(&value.text);
        let is_call = |edge: &AppEdge| edge.from.as_deref() == Some(component.report.name()) && edge.label == granted;
        if !edges.iter().any(is_call) {
            let label = format!("{} {granted}", flag.name);
            chart.connect(component.node(), Line::Plain, "", (Shape::Hexagon, &label));
        }
    }
}
