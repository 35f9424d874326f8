//! `imports` of a component: the interfaces that other components of the app export to it.

use std::collections::BTreeSet;
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
/// The link to an instance in the store of the importing component.
const COMPOSED: &str = "composed";
/// The key of the grants that a composed component inherits.
const INHERIT: &str = "inherit";
/// The key of what a failed call is in the caller.
const ON_FAILURE: &str = "on-failure";

/// How an import is linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    /// To an instance in a store of its own, with its own grants and limits.
    Isolated,
    /// To an instance in the store of the importing component.
    Composed {
        /// The names of the flags whose grants it inherits from the importing component, sorted.
        inherit: Vec<String>,
    },
}

/// The consequence of a failed call in the calling component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// A trap.
    #[default]
    Trap,
    /// An error value of the function's result.
    Error,
}

/// An import that another component of the app exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeclaredImport {
    /// The interface, with or without version.
    pub interface: String,
    /// The name of the exporting component.
    pub component: String,
    /// How the two are linked.
    pub link: LinkKind,
    /// The consequence of a failed call.
    pub on_failure: OnFailure,
    /// The place of the declaration in the text.
    pub span: Range<usize>,
}

/// The other side of an import.
struct Exporter {
    component: String,
    link: LinkKind,
    on_failure: OnFailure,
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
            let Exporter { component, link, on_failure } = self.exporter(name, value)?;
            let interface_name = interface.get_ref().to_string();
            let span = interface.span();
            Some(DeclaredImport { interface: interface_name, component, link, on_failure, span })
        });
        let parsed: Vec<_> = parsed.collect();
        self.check_composed(name, &parsed);
        parsed
    }

    /// Returns the exporting component of an import of `name`, and how the two are linked.
    fn exporter(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<Exporter> {
        match value.get_ref() {
            DeValue::String(component) => Some(Exporter {
                component: component.to_string(),
                link: LinkKind::Isolated,
                on_failure: OnFailure::default(),
            }),
            DeValue::Table(table) => self.exporter_of(name, &value.span(), table),
            _ => {
                self.bad_import(name, value.span(), "expected a component, or { component = \"NAME\" }");
                None
            }
        }
    }

    fn exporter_of(&mut self, name: &str, span: &Range<usize>, table: &DeTable<'_>) -> Option<Exporter> {
        let (mut component, mut composed, mut inherit, mut on_failure) = (None, false, None, None);
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (EXPORTER, DeValue::String(name)) => component = Some(name.to_string()),
                (LINK, DeValue::String(link)) if link == ISOLATED => {}
                (LINK, DeValue::String(link)) if link == COMPOSED => composed = true,
                (LINK, _) => self.bad_import(name, value.span(), "link: expected \"isolated\" or \"composed\""),
                (INHERIT, DeValue::Array(flags)) => inherit = Some((key.span(), self.inherited(name, flags))),
                (INHERIT, _) => self.bad_import(name, value.span(), "inherit: expected a list of flags"),
                (ON_FAILURE, DeValue::String(choice)) if choice == "trap" => {
                    on_failure = Some((key.span(), OnFailure::Trap));
                }
                (ON_FAILURE, DeValue::String(choice)) if choice == "error" => {
                    on_failure = Some((key.span(), OnFailure::Error));
                }
                (ON_FAILURE, _) => self.bad_import(name, value.span(), "on-failure: expected \"trap\" or \"error\""),
                _ => {
                    let problem = "expected the keys `component`, `link`, `inherit` and `on-failure`";
                    self.bad_import(name, key.span(), problem);
                }
            }
        }
        if component.is_none() {
            self.bad_import(name, span.clone(), "`component` is missing");
        }
        let link = match (composed, inherit) {
            (true, inherit) => {
                let mut inherit = inherit.map(|(_, flags)| flags).unwrap_or_default();
                inherit.sort();
                inherit.dedup();
                LinkKind::Composed { inherit }
            }
            (false, None) => LinkKind::Isolated,
            (false, Some((span, _))) => {
                let problem = "inherit: an isolated link inherits nothing; add link = \"composed\", or remove the key";
                self.bad_import(name, span, problem);
                LinkKind::Isolated
            }
        };
        let on_failure = match on_failure {
            Some((span, _)) if composed => {
                let problem = "on-failure: a trap in a composed component ends its caller too; remove the key";
                self.bad_import(name, span, problem);
                OnFailure::default()
            }
            on_failure => on_failure.map(|(_, on_failure)| on_failure).unwrap_or_default(),
        };
        component.map(|component| Exporter { component, link, on_failure })
    }

    /// Returns the names of the flags in `inherit`, each of which must be a grant.
    fn inherited(&mut self, name: &str, flags: &[Spanned<DeValue<'_>>]) -> Vec<String> {
        // Several services and triggers may list the same flag.
        let grants = self.flags.iter().filter(|flag| flag.grants.is_some()).map(|flag| flag.name);
        let grants: BTreeSet<&str> = grants.collect();
        let mut inherited = Vec::new();
        for flag in flags {
            match flag.get_ref() {
                DeValue::String(text) if grants.contains(text.as_ref()) => inherited.push(text.to_string()),
                DeValue::String(text) => {
                    let grants = grants.iter().copied().collect::<Vec<_>>().join(", ");
                    let text = text.escape_debug();
                    let problem = format!("inherit: `{text}` is not a flag that grants something; these are: {grants}");
                    self.bad_import(name, flag.span(), &problem);
                }
                _ => self.bad_import(name, flag.span(), "inherit: expected the name of a flag"),
            }
        }
        inherited
    }

    /// Finds composed links of `name` to the same component that inherit different grants: one instance serves all of them.
    fn check_composed(&mut self, name: &str, imports: &[DeclaredImport]) {
        let is_composed = |import: &&DeclaredImport| matches!(import.link, LinkKind::Composed { .. });
        for (index, import) in imports.iter().enumerate().filter(|(_, import)| is_composed(import)) {
            let mut earlier = imports.iter().take(index).filter(is_composed);
            if earlier.any(|other| other.component == import.component && other.link != import.link) {
                let problem = format!(
                    "inherit: the composed links to `{}` differ, and one instance serves all of them; give each the same",
                    import.component
                );
                self.bad_import(name, import.span.clone(), &problem);
            }
        }
    }

    fn bad_import(&mut self, name: &str, span: Range<usize>, problem: &str) {
        self.problem(span, &format!("{COMPONENT}.{name}.{IMPORTS}: {problem}"));
    }
}
