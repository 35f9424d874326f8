//! Finds all imports that a linker lacks, and the nearest match of each.

use tempo_core::StoreData;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

use crate::interfaces::{Import, Interfaces};
use crate::link::WASI_PACKAGES;
use crate::registry::{ServiceEntry, unversioned};
use crate::release_candidate::{self, is_other_candidate, name_in_release};

/// Services of Tempo's runtimes: package, service, runtimes. Errors of a runtime without the service name them.
const CATALOGUE: &[(&str, &str, &str)] = &[
    ("tempo:blobstore", "WasiBlobstore", "tempo and tempo-worker"),
    ("tempo:keyvalue", "WasiKeyValue", "tempo and tempo-worker"),
    ("tempo:messaging", "WasiMessaging", "tempo and tempo-worker"),
    ("wasi:blobstore", "WasiBlobstore", "tempo and tempo-worker"),
    ("wasi:config", "WasiConfig", "tempo, tempo-http and tempo-worker"),
    ("wasi:http", "WasiHttp", "tempo and tempo-http"),
    ("wasi:keyvalue", "WasiKeyValue", "tempo and tempo-worker"),
    ("wasi:logging", "WasiLogging", "tempo, tempo-http and tempo-worker"),
    ("wasi:messaging", "WasiMessaging", "tempo and tempo-worker"),
    ("wasi:otel", "WasiOtel", "tempo, tempo-http and tempo-worker"),
    ("wasmcloud:keyvalue", "WasiKeyValue", "tempo and tempo-worker"),
    ("wasmcloud:messaging", "WasiMessaging", "tempo and tempo-worker"),
];

/// Why an interface without stores has no labels.
const NO_STORES: &str = "import it without the label; a label is the name of a store, and this interface has none";

/// Returns whether a service of Tempo's runtimes offers interfaces of `package`, which has no version.
pub(crate) fn is_in_catalogue(package: &str) -> bool {
    CATALOGUE.iter().any(|(known, _, _)| *known == package)
}

/// An import that is not satisfied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingImport {
    /// The import.
    pub import: Import,
    /// wasmtime's error, for an interface that exists but has another type.
    pub cause: String,
}

/// Finds all imports of `component` that `linker` lacks.
///
/// wasmtime reports only the first, so each missing import is stubbed before the next attempt.
pub(crate) fn find(
    mut linker: Linker<StoreData>,
    component: &Component,
    interfaces: &Interfaces,
) -> Vec<MissingImport> {
    let mut missing: Vec<MissingImport> = Vec::new();
    linker.allow_shadowing(true);
    for _ in 0..=interfaces.imports.len() {
        let Err(error) = linker.instantiate_pre(component) else { break };
        let message = error.to_string();
        let named = |import: &&Import| message.contains(&format!("`{}`", import.name));
        let Some(import) = interfaces.imports.iter().find(named) else { break };
        if missing.iter().any(|known| &known.import == import) {
            break;
        }
        missing.push(MissingImport { import: import.clone(), cause: error.root_cause().to_string() });
        if stub(&mut linker, component, &import.name).is_err() {
            break;
        }
    }
    missing
}

fn stub(linker: &mut Linker<StoreData>, component: &Component, import: &str) -> wasmtime::Result<()> {
    let engine = component.engine();
    let ty = component.component_type();
    let Some(item) = ty.get_import(engine, import) else { return Ok(()) };
    let ComponentItem::ComponentInstance(instance) = item.ty else {
        return linker.root().func_new(import, |_, _, _, _| Ok(()));
    };
    let mut stubs = linker.instance(import)?;
    for (name, item) in instance.exports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(func) if func.async_() => {
                stubs.func_new_concurrent(name, |_, _, _, _| Box::pin(async { Ok(()) }))?;
            }
            ComponentItem::ComponentFunc(_) => stubs.func_new(name, |_, _, _, _| Ok(()))?,
            ComponentItem::Resource(_) => stubs.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))?,
            _ => {}
        }
    }
    Ok(())
}

/// Returns one message for all of `missing`, with the nearest match of each.
pub(crate) fn explain(runtime: &str, missing: &[MissingImport], services: &[ServiceEntry]) -> String {
    let mut message = format!("`{runtime}` does not offer everything that this component imports:");
    for missing in missing {
        let (import, nearest) = (missing.import.text(), nearest(runtime, missing, services));
        message.push_str(&format!("\n  {import}: {nearest}"));
    }
    message
}

/// Returns a hint at what would satisfy a missing import.
pub(crate) fn nearest(runtime: &str, missing: &MissingImport, services: &[ServiceEntry]) -> String {
    let import = missing.import.interface();
    let interface = unversioned(import);
    let package = interface.split_once('/').map_or(interface, |(package, _)| package);
    let offered = versions(package, WASI_PACKAGES.iter().chain(services.iter().flat_map(|service| service.packages)));
    if let Some(refusal) = missing.import.label().and_then(|_| refused_label(interface, services)) {
        return refusal;
    }
    if offered.contains(&name_in_release(import).replace(&format!("{interface}@"), &format!("{package}@"))) {
        return format!("the interface differs from the published one ({})", missing.cause);
    }
    if is_other_candidate(import) && !offered.is_empty() {
        return release_candidate::refusal(package);
    }
    if services.iter().any(|service| service.offers(interface)) || is_wasi(package, &offered) {
        return format!("another version; this runtime has {}", offered.join(", "));
    }
    if !offered.is_empty() {
        return format!("no such interface in {}", offered.join(", "));
    }
    match CATALOGUE.iter().find(|(known, _, _)| *known == package) {
        Some((_, service, runtimes)) => format!("offered by the service {service}, in the runtimes {runtimes}"),
        None if missing.import.label().is_some() => {
            format!(
                "no service of Tempo offers {package}; import it without the label from another component of an app"
            )
        }
        None => format!(
            "no service of Tempo offers {package}; another component of an app can, by `imports = {{ \"{interface}\" = \"NAME\" }}`, or a service of your own in `{runtime}`"
        ),
    }
}

/// Returns why `interface`, which this runtime offers, cannot be imported under a label, if that is so.
fn refused_label(interface: &str, services: &[ServiceEntry]) -> Option<String> {
    let service = services.iter().find(|service| service.offers(interface));
    let wasi = WASI_PACKAGES
        .iter()
        .any(|known| interface.split_once('/').is_some_and(|(package, _)| package == unversioned(known)));
    match service {
        Some(service) if service.labelled.contains(&interface) => None,
        Some(service) if !service.labelled.is_empty() => Some(format!(
            "import it without the label; a label is the name of a store, for {}",
            service.labelled.join(", ")
        )),
        Some(_) => Some(NO_STORES.to_owned()),
        None => wasi.then(|| NO_STORES.to_owned()),
    }
}

fn versions<'a>(package: &str, offered: impl Iterator<Item = &'a &'static str>) -> Vec<String> {
    offered.filter(|offered| unversioned(offered) == package).map(|offered| (*offered).to_owned()).collect()
}

fn is_wasi(package: &str, offered: &[String]) -> bool {
    !offered.is_empty() && WASI_PACKAGES.iter().any(|known| unversioned(known) == package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::any::TypeId;

    use tempo_core::NoService;
    use tempo_settings::Error;
    use wasmtime::Engine;

    fn search(text: &str) -> Vec<MissingImport> {
        let engine = Engine::default();
        let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        find(Linker::new(&engine), &component, &Interfaces::of(&component))
    }

    #[test]
    fn every_missing_import_is_found() {
        let missing = search(
            "(component
                (import \"acme:billing/invoices@1.2.0\" (instance (export \"pay\" (func))))
                (import \"acme:billing/ledger@1.2.0\" (instance (export \"book\" (func (param \"n\" u32)))))
                (import \"alone\" (func)))",
        );
        let names: Vec<_> = missing.iter().map(|missing| missing.import.name.as_str()).collect();
        assert_eq!(names, ["acme:billing/invoices@1.2.0", "acme:billing/ledger@1.2.0", "alone"]);
    }

    #[test]
    fn the_nearest_match_is_named() {
        let service = ServiceEntry {
            id: TypeId::of::<NoService>(),
            name: "WasiConfig",
            interfaces: &["wasi:config/store"],
            packages: &["wasi:config@0.2.0-rc.1"],
            concurrent_packages: &[],
            labelled: &[],
            flags: Vec::new(),
            link: |_| Ok(()),
            link_label: |_, _, _| Ok(()),
            check: |_| Vec::new(),
            connect: |_| Box::pin(async { Err(Error::internal("nothing connects here")) }),
        };
        let nearest = |import: &str, services: &[ServiceEntry]| {
            nearest("tempo", &MissingImport { import: Import::new(import, None), cause: "cause".into() }, services)
        };
        let services = [service];
        assert!(
            nearest("wasi:config/store@0.3.0", &services)
                .contains("another version; this runtime has wasi:config@0.2.0-rc.1")
        );
        assert!(nearest("wasi:config/other@0.2.0-rc.1", &services).contains("differs"));
        assert!(nearest("wasi:config/store@0.2.0-rc.1", &[]).contains("offered by the service WasiConfig"));
        assert!(nearest("acme:x/y@1.0.0", &services).contains("no service of Tempo offers acme:x"));
        assert_eq!(
            nearest("wasi:cli/stdout@0.3.0-rc-2026-02-09", &services),
            "a release candidate that does not run; this runtime has wasi:cli@0.3.0, and runs 0.3.0-rc-2026-03-15 as 0.3.0"
        );
        assert!(nearest("wasi:cli/stdout@0.3.0+rc-2026-03-15", &services).contains("differs"));
        assert!(
            nearest("wasi:clocks/monotonic-clock@0.9.0", &services).contains("wasi:clocks@0.2.12, wasi:clocks@0.3.0")
        );
    }
}
