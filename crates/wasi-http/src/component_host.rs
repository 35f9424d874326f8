//! The host names by which the components of an app reach each other: `NAME.tempo.internal`, and `NAME.spin.internal`, which
//! components for Spin use.

/// The names that the components' names precede.
pub(crate) const COMPONENT_SUFFIXES: [&str; 2] = ["tempo.internal", "spin.internal"];

/// Returns the name of the component that `host` stands for. `host` is in lower case and has neither a port nor a trailing dot.
pub(crate) fn component_of(host: &str) -> Option<&str> {
    let name = COMPONENT_SUFFIXES.iter().find_map(|suffix| host.strip_suffix(suffix)?.strip_suffix('.'))?;
    // Hosts below that of a component are refused as unknown components.
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_precede_a_suffix() {
        for (host, name) in [
            ("api.tempo.internal", Some("api")),
            ("api.spin.internal", Some("api")),
            ("a.b.tempo.internal", Some("a.b")),
            ("tempo.internal", None),
            (".tempo.internal", None),
            ("apitempo.internal", None),
            ("api.tempo.internal.test", None),
            ("api.internal", None),
        ] {
            assert_eq!(component_of(host), name, "{host}");
        }
    }
}
