//! `inspect` of an app: a report of each component, with its file, its triggers' settings and its grants.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use tempo_settings::{Flag, Settings};

use crate::inspect::Report;
use crate::loaded_settings::AppComponentSettings;
use crate::registry::TriggerEntry;

/// The report of an app.
#[derive(Debug, Serialize)]
pub(crate) struct AppReport {
    app: String,
    components: Vec<ComponentReport>,
}

#[derive(Debug, Serialize)]
struct ComponentReport {
    #[serde(flatten)]
    report: Report,
    source: String,
    /// The values of the triggers' flags: its routes and subscriptions.
    triggers: BTreeMap<&'static str, Vec<String>>,
    grants: BTreeMap<&'static str, Vec<String>>,
}

impl AppReport {
    /// Creates the report of the app `name`, without components.
    pub(crate) fn new(name: &str) -> Self {
        Self { app: name.to_owned(), components: Vec::new() }
    }

    /// Adds the `report` of `component`. `flags` are those that may be grants.
    pub(crate) fn add(
        &mut self,
        component: &AppComponentSettings,
        report: Report,
        triggers: &[TriggerEntry],
        flags: &[Flag],
    ) {
        let settings = &component.settings;
        let called = triggers.iter().flat_map(|trigger| &trigger.flags);
        let called = called.filter(|flag| flag.repeatable && !flag.of_process);
        self.components.push(ComponentReport {
            report,
            source: component.source.display().to_string(),
            triggers: called.filter_map(|flag| values(flag, settings, str::to_owned)).collect(),
            grants: flags
                .iter()
                .filter_map(|flag| {
                    let disclosure = flag.grants?;
                    values(flag, settings, |text| disclosure.apply(text).to_string())
                })
                .collect(),
        });
    }

    /// Formats the report as text.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("app {}\n", self.app);
        for component in &self.components {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{}source\n  {}\n", component.report.text(), component.source);
            for (heading, flags) in [("triggers", &component.triggers), ("grants", &component.grants)] {
                if flags.is_empty() {
                    continue;
                }
                let _ = writeln!(text, "{heading}");
                for (flag, value) in
                    flags.iter().flat_map(|(flag, values)| values.iter().map(move |value| (flag, value)))
                {
                    let _ = writeln!(text, "  {flag}  {}", value.escape_debug());
                }
            }
        }
        text
    }
}

/// Returns the name and the values of `flag`, if it has any.
fn values(flag: &Flag, settings: &Settings, show: impl Fn(&str) -> String) -> Option<(&'static str, Vec<String>)> {
    let values: Vec<String> = settings.raw_values(flag).iter().map(|value| show(&value.text)).collect();
    (!values.is_empty()).then_some((flag.name, values))
}
