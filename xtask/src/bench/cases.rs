//! The cases that `cargo xtask bench count` counts, and that a profile-guided build is trained with.

/// A component and a request to it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// The directory of the component under `guests/` or `tests/guests/`; none for the native server.
    pub(super) guest: Option<&'static str>,
    /// The interface that the component imports from another one, and the directory of that one.
    pub(super) import: Option<(&'static str, &'static str)>,
    pub(super) flags: &'static [&'static str],
    pub(super) path: &'static str,
    /// The length of the body that a request sends, in bytes.
    pub(super) body_bytes: u32,
    /// The POST request that creates the data.
    pub(super) prepared_by: Option<&'static str>,
    /// The share by which the count differs between two runs: how much is read at once, and which thread works, depend on time.
    pub(super) variation: f64,
}

impl Case {
    /// Returns the manifest of the components, compiled to `GUEST.bin`. `None` if there is one, which needs none.
    pub(super) fn manifest(&self) -> Option<String> {
        let (guest, (interface, other)) = (self.guest?, self.import?);
        Some(format!(
            "name = \"bench\"\n[component.{guest}]\nsource = \"{guest}.bin\"\nroute = \"/*\"\n\
             imports = {{ \"{interface}\" = \"{other}\" }}\n[component.{other}]\nsource = \"{other}.bin\"\n"
        ))
    }

    /// Returns the directories of its components.
    pub(super) fn guests(&self) -> impl Iterator<Item = &'static str> {
        self.guest.into_iter().chain(self.import.map(|(_, other)| other))
    }
}

const fn case(name: &'static str, title: &'static str, guest: &'static str, flags: &'static [&'static str]) -> Case {
    Case {
        name,
        title,
        guest: Some(guest),
        import: None,
        flags,
        path: "/",
        body_bytes: 0,
        prepared_by: None,
        variation: 0.0,
    }
}

/// Flags that keep the instances during counting.
const WARM: &[&str] = &["--instance-reuse", "1000000"];
const FRESH: &[&str] = &["--instance-reuse", "1"];

/// The name of the native server's case: the base of ratios.
pub(super) const NATIVE: &str = "hyper";

pub(super) const CASES: &[Case] = &[
    Case { guest: None, ..case(NATIVE, "hyper, native", "", &[]) },
    case("p3", "hello, 0.3, warm", "hello", WARM),
    case("p3-fresh", "hello, 0.3, fresh", "hello", FRESH),
    case("p2", "hello, 0.2, warm", "hello-p2", WARM),
    case("p2-fresh", "hello, 0.2, fresh", "hello-p2", FRESH),
    Case {
        path: "/echo",
        body_bytes: 1 << 20,
        variation: 0.15,
        ..case("echo", "1 MiB echoed chunk by chunk, 0.3, warm", "hostile", WARM)
    },
    Case {
        path: "/?how=sync&calls=1",
        import: Some(("acme:pricing/quote", "pricing")),
        ..case(
            "isolated",
            "a request with a call of another component",
            "links-bench",
            &["--instance-reuse", "1000000", "--allocation", "on-demand"],
        )
    },
    Case {
        path: "/counters/visits",
        prepared_by: Some("/counters/visits"),
        ..case(
            "keyvalue",
            "keyvalue get on `file:`",
            "keyvalue",
            &["--instance-reuse", "1000000", "--keyvalue", "file:counters.redb"],
        )
    },
    Case {
        path: "/?timeout-ms=60000",
        variation: 0.15,
        ..case(
            "messaging",
            "message asked, handled and answered on `memory:`",
            "request-reply",
            &["--instance-reuse", "1000000", "--messaging", "memory:", "--subscribe", "greetings.hello"],
        )
    },
];
