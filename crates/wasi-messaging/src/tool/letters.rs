//! `messages peek`, `replay` and `purge`: dead letters, one or many.

use std::io::Write;

use super::select::PersistentBroker;
use super::{json, text};
use crate::{DeadLetter, ErrorKind, Operator, Result};

/// Dead letters per page: each may be as large as a message.
const PAGE_LETTERS: usize = 16;

/// A selection of dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The one with this sequence.
    One(u64),
    /// The first `limit`, or all, after a sequence.
    Some {
        /// The sequence.
        after: Option<u64>,
        /// Maximum number.
        limit: Option<usize>,
    },
}

/// Shows dead letters.
pub(super) async fn peek(
    broker: &PersistentBroker,
    which: Which,
    as_json: bool,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let mut letters = Letters::new(broker, which);
    let mut shown: u64 = 0;
    while let Some(letter) = letters.next().await? {
        if as_json {
            writeln!(output, "{}", json::letter(&broker.name, &letter)?)?;
        } else {
            write!(output, "{}", text::letter(&letter))?;
        }
        shown = shown.saturating_add(1);
    }
    if let (0, Which::One(sequence)) = (shown, which) {
        return Err(broker.explain(&missing(sequence)));
    }
    if !as_json && shown == 0 {
        writeln!(output, "no dead letters")?;
    }
    Ok(())
}

/// Publishes dead letters again on their topics.
pub(super) async fn replay(
    broker: &PersistentBroker,
    which: Which,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    each(broker, which, Action::Replay, output).await
}

/// Removes dead letters.
pub(super) async fn purge(
    broker: &PersistentBroker,
    which: Which,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    each(broker, which, Action::Purge, output).await
}

/// An action on dead letters.
#[derive(Clone, Copy)]
enum Action {
    Replay,
    Purge,
}

impl Action {
    async fn on(self, operator: &dyn Operator, sequence: u64) -> Result<()> {
        match self {
            Self::Replay => operator.replay(sequence).await,
            Self::Purge => operator.purge(sequence).await,
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Purge => "purged",
        }
    }
}

async fn each(
    broker: &PersistentBroker,
    which: Which,
    action: Action,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let (operator, done) = (broker.operator()?, action.done());
    let mut count: u64 = 0;
    match which {
        Which::One(sequence) => {
            action.on(operator, sequence).await.map_err(|error| broker.explain(&error))?;
            count = 1;
        }
        Which::Some { after, .. } => {
            // A letter that fails again returns with a later sequence: process only as many as exist now.
            let most = operator.stream().await.map_err(|error| broker.explain(&error))?.dead_letters;
            let limit = Some(usize::try_from(most).unwrap_or(usize::MAX));
            let mut letters = Letters::new(broker, Which::Some { after, limit });
            while let Some(letter) = letters.next().await? {
                match action.on(operator, letter.sequence).await {
                    Ok(()) => count = count.saturating_add(1),
                    // Another operator was faster.
                    Err(error) if error.kind() == ErrorKind::InvalidArgument => {}
                    Err(error) => {
                        writeln!(output, "{done} {count}, then failed at {}", letter.sequence)?;
                        return Err(broker.explain(&error));
                    }
                }
            }
        }
    }
    writeln!(output, "{done} {count}")?;
    Ok(())
}

fn missing(sequence: u64) -> crate::Error {
    crate::Error::new(ErrorKind::InvalidArgument, format!("there is no dead letter {sequence}"))
}

/// Dead letters in order, one page at a time.
struct Letters<'k> {
    broker: &'k PersistentBroker,
    page: std::vec::IntoIter<DeadLetter>,
    after: Option<u64>,
    left: usize,
    /// The only requested one.
    only: Option<u64>,
}

impl<'k> Letters<'k> {
    fn new(broker: &'k PersistentBroker, which: Which) -> Self {
        let (after, left, only) = match which {
            Which::One(sequence) => (sequence.checked_sub(1), 1, Some(sequence)),
            Which::Some { after, limit } => (after, limit.unwrap_or(usize::MAX), None),
        };
        Self { broker, page: Vec::new().into_iter(), after, left, only }
    }

    async fn next(&mut self) -> anyhow::Result<Option<DeadLetter>> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.page.len() == 0 {
            let page = self.broker.operator()?.dead_letters(self.after, self.left.min(PAGE_LETTERS)).await;
            self.page = page.map_err(|error| self.broker.explain(&error))?.into_iter();
        }
        let Some(letter) = self.page.next() else { return Ok(None) };
        self.after = Some(letter.sequence);
        self.left = self.left.saturating_sub(1);
        Ok(Some(letter).filter(|letter| self.only.is_none_or(|only| only == letter.sequence)))
    }
}
