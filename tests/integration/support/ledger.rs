//! What a client knows of the keys that it alone writes, when answers may be lost in crashes: for each key all that may be
//! there. An answer leaves what fits it, and if nothing does, the store is wrong.

use std::collections::{BTreeMap, BTreeSet};

/// What may be under a key.
pub(crate) type Found = Option<Vec<u8>>;

/// What is asked of a key.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Get,
    Put {
        value: Vec<u8>,
        /// Only where nothing is.
        new: bool,
    },
    Delete,
    /// Adds one to a number.
    Add,
}

/// What the store told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Found(Found),
    /// It was written, or deleted.
    Done,
    /// The number that is now there.
    Sum(u64),
    /// The condition did not hold.
    Refused,
    /// It was not done, and will not be.
    Undone,
    /// No answer came, or one that leaves open whether it was done.
    Unknown,
}

/// All that may be there, by key.
#[derive(Debug)]
pub(crate) struct Ledger(BTreeMap<String, BTreeSet<Found>>);

impl Ledger {
    /// There is nothing under any of the keys.
    pub(crate) fn new(keys: impl IntoIterator<Item = String>) -> Self {
        Self(keys.into_iter().map(|key| (key, BTreeSet::from([None]))).collect())
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// How many keys may be in more than one state.
    pub(crate) fn open(&self) -> usize {
        self.0.values().filter(|possible| possible.len() > 1).count()
    }

    /// Takes note of an answer.
    #[track_caller]
    pub(crate) fn learn(&mut self, key: &str, action: &Action, told: &Told) {
        let possible = self.0.get_mut(key).unwrap();
        let before = possible.clone();
        match (action, told) {
            (_, Told::Undone) | (Action::Get, Told::Unknown) => {}
            (Action::Get, Told::Found(found)) => possible.retain(|value| value == found),
            (Action::Put { value, new }, Told::Done) => {
                possible.retain(|value| !new || value.is_none());
                *possible = possible.iter().map(|_| Some(value.clone())).collect();
            }
            (Action::Put { new: true, .. }, Told::Refused) => possible.retain(Option::is_some),
            // What may be written may be there, unless the key was surely taken.
            (Action::Put { value, new }, Told::Unknown) if !new || before.contains(&None) => {
                possible.insert(Some(value.clone()));
            }
            (Action::Put { .. }, Told::Unknown) => {}
            (Action::Delete, Told::Done) => *possible = BTreeSet::from([None]),
            (Action::Delete, Told::Unknown) => drop(possible.insert(None)),
            (Action::Add, Told::Sum(sum)) => {
                possible.retain(|value| number(value) + 1 == *sum);
                *possible = possible.iter().map(|_| Some(sum.to_string().into_bytes())).collect();
            }
            (Action::Add, Told::Unknown) => {
                possible.extend(before.iter().map(|value| Some((number(value) + 1).to_string().into_bytes())));
            }
            _ => panic!("{key}: {} was answered with {told:?}", print(action)),
        }
        let before: Vec<String> = before.iter().map(show).collect();
        assert!(!possible.is_empty(), "{key}: {} told {told:?}, but there may be {before:?}", print(action));
    }

    /// Takes note of a list of all keys.
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

/// The beginning of a value tells who wrote it when; what follows only makes it long.
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
    ledger.learn("k", &put("a", true), &Told::Unknown);
    ledger.learn("k", &put("b", false), &Told::Unknown);
    assert_eq!(ledger.0["k"].len(), 3);
    ledger.learn("k", &put("c", true), &Told::Refused);
    assert_eq!(ledger.0["k"].len(), 2);
    ledger.learn("k", &Action::Get, &Told::Found(Some("a".into())));
    assert_eq!(ledger.open(), 0);
    ledger.learn("k", &put("d", true), &Told::Unknown);
    ledger.learn("k", &put("d", false), &Told::Undone);
    assert_eq!(ledger.open(), 0, "the key was taken");
    ledger.learn("k", &Action::Delete, &Told::Unknown);
    ledger.listed(&[]);
    ledger.learn("k", &Action::Add, &Told::Unknown);
    ledger.learn("k", &Action::Add, &Told::Unknown);
    assert_eq!(ledger.0["k"].len(), 3);
    ledger.learn("k", &Action::Add, &Told::Sum(3));
    ledger.listed(&["k".to_owned()]);
    ledger.learn("k", &Action::Get, &Told::Found(Some("3".into())));
}

#[test]
fn what_cannot_be_is_found() {
    let wrong: [(Action, Told); 5] = [
        (Action::Get, Told::Found(None)),
        (Action::Get, Told::Found(Some("b".into()))),
        (Action::Put { value: "b".into(), new: true }, Told::Done),
        (Action::Delete, Told::Refused),
        (Action::Get, Told::Done),
    ];
    for (action, told) in wrong {
        let found = std::panic::catch_unwind(|| {
            let mut ledger = Ledger::new(["k".to_owned()]);
            ledger.learn("k", &Action::Put { value: "a".into(), new: false }, &Told::Done);
            ledger.learn("k", &action, &told);
        });
        assert!(found.is_err(), "{action:?} {told:?}");
    }
    let listed = |keys: &'static [&'static str]| {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let found = std::panic::catch_unwind(|| Ledger::new(["k".to_owned()]).listed(&keys));
        assert!(found.is_err(), "{keys:?}");
    };
    listed(&["k"]);
    listed(&["other"]);
}
