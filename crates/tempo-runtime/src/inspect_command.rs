//! `inspect`: reports on a component or an app, as text, JSON or a flowchart.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use tempo_core::Limits;
use tempo_settings::{Error, Settings};

use crate::boot::{self, Parts};
use crate::cli::{InspectFormat, Program};
use crate::inspect::{DeclaredLinks, Report, inspect};
use crate::inspect_app::AppReport;
use crate::inspect_graph::{Drawn, draw};
use crate::link;
use crate::load::{LoadOptions, Purpose, load};
use crate::loaded_settings::App;

/// Writes the report of `program` to standard output.
///
/// # Errors
///
/// A file cannot be read or is no component, or a setting is invalid. Mistakes in the settings of an app are an error after the
/// report.
pub(crate) fn run(
    parts: &Parts<'_>,
    program: &Program,
    format: InspectFormat,
    settings: &Settings,
) -> anyhow::Result<()> {
    let (text, checked) = match program {
        Program::Component(path) => (component(parts, path, format, settings)?, Ok(())),
        Program::App(declared) => app(parts, declared, format, settings)?,
    };
    // A reader such as `head` closes the pipe early; that is not an error.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(checked?)
}

fn component(parts: &Parts<'_>, path: &Path, format: InspectFormat, settings: &Settings) -> anyhow::Result<String> {
    let report = report(parts, path, settings, DeclaredLinks::default())?;
    Ok(match format {
        InspectFormat::Text => report.text(),
        InspectFormat::Json => json(&report)?,
        InspectFormat::Mermaid => draw(parts, &[Drawn { report: &report, settings, imports: &[] }]),
    })
}

/// Returns the report of `app`, and the mistakes in its settings.
fn app(
    parts: &Parts<'_>,
    app: &App,
    format: InspectFormat,
    settings: &Settings,
) -> anyhow::Result<(String, Result<(), Error>)> {
    let checked = boot::check_settings(*parts, app, settings)?;
    let reports = app.components.iter().map(|component| {
        let links = DeclaredLinks { app: Some((app, &component.name)) };
        Ok(report(parts, &component.source, &component.settings, links)?.named(&component.name))
    });
    let reports = reports.collect::<anyhow::Result<Vec<_>>>()?;
    if format == InspectFormat::Mermaid {
        let drawn = app.components.iter().zip(&reports).map(|(component, report)| Drawn {
            report,
            settings: &component.settings,
            imports: &component.imports,
        });
        return Ok((draw(parts, &drawn.collect::<Vec<_>>()), checked));
    }
    let mut all = AppReport::new(&app.name);
    for (component, report) in app.components.iter().zip(reports) {
        all.add(component, report, parts.triggers, &parts.flags());
    }
    Ok((if format == InspectFormat::Json { json(&all)? } else { all.text() }, checked))
}

fn report(parts: &Parts<'_>, path: &Path, settings: &Settings, links: DeclaredLinks<'_>) -> anyhow::Result<Report> {
    let options = LoadOptions {
        limits: &Limits::from_settings(settings)?,
        settings,
        concurrent_packages: &link::concurrent_packages(parts.services),
        purpose: Purpose::Inspect,
        previous: None,
    };
    inspect(parts.runtime, &load(path, options)?, parts.services, parts.triggers, links)
}

fn json(report: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}
