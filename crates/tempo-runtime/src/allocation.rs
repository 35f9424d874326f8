//! `Allocation`: where the memories of instances lie. Compiled code depends on it.

use std::fmt;

use serde::{Deserialize, Serialize};
use tempo_settings::{Error, ErrorKind, Flag, FlagValue, Settings};
use wasmtime::Config;

/// The flag that selects the allocation.
pub(crate) const ALLOCATION: Flag = Flag::new(
    "allocation",
    "KIND",
    "Memories of instances: pooling, reserved at start, or on-demand, which fits small address spaces and computes more slowly \
     [default: pooling if the pool fits]",
)
.one_of(&["pooling", "on-demand"])
.of_process();

/// Address space that a memory may grow into without moving, in bytes, in addition to its initial size.
const GROWTH_BYTES: u64 = 4 << 20;
/// Size of the guard region after a memory, in bytes.
const GUARD_BYTES: u64 = 64 << 10;

/// Where the memories of instances lie. Code that was compiled for one allocation does not run with the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allocation {
    /// In a pool, which reserves 4 GiB of address space for each memory, so that code needs no bounds checks.
    #[default]
    Pooling,
    /// In mappings of their own size, with bounds checks in the code.
    OnDemand,
}

impl Allocation {
    /// Configures how code accesses memories. Independent of the limits, so that precompiled files run under any of them.
    pub(crate) fn configure(self, config: &mut Config) {
        if self == Self::OnDemand {
            config
                .memory_reservation(0)
                .memory_reservation_for_growth(GROWTH_BYTES)
                .memory_guard_size(GUARD_BYTES)
                .guard_before_linear_memory(false);
        }
    }

    /// Reads the flag. `None` if it is not set.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Option<Self>, Error> {
        settings.get(&ALLOCATION)
    }

    /// Checks that `wanted` is that of a file which was compiled for `self`.
    pub(crate) fn check(self, wanted: Option<Self>) -> Result<(), Error> {
        match wanted {
            Some(wanted) if wanted != self => {
                let message = format!("this precompiled file is for --allocation {self}");
                let advice = format!("compile it with --allocation {wanted}");
                Err(Error::new(ErrorKind::BadConfiguration, message).with_advice(advice))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pooling => "pooling",
            Self::OnDemand => "on-demand",
        })
    }
}

impl FlagValue for Allocation {
    const EXPECTED: &'static str = "pooling or on-demand";

    fn parse(text: &str) -> Option<Self> {
        [Self::Pooling, Self::OnDemand].into_iter().find(|allocation| allocation.to_string() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_a_header_is_that_of_the_flag() {
        for allocation in [Allocation::Pooling, Allocation::OnDemand] {
            assert_eq!(serde_json::to_string(&allocation).unwrap(), format!("\"{allocation}\""));
            assert_eq!(Allocation::parse(&allocation.to_string()), Some(allocation));
            assert!(allocation.check(Some(allocation)).is_ok() && allocation.check(None).is_ok());
        }
        let error = Allocation::Pooling.check(Some(Allocation::OnDemand)).unwrap_err().to_string();
        assert_eq!(error, "this precompiled file is for --allocation pooling; compile it with --allocation on-demand");
    }
}
