//! The outcome of messages: those that the broker accepted, compared with those that handlers recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The prefix of ordered keys.
pub(crate) const ORDERED: &str = "ordered";

/// A message: its key, and its number within the key, from 1.
pub(crate) type Id = (String, u64);

/// The acknowledged messages with their stream sequences. A resent message has one sequence.
pub(crate) type Published = BTreeMap<Id, u64>;

/// A call of a handler, as the handler recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handled {
    pub(crate) attempt: u32,
    pub(crate) sequence: u64,
    /// The ID of the call.
    pub(crate) call: String,
}

/// The records of the handlers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    /// All calls per message, in the order of their records.
    pub(crate) calls: BTreeMap<Id, Vec<Handled>>,
    /// The message numbers of each ordered key, in the order of their first calls.
    pub(crate) order: BTreeMap<String, Vec<u64>>,
    /// The number of dead letters.
    pub(crate) dead: u64,
}

/// The comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) published: usize,
    /// Messages with at least one call.
    pub(crate) handled: usize,
    /// Calls with an attempt number above 1.
    pub(crate) redelivered: usize,
    /// Repeated calls with the attempt number 1.
    pub(crate) unmarked: usize,
    pub(crate) lost: Vec<Id>,
    /// Messages with several sequences in the stream, or another one than acknowledged.
    pub(crate) kept_twice: Vec<Id>,
    /// Messages without an acknowledgement to the publisher.
    pub(crate) unknown: Vec<Id>,
    /// Keys with a message that was handled before an earlier one.
    pub(crate) disordered: Vec<String>,
    pub(crate) dead: u64,
}

impl Outcome {
    /// Compares. Keys with the prefix [`ORDERED`] are ordered.
    pub(crate) fn of(published: &Published, effects: &Effects) -> Self {
        let calls = || effects.calls.values().flatten();
        let first = |calls: &Vec<Handled>| calls.iter().filter(|call| call.attempt == 1).count();
        let kept_twice = |id: &Id, calls: &Vec<Handled>| {
            let places: BTreeSet<u64> =
                calls.iter().map(|call| call.sequence).chain(published.get(id).copied()).collect();
            places.len() > 1
        };
        let ids = |keep: &dyn Fn(&Id, &Vec<Handled>) -> bool| -> Vec<Id> {
            effects.calls.iter().filter(|(id, calls)| keep(id, calls)).map(|(id, _)| id.clone()).collect()
        };
        let mut sent = BTreeMap::<&String, Vec<u64>>::new();
        for (key, number) in published.keys().filter(|(key, _)| key.starts_with(ORDERED)) {
            sent.entry(key).or_default().push(*number);
        }
        let wrong = sent.iter().filter(|(key, numbers)| effects.order.get(**key) != Some(numbers));
        Self {
            published: published.len(),
            handled: effects.calls.len(),
            redelivered: calls().filter(|call| call.attempt > 1).count(),
            unmarked: effects.calls.values().map(|calls| first(calls).saturating_sub(1)).sum(),
            lost: published.keys().filter(|id| !effects.calls.contains_key(*id)).cloned().collect(),
            kept_twice: ids(&kept_twice),
            unknown: ids(&|id, _| !published.contains_key(id)),
            disordered: wrong.map(|(key, _)| (*key).clone()).collect(),
            dead: effects.dead,
        }
    }

    /// Asserts that no message is lost, stored twice, out of order or a dead letter.
    #[track_caller]
    pub(crate) fn is_sound(&self) {
        let found = (&self.lost, &self.kept_twice, &self.unknown, &self.disordered, self.dead);
        assert_eq!(found, (&vec![], &vec![], &vec![], &vec![], 0), "lost, twice, unknown, disordered, dead");
        assert_eq!(self.published, self.handled);
    }

    /// As [`is_sound`](Self::is_sound), and asserts that each repeated call had an attempt number above 1.
    #[track_caller]
    pub(crate) fn is_exact(&self) {
        self.is_sound();
        assert_eq!(self.unmarked, 0, "calls that were said to be the first, and were not");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { published, handled, redelivered, unmarked, lost, dead, .. } = self;
        let lost = lost.len();
        write!(f, "published {published}, handled {handled}, redelivered {redelivered} (and {unmarked} unmarked), ")?;
        write!(f, "lost {lost}, dead letters {dead}")
    }
}

/// Three messages of a key, each handled once, in order.
#[cfg(test)]
fn all_is_well() -> (Published, Effects) {
    let id = |number| ("ordered-a".to_owned(), number);
    let call = |number: u64| Handled { attempt: 1, sequence: number + 10, call: number.to_string() };
    let published = (1..=3).map(|number| (id(number), number + 10)).collect();
    let calls = (1..=3).map(|number| (id(number), vec![call(number)])).collect();
    (published, Effects { calls, order: BTreeMap::from([("ordered-a".to_owned(), vec![1, 2, 3])]), dead: 0 })
}

#[test]
fn redeliveries_are_counted_and_are_no_fault() {
    let (published, mut effects) = all_is_well();
    let first = effects.calls.values_mut().next().unwrap();
    first.push(Handled { attempt: 2, ..first[0].clone() });
    let outcome = Outcome::of(&published, &effects);
    outcome.is_exact();
    assert_eq!((outcome.published, outcome.handled, outcome.redelivered), (3, 3, 1));
}

#[test]
fn each_fault_is_found() {
    type Fault = fn(&mut Published, &mut Effects);
    let faults: [(&str, Fault); 7] = [
        ("lost", |_, effects| drop(effects.calls.pop_last())),
        ("not accepted", |published, _| drop(published.pop_last())),
        ("out of order", |_, effects| effects.order.get_mut("ordered-a").unwrap().swap(0, 1)),
        ("the last not in the order", |_, effects| effects.order.get_mut("ordered-a").unwrap().truncate(2)),
        ("kept twice", |_, effects| {
            let calls = effects.calls.values_mut().next().unwrap();
            calls.push(Handled { sequence: 99, attempt: 2, ..calls[0].clone() });
        }),
        ("unmarked", |_, effects| {
            let calls = effects.calls.values_mut().next().unwrap();
            calls.push(Handled { call: "another".to_owned(), ..calls[0].clone() });
        }),
        ("dead", |_, effects| effects.dead = 1),
    ];
    for (what, fault) in faults {
        let (mut published, mut effects) = all_is_well();
        fault(&mut published, &mut effects);
        let outcome = Outcome::of(&published, &effects);
        assert!(std::panic::catch_unwind(|| outcome.is_exact()).is_err(), "{what}: {outcome:?}");
    }
}
