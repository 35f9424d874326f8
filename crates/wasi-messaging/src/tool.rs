//! `messages`: the command to inspect streams and consumers, and to manage dead letters.

mod json;
mod letters;
mod list;
mod moves;
mod select;
mod text;

use std::io::Write;
use std::marker::PhantomData;

use tempo_backend::{BackendSchemes, DATA};
use tempo_core::{Argument, Tool, ToolAction, ToolInvocation};
use tempo_messaging::MESSAGING;
use tempo_settings::{Error, ErrorKind, Flag, Settings};

use self::letters::Which;
use crate::Broker;

const BROKER: Argument = Argument::option("broker", "NAME", "Which broker, if --messaging names several");
const JSON: Argument = Argument::switch("json", "Print JSON, one object a line");
const DEAD_LETTER: Argument = Argument::switch("dead-letter", "Of the dead letters: there is no other choice yet");
const SEQUENCE: Argument = Argument::operand("SEQUENCE", "One dead letter, by its place among them");
const ALL: Argument = Argument::switch("all", "Every dead letter that is there now");
const AFTER: Argument = Argument::option("after", "SEQUENCE", "Begin after this one");
const LIMIT: Argument = Argument::option("limit", "N", "How many to show [default: 10]");

const CONSUMER: Argument = Argument::operand("CONSUMER", "Which consumer");
const TOPICS: Argument = Argument::option("topics", "TOPIC[,TOPIC]...", "The topics that it has from now on");
const START: Argument =
    Argument::option("start", "all|new|SEQUENCE", "The stored message to continue at, even if handled before");
const TO: Argument = Argument::option("to", "NAME", "The name that it has from now on");

/// Default number of dead letters shown.
const DEFAULT_LIMIT: usize = 10;

/// The tool for the brokers `S` of `--messaging`: lists streams and consumers, and shows, replays or purges dead
/// letters.
pub struct Messages<S>(PhantomData<fn() -> S>);

impl<S: BackendSchemes<dyn Broker>> Tool for Messages<S> {
    const NAME: &'static str = "messages";
    const ABOUT: &'static str = "Show streams and consumers of messages, and look after dead letters";
    const ACTIONS: &'static [ToolAction] = &[
        ToolAction {
            name: "list",
            about: "Show streams with their consumers: pending, in flight, dead letters",
            arguments: &[BROKER, JSON],
        },
        ToolAction {
            name: "peek",
            about: "Show dead letters, and leave them where they are",
            arguments: &[DEAD_LETTER, SEQUENCE, ALL, AFTER, LIMIT, BROKER, JSON],
        },
        ToolAction {
            name: "replay",
            about: "Publish dead letters once more on their own topics",
            arguments: &[DEAD_LETTER, SEQUENCE, ALL, BROKER],
        },
        ToolAction {
            name: "purge",
            about: "Remove dead letters for ever",
            arguments: &[DEAD_LETTER, SEQUENCE, ALL, BROKER],
        },
        ToolAction {
            name: "move",
            about: "Give a consumer other topics, another position or name, and to whichever component joins it next",
            arguments: &[CONSUMER, TOPICS, START, TO, BROKER],
        },
    ];

    fn flags() -> Vec<Flag> {
        [vec![MESSAGING, DATA], S::flags()].concat()
    }

    async fn run(
        invocation: &ToolInvocation,
        settings: &Settings,
        output: &mut (dyn Write + Send),
    ) -> anyhow::Result<()> {
        let json = invocation.has(&JSON);
        if invocation.action() == "list" {
            return list::list::<S>(invocation.get::<String>(&BROKER)?, settings, json, output).await;
        }
        let open = async || {
            let chosen = select::one(invocation.get::<String>(&BROKER)?.as_deref(), settings)?;
            select::open::<S>(&chosen, settings).await
        };
        if invocation.action() == "move" {
            let (consumer, change) = moves::read(invocation)?;
            return moves::run(&open().await?, &consumer, &change, output).await;
        }
        let which = which(invocation)?;
        let broker = open().await?;
        match invocation.action() {
            "peek" => letters::peek(&broker, which, json, output).await,
            "replay" => letters::replay(&broker, which, output).await,
            _ => letters::purge(&broker, which, output).await,
        }
    }
}

/// Selects dead letters.
fn which(invocation: &ToolInvocation) -> Result<Which, Error> {
    let action = invocation.action();
    let usage = |message: String| Err(Error::new(ErrorKind::Usage, message));
    if !invocation.has(&DEAD_LETTER) {
        return usage(format!("{action}: say --dead-letter: only dead letters can be shown, replayed or purged"));
    }
    let (one, after, limit) =
        (invocation.get::<u64>(&SEQUENCE)?, invocation.get::<u64>(&AFTER)?, invocation.get::<usize>(&LIMIT)?);
    match (one, invocation.has(&ALL)) {
        (Some(_), true) => usage(format!("{action}: either SEQUENCE or --all")),
        (Some(_), false) if after.is_some() || limit.is_some() => {
            usage(format!("{action}: --after and --limit do not go with a SEQUENCE"))
        }
        (Some(sequence), false) => Ok(Which::One(sequence)),
        (None, true) if limit.is_some() => usage(format!("{action}: either --all or --limit")),
        (None, true) => Ok(Which::Some { after, limit: None }),
        (None, false) if action == "peek" => Ok(Which::Some { after, limit: Some(limit.unwrap_or(DEFAULT_LIMIT)) }),
        (None, false) => usage(format!("{action}: which dead letters? Give a SEQUENCE, or --all")),
    }
}

#[cfg(test)]
mod tests;
