//! The links between the components of an app.

use std::sync::Arc;

use wasmtime::component::Component;

use super::{Callee, InterfaceTypes, LinkedFunction, failure, matching};
use crate::manifest::{DeclaredImport, OnFailure};

/// An import of one component that another component of the app exports.
#[derive(Clone)]
pub(crate) struct Link {
    /// The full name of the import.
    pub(crate) import: String,
    /// Its functions.
    pub(crate) functions: Vec<LinkedFunction>,
    /// The index of the exporting component.
    pub(crate) exporter: usize,
    /// Receives the calls.
    pub(crate) callee: Arc<Callee>,
}

/// Returns the link of `import`, which `importer` declares. `components` are those of the app, with their `names`.
///
/// # Errors
///
/// One of the two lacks the interface, or their types differ.
pub(crate) fn find(
    names: &[&str],
    components: &[&Component],
    importer: &Component,
    import: &DeclaredImport,
) -> Result<Link, String> {
    let (wanted, exporter) = (&import.interface, &import.component);
    let index = names.iter().position(|name| name == exporter);
    let found = index.and_then(|index| Some((index, components.get(index)?)));
    let (index, component) = found.ok_or_else(|| format!("there is no component `{exporter}`"))?;
    let imported = InterfaceTypes::imported(importer, wanted)
        .ok_or_else(|| format!("it does not import `{wanted}`; remove the line"))?;
    let exported = InterfaceTypes::exported(component, &imported.name)
        .ok_or_else(|| format!("`{exporter}` does not export `{}`", imported.name))?;
    let mut functions = matching(importer.engine(), &imported, &exported).map_err(|mismatches| {
        let mismatches: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
        format!("`{}` cannot be linked to `{exporter}`: {}", imported.name, mismatches.join("; "))
    })?;
    if import.on_failure == OnFailure::Error {
        failure::return_errors(importer.engine(), &imported, &mut functions)?;
    }
    let callee = Callee::new(exporter, &exported.name, &functions);
    Ok(Link { import: imported.name, functions, exporter: index, callee })
}
