//! `Policy`: the imports of a composed dependency that the store of its caller provides. All others are denied.

use crate::grants;
use crate::link::WASI_PACKAGES;
use crate::missing;
use crate::registry::{ServiceEntry, unversioned};

/// The packages that every dependency may import, without versions: they reach nothing outside of the process.
const PACKAGES: [&str; 6] = ["wasi:cli", "wasi:clocks", "wasi:io", "wasi:logging", "wasi:otel", "wasi:random"];
/// Interfaces of resources and types without a function that opens one. A dependency shares them with its caller, so that the two
/// can pass resources to each other.
const SHARED: [&str; 6] = [
    "wasi:filesystem/types",
    "wasi:http/types",
    // Of WASI 0.2. `wasi:sockets/types` of 0.3 creates sockets.
    "wasi:sockets/instance-network",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/udp",
];
/// Interfaces of [`PACKAGES`] that are a grant.
const GRANTED: [&str; 1] = ["wasi:cli/environment"];

/// What a dependency may do with an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It calls what its caller would.
    Shared,
    /// Its calls are denied.
    Denied,
    /// No service offers the interface, so another component must.
    Unknown,
}

/// Decides about the imports of a dependency.
pub(super) struct Policy<'a> {
    services: &'a [ServiceEntry],
    /// The names of the flags whose grants it inherits.
    inherit: &'a [String],
}

impl<'a> Policy<'a> {
    /// Creates the policy of a dependency that inherits the grants of the flags `inherit`.
    pub(super) fn new(services: &'a [ServiceEntry], inherit: &'a [String]) -> Self {
        Self { services, inherit }
    }

    /// Returns the access to the interface `import`.
    pub(super) fn access(&self, import: &str) -> Access {
        let path = unversioned(import);
        let package = path.split_once('/').map_or(path, |(package, _)| package);
        let is_open = PACKAGES.contains(&package) && !GRANTED.contains(&path);
        if is_open || SHARED.contains(&path) || self.is_inherited(path, package) {
            return Access::Shared;
        }
        let of_wasi = WASI_PACKAGES.iter().any(|known| unversioned(known) == package);
        let of_service = self.services.iter().any(|service| service.offers(path));
        if of_wasi || of_service || package.starts_with("wasi:") || missing::is_in_catalogue(package) {
            Access::Denied
        } else {
            Access::Unknown
        }
    }

    /// Returns whether a flag that grants the interface is inherited.
    fn is_inherited(&self, path: &str, package: &str) -> bool {
        let is_named = |flag: &tempo_settings::Flag| self.inherit.iter().any(|name| name == flag.name);
        let of_service = |service: &ServiceEntry| {
            service.offers(path) && service.flags.iter().any(|flag| flag.grants.is_some() && is_named(flag))
        };
        grants::of_interface(path, package).any(is_named) || self.services.iter().any(of_service)
    }
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use tempo_core::NoService;
    use tempo_settings::{Disclosure, Error, Flag};

    use super::*;

    fn service() -> ServiceEntry {
        ServiceEntry {
            id: TypeId::of::<NoService>(),
            name: "AcmeTime",
            interfaces: &["acme:time/clock", "wasi:http/types", "wasi:http/client"],
            packages: &["acme:time@1.0.0"],
            concurrent_packages: &[],
            labelled: &[],
            flags: vec![
                Flag::new("allow-time", "ZONE", "").repeatable().grants(Disclosure::Whole),
                Flag::new("time-limit", "N", ""),
            ],
            link: |_| Ok(()),
            link_label: |_, _, _| Ok(()),
            check: |_| Vec::new(),
            connect: |_| Box::pin(async { Err(Error::internal("nothing connects here")) }),
        }
    }

    #[track_caller]
    fn check(inherit: &[&str], expected: &[(&str, Access)]) {
        let services = [service()];
        let inherit: Vec<String> = inherit.iter().map(|name| (*name).to_owned()).collect();
        let policy = Policy::new(&services, &inherit);
        for (import, access) in expected {
            assert_eq!(policy.access(import), *access, "{import}");
        }
    }

    #[test]
    fn only_what_reaches_nothing_is_shared() {
        check(
            &[],
            &[
                ("wasi:clocks/monotonic-clock@0.3.0", Access::Shared),
                ("wasi:cli/stdout@0.2.6", Access::Shared),
                ("wasi:logging/logging@0.1.0-draft", Access::Shared),
                ("wasi:http/types@0.3.0", Access::Shared),
                ("wasi:filesystem/types@0.2.6", Access::Shared),
                ("wasi:sockets/tcp@0.2.6", Access::Shared),
                ("wasi:cli/environment@0.2.6", Access::Denied),
                ("wasi:filesystem/preopens@0.3.0", Access::Denied),
                ("wasi:sockets/types@0.3.0", Access::Denied),
                ("wasi:sockets/tcp-create-socket@0.2.6", Access::Denied),
                ("wasi:sockets/ip-name-lookup@0.3.0", Access::Denied),
                ("wasi:http/client@0.3.0", Access::Denied),
                ("wasi:tls/client@0.3.0-draft", Access::Denied),
                ("wasi:nn/inference@0.1.0", Access::Denied),
                ("wasmcloud:keyvalue/store@0.2.0", Access::Denied),
                ("acme:time/clock@1.0.0", Access::Denied),
                ("acme:tax/rates@1.0.0", Access::Unknown),
                ("plain", Access::Unknown),
            ],
        );
    }

    #[test]
    fn a_flag_gives_the_interfaces_that_it_grants() {
        check(&["allow-time"], &[("acme:time/clock", Access::Shared), ("wasi:cli/environment", Access::Denied)]);
        check(&["time-limit"], &[("acme:time/clock", Access::Denied)]);
        check(&["env"], &[("wasi:cli/environment", Access::Shared), ("wasi:filesystem/preopens", Access::Denied)]);
        check(&["dir"], &[("wasi:filesystem/preopens", Access::Shared), ("wasi:sockets/types", Access::Denied)]);
        for flag in crate::sockets::FLAGS {
            check(&[flag.name], &[("wasi:sockets/types", Access::Shared), ("wasi:tls/client", Access::Shared)]);
        }
    }
}
