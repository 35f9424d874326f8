//! Random operations on a container, and the names that they refer to: hard ones among them.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use tempo_backend::testkit::model::Prefix;

use super::super::NAMES;
use crate::{ByteRange, PutOptions};

/// An operation on a container.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Writes an object.
    Put {
        /// The name.
        name: Index,
        /// The content.
        data: Data,
        /// Options of the upload.
        options: Options,
    },
    /// Drops an upload before it is complete.
    DropUpload {
        /// The name.
        name: Index,
        /// The content.
        data: Data,
    },
    /// Compares an object.
    Get {
        /// The name.
        name: Index,
        /// The range to read.
        range: Option<ByteRange>,
    },
    /// Deletes an object.
    Delete {
        /// The name.
        name: Index,
    },
    /// Copies an object.
    Copy {
        /// The name of the source.
        from: Index,
        /// The name of the copy.
        to: Index,
    },
    /// Compares a page of names.
    List {
        /// The prefix of the names.
        prefix: Prefix,
        /// The name that the page starts after.
        after: Option<Index>,
        /// Maximum number of names.
        limit: usize,
    },
}

/// The content of an object, of which no two chunks are alike, in a short description.
#[derive(Clone, Copy, Debug)]
pub struct Data {
    seed: u8,
    length: u32,
}

impl Data {
    pub(super) fn bytes(self) -> Vec<u8> {
        // The low byte of a place repeats; the one above it tells chunks apart.
        let byte = |place: u32| {
            let [low, high, ..] = place.wrapping_mul(31).to_le_bytes();
            low.wrapping_add(high).wrapping_add(self.seed)
        };
        (0..self.length).map(byte).collect()
    }
}

/// Options of an upload.
#[derive(Clone, Debug)]
pub struct Options {
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

impl Operation {
    /// Describes the operation with the names that it refers to.
    pub(super) fn describe(&self, names: &[String]) -> String {
        match self {
            Self::Put { name, data, options } => format!("put of {:?}, {data:?}, {options:?}", name.get(names)),
            Self::DropUpload { name, data } => format!("put of {:?}, {data:?}, dropped", name.get(names)),
            Self::Get { name, range } => format!("get of {:?}, {range:?}", name.get(names)),
            Self::Delete { name } => format!("delete of {:?}", name.get(names)),
            Self::Copy { from, to } => format!("copy of {:?} to {:?}", from.get(names), to.get(names)),
            Self::List { prefix, after, limit } => {
                let after = after.map(|after| after.get(names));
                format!("list of {limit} from {:?} after {after:?}", prefix.of(names))
            }
        }
    }
}

pub(super) fn name() -> impl Strategy<Value = String> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    prop_oneof![
        3 => select(owned(&["a", "A", "ab", "a/b", "a.b", "b", "objects", "partial"])),
        2 => select(owned(NAMES)),
        1 => "(?s).{1,8}",
        // As long as names can be, and alike for longer than a file system can tell.
        1 => "[ab]".prop_map(|end| "n".repeat(1023) + &end),
    ]
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    let name = any::<Index>;
    // Few are large: longer than the chunks of any backend.
    let length = || prop_oneof![12 => 0..50_u32, 1 => 100_000..300_000_u32];
    let data = || (any::<u8>(), length()).prop_map(|(seed, length)| Data { seed, length });
    let text = || prop::option::weighted(0.3, "[a-z]{1,9}/[a-z]{1,9}");
    let options = (any::<bool>(), text(), text()).prop_map(|(if_absent, content_type, note)| Options {
        if_absent,
        content_type,
        note,
    });
    let range = (prop_oneof![6 => 0..60_u64, 1 => 0..300_000_u64, 1 => Just(u64::MAX)], length(), any::<bool>())
        .prop_map(|(offset, length, open)| ByteRange { offset, length: (!open).then_some(length.into()) });
    prop_oneof![
        5 => (name(), data(), options).prop_map(|(name, data, options)| Operation::Put { name, data, options }),
        1 => (name(), data()).prop_map(|(name, data)| Operation::DropUpload { name, data }),
        3 => (name(), prop::option::of(range)).prop_map(|(name, range)| Operation::Get { name, range }),
        2 => name().prop_map(|name| Operation::Delete { name }),
        2 => (name(), name()).prop_map(|(from, to)| Operation::Copy { from, to }),
        2 => (Prefix::strategy(), prop::option::of(name()), 1_usize..12)
            .prop_map(|(prefix, after, limit)| Operation::List { prefix, after, limit }),
    ]
}
