//! The cases of `cargo xtask bench links`: requests to the components of one app, and what is subtracted from their cost.

/// Requests that are measured.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// The target of the requests; `ADDR` is the address of the server.
    pub(super) path: &'static str,
    /// The calls of one request.
    pub(super) calls: u32,
    /// The case whose cost is subtracted: that of a request without the calls.
    pub(super) base: Option<&'static str>,
    pub(super) program: Linked,
    pub(super) goal: Goal,
}

/// How the components are linked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Linked {
    /// By the host.
    Isolated,
    /// By composition, before compilation.
    Composed,
}

/// The goal for the cost of one call.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    None,
    /// At most this many microseconds of CPU time.
    Micros(f64),
    /// At most this many microseconds more than another case.
    More(f64, &'static str),
    /// At most this share of another case.
    Share(f64, &'static str),
}

const fn case(name: &'static str, title: &'static str, path: &'static str, calls: u32) -> Case {
    Case { name, title, path, calls, base: Some("none"), program: Linked::Isolated, goal: Goal::None }
}

/// The calls of a function of the component itself take nanoseconds, so a request makes many.
pub(super) const CASES: &[Case] = &[
    Case { base: None, ..case("none", "a request without calls", "/", 1) },
    case("own", "call inside one component", "/?how=own&calls=5000", 5_000),
    Case {
        base: None,
        program: Linked::Composed,
        ..case("none-composed", "a request without calls, composed", "/", 1)
    },
    Case {
        base: Some("none-composed"),
        program: Linked::Composed,
        goal: Goal::More(0.2, "own"),
        ..case("composed", "composed call, sync", "/?how=sync&calls=1000", 1_000)
    },
    Case {
        base: Some("none-composed"),
        program: Linked::Composed,
        ..case("composed-async", "composed call, async", "/?how=async&calls=200", 200)
    },
    Case { goal: Goal::Micros(5.0), ..case("isolated", "isolated call, sync", "/?how=sync&calls=40", 40) },
    Case { goal: Goal::Micros(15.0), ..case("isolated-async", "isolated call, async", "/?how=async&calls=40", 40) },
    case("tcp", "HTTP hop over loopback TCP", "/?how=fetch&calls=4&url=http://ADDR/callee", 4),
    Case {
        goal: Goal::Share(0.5, "tcp"),
        ..case("chain", "HTTP hop in memory", "/?how=fetch&calls=4&url=http://callee.tempo.internal/callee", 4)
    },
    Case { base: None, ..case("hello", "a request to hello", "/callee", 1) },
    Case {
        base: Some("hello"),
        goal: Goal::Share(0.8, "hello"),
        ..case("middleware", "middleware before hello", "/passed", 1)
    },
];

/// The index of a case.
pub(super) fn index(name: &str) -> Option<usize> {
    CASES.iter().position(|case| case.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_compared_is_measured() {
        for case in CASES {
            assert!(case.base.is_none_or(|base| index(base).is_some_and(|base| CASES[base].program == case.program)));
            if let Goal::More(_, other) | Goal::Share(_, other) = case.goal {
                assert!(index(other).is_some(), "{other}");
            }
        }
    }
}
