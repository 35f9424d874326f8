//! Links a component to WASI and to the services that it imports.

use tempo_core::StoreData;
use tempo_settings::{Error, ErrorKind};
use wasmtime::component::{Component, InstancePre, Linker};

use crate::interfaces::Interfaces;
use crate::links::Link;
use crate::registry::ServiceEntry;
use crate::scan::Shape;
use crate::{links, missing, open_files, sockets, tls};

/// The packages that every component may import; `wasmtime-wasi` implements them.
pub(crate) const WASI_PACKAGES: &[&str] = &[
    "wasi:cli@0.2.12",
    "wasi:clocks@0.2.12",
    "wasi:filesystem@0.2.12",
    "wasi:io@0.2.12",
    "wasi:random@0.2.12",
    "wasi:sockets@0.2.12",
    tls::P2_PACKAGE,
    "wasi:cli@0.3.0",
    "wasi:clocks@0.3.0",
    "wasi:filesystem@0.3.0",
    "wasi:random@0.3.0",
    "wasi:sockets@0.3.0",
    tls::P3_PACKAGE,
];

/// Returns all packages that are linked only with concurrency support: those of WASI and of `services`.
pub(crate) fn concurrent_packages(services: &[ServiceEntry]) -> Vec<&'static str> {
    let of_services = services.iter().flat_map(|service| service.concurrent_packages);
    // All packages of WASI 0.3 have async functions.
    let of_wasi = WASI_PACKAGES.iter().filter(|package| package.contains("@0.3."));
    of_wasi.chain(of_services).copied().collect()
}

/// Returns a linker with WASI and those of `services` that `interfaces` imports.
pub(crate) fn linker(
    component: &Component,
    shape: &Shape,
    interfaces: &Interfaces,
    services: &[ServiceEntry],
) -> anyhow::Result<Linker<StoreData>> {
    let mut linker = Linker::new(component.engine());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    if shape.concurrent {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    }
    linker.allow_shadowing(true);
    open_files::add_to_linker(&mut linker, shape.concurrent)?;
    sockets::add_to_linker(&mut linker, shape.concurrent)?;
    linker.allow_shadowing(false);
    if tls::is_imported(interfaces) {
        tls::add_to_linker(&mut linker, shape.concurrent)?;
    }
    for service in services {
        if interfaces.imports.iter().any(|import| service.offers(import.interface())) {
            (service.link)(&mut linker)?;
        }
    }
    // A service replaces functions of an interface with those of the label.
    linker.allow_shadowing(true);
    for service in services {
        for import in &interfaces.imports {
            if let Some((label, interface)) = import.label().zip(service.offers_labelled(import)) {
                (service.link_label)(&mut linker.instance(label)?, &interface, label)?;
            }
        }
    }
    linker.allow_shadowing(false);
    Ok(linker)
}

/// Links and type-checks `component`, with `links` to other components, before anything is connected.
///
/// # Errors
///
/// An import is missing or has another type; the error lists all of them.
pub(crate) fn link(
    runtime: &str,
    component: &Component,
    shape: &Shape,
    interfaces: &Interfaces,
    services: &[ServiceEntry],
    links: &[Link],
) -> anyhow::Result<InstancePre<StoreData>> {
    let mut linker = linker(component, shape, interfaces, services)?;
    for link in links {
        links::add_to_linker(&mut linker, link)?;
    }
    linker.instantiate_pre(component).map_err(|_| {
        let missing = missing::find(linker, component, interfaces);
        Error::new(ErrorKind::BadComponent, missing::explain(runtime, &missing, services)).into()
    })
}
