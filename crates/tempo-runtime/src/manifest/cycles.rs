//! Checks that the imports of an app name its components and form no cycle.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{COMPONENT, DeclaredComponent, IMPORTS};

/// Returns the problems of the imports, with their places in the text. `names` are those of all components, also of those with other
/// mistakes.
pub(super) fn problems(components: &[DeclaredComponent], names: &[&str]) -> Vec<(Range<usize>, String)> {
    let known = |name: &str| names.contains(&name);
    let mut problems = Vec::new();
    for component in components {
        for import in component.imports.iter().filter(|import| !known(&import.component)) {
            let (name, unknown) = (&component.name, import.component.escape_debug());
            let problem = format!(
                "{COMPONENT}.{name}.{IMPORTS}: there is no component `{unknown}`; the app has {}",
                names.join(", ")
            );
            problems.push((import.span.clone(), problem));
        }
    }
    if let Some(cycle) = cycle(components)
        && let [first, second, ..] = &cycle[..]
    {
        let imports = components.iter().filter(|component| component.name == *first).flat_map(|first| &first.imports);
        let span = imports.clone().find(|import| import.component == *second).map(|import| import.span.clone());
        let problem = format!("the imports form a cycle: {}; remove one of them", cycle.join(" -> "));
        problems.push((span.unwrap_or_default(), problem));
    }
    problems
}

/// Returns the components of a cycle, the first again at the end.
fn cycle(components: &[DeclaredComponent]) -> Option<Vec<&str>> {
    let edges: BTreeMap<&str, Vec<&str>> = components
        .iter()
        .map(|component| {
            let exporters = component.imports.iter().map(|import| import.component.as_str());
            (component.name.as_str(), exporters.collect())
        })
        .collect();
    let mut done = Vec::new();
    edges.keys().find_map(|name| visit(name, &edges, &mut Vec::new(), &mut done))
}

/// Visits `name` after the components on `path`.
fn visit<'a>(
    name: &'a str,
    edges: &BTreeMap<&'a str, Vec<&'a str>>,
    path: &mut Vec<&'a str>,
    done: &mut Vec<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(begin) = path.iter().position(|visited| *visited == name) {
        let cycle = path.iter().skip(begin).copied().chain([name]);
        return Some(cycle.collect());
    }
    if done.contains(&name) {
        return None;
    }
    path.push(name);
    let found = edges.get(name).into_iter().flatten().find_map(|next| visit(next, edges, path, done));
    path.pop();
    done.push(name);
    found
}

/// Returns how many calls of imports one call can have under way in a row. The imports form no cycle.
pub(crate) fn longest(imports: &[Vec<usize>]) -> usize {
    fn from(component: usize, imports: &[Vec<usize>], known: &mut [Option<usize>]) -> usize {
        if let Some(depth) = known.get(component).copied().flatten() {
            return depth;
        }
        let next = imports.get(component).into_iter().flatten();
        let depth = next.map(|next| from(*next, imports, known).saturating_add(1)).max().unwrap_or(0);
        if let Some(known) = known.get_mut(component) {
            *known = Some(depth);
        }
        depth
    }
    let mut known = vec![None; imports.len()];
    (0..imports.len()).map(|component| from(component, imports, &mut known)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_chain_of_imports() {
        assert_eq!(longest(&[]), 0);
        assert_eq!(longest(&[vec![], vec![]]), 0);
        assert_eq!(longest(&[vec![1, 2], vec![2], vec![]]), 2);
    }
}
