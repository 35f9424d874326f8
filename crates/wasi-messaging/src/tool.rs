//! `messages`: the command to inspect streams and consumers, and to manage consumers and dead letters.

mod app;
mod arguments;
mod json;
mod letters;
mod list;
mod moves;
mod select;
mod text;

use std::io::Write;
use std::marker::PhantomData;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tempo_backend::{BackendSchemes, DATA};
use tempo_messaging::MESSAGING;
use tempo_settings::{Error, ErrorKind, Flag, Settings};
use tempo_tool::Tool;
use tempo_tool::clap::{ArgMatches, Command};

use self::select::{Choice, PersistentBroker};
use crate::Broker;

/// The tool for the brokers `S` of `--messaging`: lists streams and consumers, moves or removes consumers, and
/// shows, replays or purges dead letters.
#[derive(Debug)]
pub struct Messages<S>(PhantomData<fn() -> S>);

impl<S: BackendSchemes<dyn Broker>> Tool for Messages<S> {
    fn command() -> Command {
        arguments::command()
    }

    fn flags() -> Vec<Flag> {
        [vec![MESSAGING, DATA], S::flags()].concat()
    }

    async fn run(matches: &ArgMatches, settings: &Settings, output: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        // Checked first: a mistake on the command line is reported before one in a setting.
        arguments::json(matches)?;
        run_on::<S>(matches, select::all(settings)?, output).await
    }

    async fn run_app(
        matches: &ArgMatches,
        components: &[(String, Settings)],
        output: &mut (dyn Write + Send),
    ) -> anyhow::Result<()> {
        arguments::json(matches)?;
        let brokers = app::brokers(components).await?;
        if brokers.is_empty() {
            let message = "no component of the app has a broker with messages yet; name one with --messaging";
            return Err(Error::new(ErrorKind::NotFound, message).into());
        }
        run_on::<S>(matches, brokers, output).await
    }
}

/// Runs the command on one or all of `choices`.
async fn run_on<S: BackendSchemes<dyn Broker>>(
    matches: &ArgMatches,
    choices: Vec<Choice<'_>>,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let json = arguments::json(matches)?;
    let (action, matches) = matches.subcommand().unwrap_or(("list", matches));
    let wanted = arguments::broker(matches);
    if action == "list" {
        return list::list::<S>(wanted, choices, json, output).await;
    }
    let broker = select::open::<S>(&select::one(wanted, &choices)?).await?;
    act(&broker, action, matches, json, output).await
}

/// Runs `action` on `broker`. Boxed, so that it is compiled in this crate, not in each program with its own brokers.
fn act<'a>(
    broker: &'a PersistentBroker,
    action: &'a str,
    matches: &'a ArgMatches,
    json: bool,
    output: &'a mut (dyn Write + Send),
) -> BoxFuture<'a, anyhow::Result<()>> {
    async move {
        match action {
            "peek" => letters::peek(broker, arguments::which(matches), json, output).await,
            "replay" => letters::replay(broker, arguments::which(matches), output).await,
            "purge" => letters::purge(broker, arguments::which(matches), output).await,
            "remove-consumer" => moves::remove(broker, arguments::consumer(matches), output).await,
            _ => {
                let (consumer, change) = arguments::consumer_move(matches);
                moves::run(broker, &consumer, &change, output).await
            }
        }
    }
    .boxed()
}

#[cfg(test)]
mod tests;
