//! Finds settings of a component that have no effect on it.

use tempo_settings::Flag;

use super::Parts;
use super::component::LinkedComponent;
use crate::grants;
use crate::interfaces::Interfaces;
use crate::loaded_settings::AppComponentSettings;
use crate::registry::unversioned;

/// Returns a warning for the settings in the table of `declared` that only interfaces use which `component` neither imports nor
/// exports.
pub(super) fn warnings(
    parts: Parts<'_>,
    declared: &AppComponentSettings,
    component: &LinkedComponent,
) -> Option<String> {
    let (effective, known) = (effective(component), parts.flags());
    let is_unused = |name: &&&str| known.iter().any(|flag| flag.name == **name) && !effective.contains(*name);
    let unused: Vec<&str> = declared.own_flags.iter().filter(is_unused).copied().collect();
    if unused.is_empty() {
        return None;
    }
    let (name, place, names) = (&declared.name, &declared.place, unused.join(", "));
    Some(format!(
        "component.{name} ({place}): without effect, as the component has no import or export that uses it: {names}"
    ))
}

/// Returns the names of the flags that have an effect on `component`.
fn effective(component: &LinkedComponent) -> Vec<&'static str> {
    let of_services = component.needed.iter().flat_map(|service| &service.flags);
    let of_triggers = component.serving.iter().flat_map(|trigger| &trigger.flags);
    let of_grants = of_grants(&component.interfaces).map(|flag| flag.name);
    of_services.chain(of_triggers).map(|flag| flag.name).chain(of_grants).collect()
}

/// Returns the flags that grant something to a component with these `interfaces`.
fn of_grants(interfaces: &Interfaces) -> impl Iterator<Item = &'static Flag> + '_ {
    let imports = interfaces.imports.iter().map(|import| unversioned(import.interface()));
    imports.flat_map(|path| {
        let package = path.split_once('/').map_or(path, |(package, _)| package);
        grants::of_interface(path, package)
    })
}
