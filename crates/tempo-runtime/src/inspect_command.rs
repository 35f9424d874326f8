//! `inspect`: reports on a component or an app, as text, JSON or a flowchart.

use std::path::Path;

use serde::Serialize;
use tempo_core::Limits;
use tempo_settings::{Error, Settings};

use crate::boot::{self, CheckedApp, Parts};
use crate::cli::{InspectFormat, Program};
use crate::inspect::{DeclaredLinks, Report, inspect};
use crate::inspect_app::AppReport;
use crate::inspect_graph::{Drawn, draw};
use crate::link;
use crate::load::{LoadOptions, Previous, Purpose, load};
use crate::loaded_settings::{App, LoadedSettings};
use crate::stdout;

/// Writes the report of `program` to standard output.
///
/// # Errors
///
/// A file cannot be read or is no component, or a setting is invalid. What keeps an app from running is an error after the report.
pub(crate) fn run(
    parts: &Parts<'static>,
    program: &Program,
    format: InspectFormat,
    loaded: &LoadedSettings,
) -> anyhow::Result<()> {
    let settings = &*loaded.settings;
    let (text, checked) = match program {
        Program::Component(path) => (component(parts, path, format, settings)?, Ok(())),
        Program::App(declared) => app(parts, declared, format, loaded)?,
    };
    stdout::print(&text)?;
    Ok(checked?)
}

fn component(parts: &Parts<'_>, path: &Path, format: InspectFormat, settings: &Settings) -> anyhow::Result<String> {
    let report = report(parts, path, settings, DeclaredLinks::default(), None)?;
    Ok(match format {
        InspectFormat::Text => report.text(),
        InspectFormat::Json => json(&report)?,
        InspectFormat::Mermaid => draw(parts, &[Drawn { report: &report, settings, imports: &[] }]),
    })
}

/// Returns the report of `app`, and what keeps it from running.
fn app(
    parts: &Parts<'static>,
    app: &App,
    format: InspectFormat,
    settings: &LoadedSettings,
) -> anyhow::Result<(String, Result<(), Error>)> {
    // As `run` does before it reads the limit on connections.
    tempo_core::descriptors::raise_file_limit();
    let CheckedApp { loaded, mistakes } = boot::check_app(*parts, app, settings)?;
    let reports = app.components.iter().map(|component| {
        let links = DeclaredLinks { app: Some((app, &component.name)) };
        let loaded = loaded.iter().find(|(loaded, _)| loaded.name == component.name);
        let loaded = loaded.map(|(loaded, limits)| (loaded, limits));
        Ok(report(parts, &component.source, &component.settings, links, loaded)?.named(&component.name))
    });
    let reports = reports.collect::<anyhow::Result<Vec<_>>>()?;
    if format == InspectFormat::Mermaid {
        let drawn = app.components.iter().zip(&reports).map(|(component, report)| Drawn {
            report,
            settings: &component.settings,
            imports: &component.imports,
        });
        return Ok((draw(parts, &drawn.collect::<Vec<_>>()), mistakes));
    }
    let mut all = AppReport::new(&app.name);
    for (component, report) in app.components.iter().zip(reports) {
        all.add(component, report, parts.triggers, &parts.flags());
    }
    Ok((if format == InspectFormat::Json { json(&all)? } else { all.text() }, mistakes))
}

/// Returns the report of the file `path`, which may be `loaded` already.
fn report(
    parts: &Parts<'_>,
    path: &Path,
    settings: &Settings,
    links: DeclaredLinks<'_>,
    loaded: Option<Previous<'_>>,
) -> anyhow::Result<Report> {
    let limits = match links.app {
        // A bad limit is among the mistakes, which follow the report.
        Some(_) => Limits::from_settings(settings).unwrap_or_default(),
        None => Limits::from_settings(settings)?,
    };
    let options = LoadOptions {
        limits: &limits,
        settings,
        concurrent_packages: &link::concurrent_packages(parts.services),
        purpose: Purpose::Inspect,
        previous: loaded,
    };
    inspect(parts.runtime, &load(path, options)?, parts.services, parts.triggers, links)
}

fn json(report: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}
