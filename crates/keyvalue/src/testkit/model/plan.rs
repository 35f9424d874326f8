//! What is done at random: few keys for each case, so that operations meet, and hard ones among them.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::entries::odd_keys;

/// The operations of one case. Its keys stand apart: a step says which by number.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) keys: Vec<String>,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Get { store: Index, key: Index },
    Set { store: Index, key: Index, value: Vec<u8>, wanted: Wanted, ttl: Option<Duration> },
    Delete { store: Index, key: Index },
    Keys { store: Index, prefix: Prefix, after: Option<Index>, limit: usize },
    Reopen,
}

/// A condition in words: which version it means is known only when it is used.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    Always,
    Absent,
    Current,
    /// The version of some earlier write to the same store.
    Earlier(Index),
}

/// The first characters of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prefix {
    key: Index,
    length: usize,
}

impl Prefix {
    pub(super) fn of(self, keys: &[String]) -> String {
        self.key.get(keys).chars().take(self.length).collect()
    }
}

impl Step {
    /// The store it is done to, unless it is done to all.
    pub(super) fn store(&self) -> Option<Index> {
        match self {
            Self::Get { store, .. } | Self::Set { store, .. } | Self::Delete { store, .. } => Some(*store),
            Self::Keys { store, .. } => Some(*store),
            Self::Reopen => None,
        }
    }

    /// The step in words, with the keys that it means.
    pub(super) fn describe(&self, keys: &[String]) -> String {
        match self {
            Self::Get { key, .. } => format!("get of {:?}", key.get(keys)),
            Self::Set { key, wanted, ttl, .. } => format!("set of {:?}, {wanted:?}, {ttl:?}", key.get(keys)),
            Self::Delete { key, .. } => format!("delete of {:?}", key.get(keys)),
            Self::Keys { prefix, after, limit, .. } => {
                let after = after.map(|after| after.get(keys));
                format!("list of {limit} from {:?} after {after:?}", prefix.of(keys))
            }
            Self::Reopen => "to open again".to_owned(),
        }
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(["a", "A", "ab", "a/b", "a.b", "b"].map(str::to_owned).to_vec()),
        2 => select(odd_keys()),
        1 => "(?s).{1,8}",
    ]
}

pub(super) fn plans() -> impl Strategy<Value = Plan> {
    let keys = prop::collection::vec(key(), 1..8);
    let steps = prop::collection::vec(step(), 1..60);
    (keys, steps).prop_map(|(keys, steps)| Plan { keys, steps })
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (any::<Index>(), any::<Index>());
    let wanted = prop_oneof![
        3 => Just(Wanted::Always),
        2 => Just(Wanted::Absent),
        3 => Just(Wanted::Current),
        1 => any::<Index>().prop_map(Wanted::Earlier),
    ];
    let value = prop::collection::vec(any::<u8>(), 0..20);
    // Long enough that no life ends during a test.
    let ttl = prop::option::weighted(0.3, (1000u64..100_000).prop_map(Duration::from_secs));
    let prefix = (any::<Index>(), 0usize..3).prop_map(|(key, length)| Prefix { key, length });
    prop_oneof![
        3 => place().prop_map(|(store, key)| Step::Get { store, key }),
        8 => (place(), value, wanted, ttl)
            .prop_map(|((store, key), value, wanted, ttl)| Step::Set { store, key, value, wanted, ttl }),
        2 => place().prop_map(|(store, key)| Step::Delete { store, key }),
        2 => (any::<Index>(), prefix, prop::option::of(any::<Index>()), 0usize..12)
            .prop_map(|(store, prefix, after, limit)| Step::Keys { store, prefix, after, limit }),
        1 => Just(Step::Reopen),
    ]
}
