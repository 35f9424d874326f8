//! `compose`: writes a component of an app as one file, for this host and others.

use std::path::Path;

use tempo_settings::{Error, ErrorKind};

use super::ComposedApp;
use crate::load::ScannedFile;
use crate::loaded_settings::AppComponentSettings;
use crate::manifest::{DeclaredImport, LinkKind};
use crate::output;

/// Writes the component `name` of `app`, or the only one with composed links, to `output`. Logs the parts of the manifest that the file
/// does not contain.
///
/// # Errors
///
/// There is no such component, or it is precompiled, or `output` cannot be written or is a file of the app.
pub(crate) fn write(app: &ComposedApp<'_>, name: Option<&str>, manifest: &Path, output: &Path) -> Result<(), Error> {
    let (component, file, imports) = select(app, name)?;
    let wasm = file.wasm().ok_or_else(|| {
        let message = format!("{}: it is precompiled; name its .wasm file", file.path().display());
        Error::new(ErrorKind::BadComponent, message)
    })?;
    output::check(manifest, output)?;
    for path in app.sources() {
        output::check(path, output)?;
    }
    output::write(manifest, output, wasm)?;
    for DeclaredImport { interface, component: exporter, .. } in imports {
        tracing::warn!("`{interface}` is still an import: the link to `{exporter}` is isolated");
    }
    if !component.own_flags.is_empty() {
        tracing::warn!("the file has no settings; the host that runs it needs: {}", component.own_flags.join(", "));
    }
    Ok(())
}

type Selected<'c, 'a> = (&'a AppComponentSettings, &'c ScannedFile, &'c [DeclaredImport]);

/// Returns the component `name`, or the only one, or the only one with composed links.
fn select<'c, 'a>(app: &'c ComposedApp<'a>, name: Option<&str>) -> Result<Selected<'c, 'a>, Error> {
    let all: Vec<Selected<'c, 'a>> = app
        .components
        .iter()
        .zip(&app.files)
        .zip(&app.imports)
        .map(|((component, file), imports)| (*component, file, imports.as_slice()))
        .collect();
    let names = all.iter().map(|(component, ..)| component.name.as_str()).collect::<Vec<_>>().join(", ");
    let usage = |message: String| Error::new(ErrorKind::Usage, message);
    if let Some(name) = name {
        let found = all.into_iter().find(|(component, ..)| component.name == name);
        return found.ok_or_else(|| usage(format!("--component: `{}` is none of: {names}", name.escape_debug())));
    }
    let is_composed =
        |(component, ..): &&Selected<'c, 'a>| component.imports.iter().any(|import| import.link != LinkKind::Isolated);
    let composed: Vec<_> = all.iter().filter(is_composed).collect();
    match (&all[..], &composed[..]) {
        ([one], _) => Ok(*one),
        (_, [one]) => Ok(**one),
        (_, []) => Err(usage(format!("no component has a composed link; choose one with --component: {names}"))),
        _ => Err(usage(format!("several components have composed links; choose one with --component: {names}"))),
    }
}
