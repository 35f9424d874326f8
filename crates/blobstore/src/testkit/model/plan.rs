//! What is done at random: few names for each case, so that operations meet, and hard ones among them.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::NAMES;
use crate::{ByteRange, PutOptions};

/// The operations of one case. Its names stand apart: a step says which by number.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) names: Vec<String>,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Put {
        container: Index,
        name: Index,
        data: Bytes,
        options: Options,
    },
    /// An upload that is dropped before it is complete.
    GiveUp {
        container: Index,
        name: Index,
        data: Bytes,
    },
    Get {
        container: Index,
        name: Index,
        range: Option<ByteRange>,
    },
    Delete {
        container: Index,
        name: Index,
    },
    Copy {
        container: Index,
        from: Index,
        to: Index,
    },
    List {
        container: Index,
        prefix: Prefix,
        after: Option<Index>,
        limit: usize,
    },
    Reopen,
}

/// Bytes of which no two chunks are alike, in few words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes {
    seed: u8,
    length: u32,
}

impl Bytes {
    pub(super) fn bytes(self) -> Vec<u8> {
        // The low byte of a place repeats; the one above it tells chunks apart.
        let byte = |place: u32| {
            let [low, high, ..] = place.wrapping_mul(31).to_le_bytes();
            low.wrapping_add(high).wrapping_add(self.seed)
        };
        (0..self.length).map(byte).collect()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Options {
    if_absent: bool,
    content_type: Option<String>,
    note: Option<String>,
}

impl From<Options> for PutOptions {
    fn from(options: Options) -> Self {
        let metadata = options.note.into_iter().map(|note| ("note".to_owned(), note)).collect();
        Self { if_absent: options.if_absent, content_type: options.content_type, metadata }
    }
}

/// The first characters of a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prefix {
    name: Index,
    length: usize,
}

impl Prefix {
    pub(super) fn of(self, names: &[String]) -> String {
        self.name.get(names).chars().take(self.length).collect()
    }
}

impl Step {
    /// The container it is done to, unless it is done to all.
    pub(super) fn container(&self) -> Option<Index> {
        match self {
            Self::Put { container, .. } | Self::GiveUp { container, .. } | Self::Get { container, .. } => {
                Some(*container)
            }
            Self::Delete { container, .. } | Self::Copy { container, .. } | Self::List { container, .. } => {
                Some(*container)
            }
            Self::Reopen => None,
        }
    }

    /// The step in words, with the names that it means.
    pub(super) fn describe(&self, names: &[String]) -> String {
        match self {
            Self::Put { name, data, options, .. } => format!("put of {:?}, {data:?}, {options:?}", name.get(names)),
            Self::GiveUp { name, data, .. } => format!("put of {:?}, {data:?}, given up", name.get(names)),
            Self::Get { name, range, .. } => format!("get of {:?}, {range:?}", name.get(names)),
            Self::Delete { name, .. } => format!("delete of {:?}", name.get(names)),
            Self::Copy { from, to, .. } => format!("copy of {:?} to {:?}", from.get(names), to.get(names)),
            Self::List { prefix, after, limit, .. } => {
                let after = after.map(|after| after.get(names));
                format!("list of {limit} from {:?} after {after:?}", prefix.of(names))
            }
            Self::Reopen => "to open again".to_owned(),
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    prop_oneof![
        3 => select(owned(&["a", "A", "ab", "a/b", "a.b", "b", "objects", "partial"])),
        2 => select(owned(NAMES)),
        1 => "(?s).{1,8}",
        // As long as names can be, and alike for longer than a file system can tell.
        1 => "[ab]".prop_map(|end| "n".repeat(1023) + &end),
    ]
}

pub(super) fn plans() -> impl Strategy<Value = Plan> {
    let names = prop::collection::vec(name(), 1..8);
    let steps = prop::collection::vec(step(), 1..60);
    (names, steps).prop_map(|(names, steps)| Plan { names, steps })
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (any::<Index>(), any::<Index>());
    // Few are large: longer than the chunks of any backend.
    let length = || prop_oneof![12 => 0..50_u32, 1 => 100_000..300_000_u32];
    let data = || (any::<u8>(), length()).prop_map(|(seed, length)| Bytes { seed, length });
    let text = || prop::option::weighted(0.3, "[a-z]{1,9}/[a-z]{1,9}");
    let options = (any::<bool>(), text(), text()).prop_map(|(if_absent, content_type, note)| Options {
        if_absent,
        content_type,
        note,
    });
    let range = (prop_oneof![6 => 0..60_u64, 1 => 0..300_000_u64, 1 => Just(u64::MAX)], length(), any::<bool>())
        .prop_map(|(offset, length, open)| ByteRange { offset, length: (!open).then_some(length.into()) });
    let prefix = (any::<Index>(), 0_usize..3).prop_map(|(name, length)| Prefix { name, length });
    prop_oneof![
        5 => (place(), data(), options)
            .prop_map(|((container, name), data, options)| Step::Put { container, name, data, options }),
        1 => (place(), data()).prop_map(|((container, name), data)| Step::GiveUp { container, name, data }),
        3 => (place(), prop::option::of(range))
            .prop_map(|((container, name), range)| Step::Get { container, name, range }),
        2 => place().prop_map(|(container, name)| Step::Delete { container, name }),
        2 => (place(), any::<Index>()).prop_map(|((container, from), to)| Step::Copy { container, from, to }),
        2 => (any::<Index>(), prefix, prop::option::of(any::<Index>()), 1_usize..12)
            .prop_map(|(container, prefix, after, limit)| Step::List { container, prefix, after, limit }),
        1 => Just(Step::Reopen),
    ]
}
