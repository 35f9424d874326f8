//! Finds the component of a manifest whose route ties with a new one, which an app refuses at start.

use toml_edit::{Document, Item, Value};

use super::components;

/// Returns the name of the component with a route that matches the same requests as `route`.
pub(super) fn owner_of(route: &str, document: &Document<String>) -> Option<String> {
    let wanted = pattern(route);
    let declared = components(document)?;
    let mut tables = declared.iter().filter_map(|(name, item)| Some((name, item.as_table_like()?.get("route")?)));
    let owner = tables.find(|(_, routes)| texts(routes).into_iter().any(|text| pattern(text) == wanted));
    owner.map(|(name, _)| name.to_owned())
}

/// Returns the strings of a value that is a string or an array of them.
fn texts(item: &Item) -> Vec<&str> {
    match item.as_value() {
        Some(Value::Array(array)) => array.iter().filter_map(Value::as_str).collect(),
        Some(value) => value.as_str().into_iter().collect(),
        None => Vec::new(),
    }
}

/// Returns a route without the names of its parts.
fn pattern(route: &str) -> String {
    let segment = |segment: &str| match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        Some(name) if name.ends_with("...") => "*".to_owned(),
        Some(_) => "{}".to_owned(),
        None => segment.to_owned(),
    };
    route.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_with_other_names_of_its_parts_ties() {
        for (routes, owner) in [
            ("\"/pricing/*\"", Some("api")),
            ("[\"/x\", \"/pricing/{rest...}\"]", Some("api")),
            ("[\"/pricing\", \"/pricing/{id}\", \"a.test/pricing/*\"]", None),
            ("1", None),
        ] {
            let text = format!("[component.api]\nroute = {routes}\n[component.b]\n");
            let document = Document::parse(text).unwrap();
            assert_eq!(owner_of("/pricing/*", &document).as_deref(), owner, "{routes}");
        }
    }
}
