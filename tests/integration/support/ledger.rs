//! The possible states of keys with a single writer, when crashes may lose responses. Each response removes the states
//! that contradict it; if none is left, the store is wrong.

use std::collections::{BTreeMap, BTreeSet};

/// A state of a key: its value, if any.
pub(crate) type Found = Option<Vec<u8>>;

/// An operation on a key.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Get,
    Put {
        value: Vec<u8>,
        /// Only if there is no entry.
        new: bool,
    },
    Delete,
    /// Increments a number.
    Add,
}

/// The result of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OpResult {
    Found(Found),
    /// The key was written or deleted.
    Done,
    /// The sum after an increment.
    Sum(u64),
    /// The condition did not hold.
    Refused,
    /// The operation failed without an effect.
    Undone,
    /// No response, or one that leaves open whether the operation took effect.
    Unknown,
}

/// The possible states, by key.
#[derive(Debug)]
pub(crate) struct Ledger(BTreeMap<String, BTreeSet<Found>>);

impl Ledger {
    /// Creates a ledger in which no key has an entry.
    pub(crate) fn new(keys: impl IntoIterator<Item = String>) -> Self {
        Self(keys.into_iter().map(|key| (key, BTreeSet::from([None]))).collect())
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Returns the number of keys with more than one possible state.
    pub(crate) fn open(&self) -> usize {
        self.0.values().filter(|possible| possible.len() > 1).count()
    }

    /// Applies a result.
    #[track_caller]
    pub(crate) fn learn(&mut self, key: &str, action: &Action, result: &OpResult) {
        let possible = self.0.get_mut(key).unwrap();
        let before = possible.clone();
        match (action, result) {
            (_, OpResult::Undone) | (Action::Get, OpResult::Unknown) => {}
            (Action::Get, OpResult::Found(found)) => possible.retain(|value| value == found),
            (Action::Put { value, new }, OpResult::Done) => {
                possible.retain(|value| !new || value.is_none());
                *possible = possible.iter().map(|_| Some(value.clone())).collect();
            }
            (Action::Put { new: true, .. }, OpResult::Refused) => possible.retain(Option::is_some),
            // The written value is a possible state, unless the key certainly existed.
            (Action::Put { value, new }, OpResult::Unknown) if !new || before.contains(&None) => {
                possible.insert(Some(value.clone()));
            }
            (Action::Put { .. }, OpResult::Unknown) => {}
            (Action::Delete, OpResult::Done) => *possible = BTreeSet::from([None]),
            (Action::Delete, OpResult::Unknown) => drop(possible.insert(None)),
            (Action::Add, OpResult::Sum(sum)) => {
                possible.retain(|value| number(value) + 1 == *sum);
                *possible = possible.iter().map(|_| Some(sum.to_string().into_bytes())).collect();
            }
            (Action::Add, OpResult::Unknown) => {
                possible.extend(before.iter().map(|value| Some((number(value) + 1).to_string().into_bytes())));
            }
            _ => panic!("{key}: {} returned {result:?}", print(action)),
        }
        let before: Vec<String> = before.iter().map(show).collect();
        assert!(
            !possible.is_empty(),
            "{key}: {} returned {result:?}, but the possible states are {before:?}",
            print(action)
        );
    }

    /// Applies a list of all keys.
    #[track_caller]
    pub(crate) fn listed(&mut self, keys: &[String]) {
        for key in keys {
            assert!(self.0.contains_key(key), "{key} was never written");
        }
        for (key, possible) in &mut self.0 {
            let listed = keys.iter().filter(|listed| *listed == key).count();
            assert!(listed < 2, "{key} is listed twice");
            let before = possible.clone();
            possible.retain(|value| value.is_some() == (listed == 1));
            let before: Vec<String> = before.iter().map(show).collect();
            assert!(!possible.is_empty(), "{key} is listed {listed} times, but there may be {before:?}");
        }
    }
}

fn number(value: &Found) -> u64 {
    value.as_ref().map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap())
}

/// Formats a value by its prefix, which identifies the writer and the sequence; the rest is padding.
fn show(value: &Found) -> String {
    value.as_ref().map_or("nothing".to_owned(), |value| {
        format!("{} ({} bytes)", String::from_utf8_lossy(&value[..value.len().min(24)]), value.len())
    })
}

fn print(action: &Action) -> String {
    match action {
        Action::Put { value, new } => format!("put of {}, new: {new},", show(&Some(value.clone()))),
        other => format!("{other:?}"),
    }
}

#[test]
fn answers_leave_what_fits() {
    let mut ledger = Ledger::new(["k".to_owned()]);
    let put = |value: &str, new| Action::Put { value: value.into(), new };
    ledger.learn("k", &put("a", true), &OpResult::Unknown);
    ledger.learn("k", &put("b", false), &OpResult::Unknown);
    assert_eq!(ledger.0["k"].len(), 3);
    ledger.learn("k", &put("c", true), &OpResult::Refused);
    assert_eq!(ledger.0["k"].len(), 2);
    ledger.learn("k", &Action::Get, &OpResult::Found(Some("a".into())));
    assert_eq!(ledger.open(), 0);
    ledger.learn("k", &put("d", true), &OpResult::Unknown);
    ledger.learn("k", &put("d", false), &OpResult::Undone);
    assert_eq!(ledger.open(), 0, "the key was taken");
    ledger.learn("k", &Action::Delete, &OpResult::Unknown);
    ledger.listed(&[]);
    ledger.learn("k", &Action::Add, &OpResult::Unknown);
    ledger.learn("k", &Action::Add, &OpResult::Unknown);
    assert_eq!(ledger.0["k"].len(), 3);
    ledger.learn("k", &Action::Add, &OpResult::Sum(3));
    ledger.listed(&["k".to_owned()]);
    ledger.learn("k", &Action::Get, &OpResult::Found(Some("3".into())));
}

#[test]
fn what_cannot_be_is_found() {
    let wrong: [(Action, OpResult); 5] = [
        (Action::Get, OpResult::Found(None)),
        (Action::Get, OpResult::Found(Some("b".into()))),
        (Action::Put { value: "b".into(), new: true }, OpResult::Done),
        (Action::Delete, OpResult::Refused),
        (Action::Get, OpResult::Done),
    ];
    for (action, result) in wrong {
        let found = std::panic::catch_unwind(|| {
            let mut ledger = Ledger::new(["k".to_owned()]);
            ledger.learn("k", &Action::Put { value: "a".into(), new: false }, &OpResult::Done);
            ledger.learn("k", &action, &result);
        });
        assert!(found.is_err(), "{action:?} {result:?}");
    }
    let listed = |keys: &'static [&'static str]| {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let found = std::panic::catch_unwind(|| Ledger::new(["k".to_owned()]).listed(&keys));
        assert!(found.is_err(), "{keys:?}");
    };
    listed(&["k"]);
    listed(&["other"]);
}
