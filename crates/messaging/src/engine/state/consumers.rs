//! Creates, adopts and moves consumers, and rematches their pending messages to their topics.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::group::Group;
use super::super::log::{Change, ConsumerRecord, Progress};
use super::State;
use crate::{
    Adoption, ConsumerConfig, ConsumerInfo, ConsumerMove, Error, ErrorKind, Moved, Refusal, Result, Start, Subscription,
};

/// A refused subscription.
pub(in crate::engine) struct Refused {
    pub(in crate::engine) refusal: Refusal,
    /// Number of pending messages that it would have skipped.
    pub(in crate::engine) skipped: u64,
}

impl State {
    /// Creates the consumer of `subscription`, or adopts an existing one. Returns its id.
    pub(in crate::engine) fn subscribe(
        &mut self,
        subscription: &Subscription,
        journal: &mut Vec<Change>,
    ) -> std::result::Result<(u32, Option<Adoption>), Refused> {
        let found = self.find(&subscription.consumer).or_else(|| self.predecessor(subscription));
        let found = found.and_then(|id| Some((id, self.groups.get(&id)?.record.clone())));
        let Some((id, record)) = found else {
            let record = ConsumerRecord::new(&subscription.consumer, ConsumerConfig::new(subscription));
            return Ok((self.create(record, journal), None));
        };
        let kept = record.config();
        let now = kept.adopt(subscription).map_err(|refusal| {
            let skipped = self.skipped(id, &subscription.topics);
            Refused { refusal, skipped }
        })?;
        self.define(id, ConsumerRecord::new(&record.name, now.clone()), journal);
        Ok((id, Some(Adoption { name: record.name, kept, now, warnings: Vec::new() })))
    }

    fn find(&self, name: &str) -> Option<u32> {
        self.groups.iter().find(|(_, group)| group.record.name == name).map(|(id, _)| *id)
    }

    /// The consumer that the component of `subscription` used before its app had a name.
    fn predecessor(&self, subscription: &Subscription) -> Option<u32> {
        let id = self.find(subscription.predecessor()?)?;
        let group = self.groups.get(&id)?;
        group.record.config().is_predecessor(subscription).then_some(id)
    }

    /// Number of pending messages that the consumer would skip with these topics.
    fn skipped(&self, consumer: u32, topics: &[String]) -> u64 {
        let Some(group) = self.groups.get(&consumer) else { return 0 };
        let wanted = |topic: &str| topics.iter().any(|filter| crate::topic::matches(filter, topic));
        let skipped = |sequence: &u64| self.messages.get(sequence).is_some_and(|entry| !wanted(&entry.topic));
        count(group.sequences().filter(skipped))
    }

    fn create(&mut self, record: ConsumerRecord, journal: &mut Vec<Change>) -> u32 {
        let id = self.groups.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        self.groups.insert(id, Group::new(ConsumerRecord { topics: Vec::new(), ..record.clone() }));
        self.define(id, record, journal);
        id
    }

    /// Replaces the consumer's record.
    fn define(&mut self, id: u32, record: ConsumerRecord, journal: &mut Vec<Change>) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.record == record {
            return;
        }
        if group.record.ordered != record.ordered {
            let messages = &self.messages;
            group.reorder(record.ordered, |sequence| messages.get(&sequence)?.key.clone());
        }
        let other_topics = group.record.topics != record.topics;
        group.record = record.clone();
        journal.push(Change::Consumer { id, consumer: record });
        if other_topics {
            self.rematch(id, journal);
        }
    }

    /// Applies changed topics: adds stored messages that match now, removes pending ones that no longer do.
    fn rematch(&mut self, consumer: u32, journal: &mut Vec<Change>) {
        let Some(group) = self.groups.get_mut(&consumer) else { return };
        let mut unwanted = Vec::new();
        let mut messages: Vec<_> = self.messages.iter_mut().map(|(sequence, entry)| (*sequence, entry)).collect();
        messages.sort_unstable_by_key(|(sequence, _)| *sequence);
        for (sequence, entry) in messages {
            let done = self.done.get(&sequence);
            match (group.has(sequence), group.wants(&entry.topic)) {
                (false, true) if !done.is_some_and(|done| done.contains(&consumer)) => {
                    group.add(sequence, entry.key.as_ref(), 0, 0);
                    entry.wanted = entry.wanted.saturating_add(1);
                }
                (true, false) => {
                    group.remove(sequence);
                    entry.wanted = entry.wanted.saturating_sub(1);
                    if entry.wanted == 0 && done.is_some() {
                        unwanted.push(sequence);
                    } else {
                        journal.push(Change::Progress { sequence, consumer, progress: Progress::Fresh });
                    }
                }
                _ => {}
            }
        }
        unwanted.into_iter().for_each(|sequence| self.remove(sequence, journal));
    }

    /// Changes the topics, the position or the name of a consumer, unless it has members.
    pub(in crate::engine) fn move_consumer(
        &mut self,
        name: &str,
        change: &ConsumerMove,
        journal: &mut Vec<Change>,
    ) -> Result<Moved> {
        let id = self.find(name).ok_or_else(missing)?;
        let group = self.groups.get(&id).ok_or_else(missing)?;
        check_unused(group)?;
        let ConsumerMove { topics, start, name: other_name } = change;
        if other_name.as_ref().is_some_and(|other| self.find(other).is_some_and(|other| other != id)) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a consumer has the new name already"));
        }
        let before = group.record.clone();
        let waiting: HashSet<u64> = group.sequences().collect();
        let record = ConsumerRecord {
            name: other_name.clone().unwrap_or_else(|| before.name.clone()),
            topics: topics.clone().unwrap_or_else(|| before.topics.clone()),
            owner: None,
            ..before
        };
        self.define(id, record, journal);
        if let Some(start) = start {
            self.restart(id, *start, journal);
        }
        let group = self.groups.get(&id).ok_or_else(missing)?;
        let skipped = Some(count(waiting.into_iter().filter(|sequence| !group.has(*sequence))));
        Ok(Moved { before: before.topics, skipped, now: group.info() })
    }

    /// Removes a consumer, unless it has members.
    pub(in crate::engine) fn remove_consumer(&mut self, name: &str, journal: &mut Vec<Change>) -> Result<ConsumerInfo> {
        let id = self.find(name).ok_or_else(missing)?;
        let group = self.groups.get_mut(&id).ok_or_else(missing)?;
        check_unused(group)?;
        let info = group.info();
        group.record.topics = Vec::new();
        self.rematch(id, journal);
        // A later consumer may get the same id.
        for (sequence, done) in self.done.iter_mut().filter(|(_, done)| done.contains(&id)) {
            done.retain(|other| *other != id);
            journal.push(Change::Progress { sequence: *sequence, consumer: id, progress: Progress::Fresh });
        }
        self.done.retain(|_, done| !done.is_empty());
        self.groups.remove(&id);
        journal.push(Change::RemoveConsumer { id });
        Ok(info)
    }

    /// Acknowledges everything before `start`, and redelivers everything from there.
    fn restart(&mut self, consumer: u32, start: Start, journal: &mut Vec<Change>) {
        let first = match start {
            Start::All => 0,
            Start::New => self.sequence.saturating_add(1),
            Start::Sequence(sequence) => sequence,
        };
        let mut sequences: Vec<u64> = self.messages.keys().copied().collect();
        sequences.sort_unstable();
        for sequence in sequences {
            if sequence < first {
                self.finish(consumer, sequence, journal);
            } else {
                self.redo(consumer, sequence, journal);
            }
        }
    }

    /// Makes an acknowledged message that is still stored pending again.
    fn redo(&mut self, consumer: u32, sequence: u64, journal: &mut Vec<Change>) {
        let Some(group) = self.groups.get_mut(&consumer) else { return };
        let Some(entry) = self.messages.get_mut(&sequence).filter(|entry| group.wants(&entry.topic)) else { return };
        let Some(done) = self.done.get_mut(&sequence).filter(|done| done.contains(&consumer)) else { return };
        done.retain(|other| *other != consumer);
        if done.is_empty() {
            self.done.remove(&sequence);
        }
        group.add(sequence, entry.key.as_ref(), 0, 0);
        entry.wanted = entry.wanted.saturating_add(1);
        journal.push(Change::Progress { sequence, consumer, progress: Progress::Fresh });
    }
}

fn count(sequences: impl Iterator<Item = u64>) -> u64 {
    u64::try_from(sequences.count()).unwrap_or(u64::MAX)
}

/// Refuses to change a consumer that has members.
fn check_unused(group: &Group) -> Result<()> {
    if Arc::strong_count(&group.wake) > 1 {
        return Err(Error::new(ErrorKind::Unavailable, "a program fetches from the consumer; stop it first"));
    }
    Ok(())
}

fn missing() -> Error {
    Error::new(ErrorKind::InvalidArgument, "there is no consumer of that name")
}
