//! `imports` of a component: the interfaces that other components of the app export to it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{COMPONENT, ManifestParser};

/// The key of the imports.
pub(crate) const IMPORTS: &str = "imports";

/// The key of the exporting component in the table of an import.
const EXPORTER: &str = "component";
/// The key of the kind of link.
const LINK: &str = "link";
/// The link to an instance in a store of its own.
const ISOLATED: &str = "isolated";

/// An import that another component of the app exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeclaredImport {
    /// The interface, with or without version.
    pub interface: String,
    /// The name of the exporting component.
    pub component: String,
    /// The place of the declaration in the text.
    pub span: Range<usize>,
}

impl ManifestParser<'_> {
    /// Parses the imports in the table of the component `name`.
    pub(super) fn imports(&mut self, name: &str, table: &DeTable<'_>) -> Vec<DeclaredImport> {
        let Some(value) = table.get(IMPORTS) else { return Vec::new() };
        let DeValue::Table(imports) = value.get_ref() else {
            let expected = "expected { \"PACKAGE/INTERFACE\" = \"COMPONENT\" }";
            self.problem(value.span(), &format!("{COMPONENT}.{name}.{IMPORTS}: {expected}"));
            return Vec::new();
        };
        let parsed = imports.iter().filter_map(|(interface, value)| {
            let component = self.exporter(name, value)?;
            Some(DeclaredImport { interface: interface.get_ref().to_string(), component, span: interface.span() })
        });
        parsed.collect()
    }

    /// Returns the exporting component of an import of `name`.
    fn exporter(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(component) => Some(component.to_string()),
            DeValue::Table(table) => self.exporter_of(name, &value.span(), table),
            _ => {
                self.bad_import(name, value.span(), "expected a component, or { component = \"NAME\" }");
                None
            }
        }
    }

    fn exporter_of(&mut self, name: &str, span: &Range<usize>, table: &DeTable<'_>) -> Option<String> {
        let mut component = None;
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (EXPORTER, DeValue::String(name)) => component = Some(name.to_string()),
                (LINK, DeValue::String(link)) if link == ISOLATED => {}
                (LINK, _) => self.bad_import(name, value.span(), "link: expected \"isolated\""),
                _ => self.bad_import(name, key.span(), "expected the keys `component` and `link`"),
            }
        }
        if component.is_none() {
            self.bad_import(name, span.clone(), "`component` is missing");
        }
        component
    }

    fn bad_import(&mut self, name: &str, span: Range<usize>, problem: &str) {
        self.problem(span, &format!("{COMPONENT}.{name}.{IMPORTS}: {problem}"));
    }
}
