//! The command line of `messages`.

use tempo_messaging::Start;
use tempo_settings::{Error, ErrorKind};
use tempo_tool::clap::builder::ArgPredicate;
use tempo_tool::clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};

use super::letters::Which;
use crate::{ConsumerMove, consumer, topic};

/// Returns the command. `list` is the default subcommand, so its arguments are also those of `messages`.
pub(super) fn command() -> Command {
    let broker = option("broker", "NAME").help("Which broker, if --messaging names several").global(true);
    let list = Command::new("list").about("Show streams with their consumers: pending, in flight, dead letters");
    Command::new("messages")
        .about("Show streams and consumers of messages, and manage consumers and dead letters")
        .after_help("Without a command: list")
        .arg(broker)
        .arg(json_switch())
        .subcommand(list.arg(json_switch()))
        .subcommand(peek())
        .subcommand(letters("replay", "Publish dead letters again on their own topics"))
        .subcommand(letters("purge", "Remove dead letters permanently"))
        .subcommand(moves())
        .subcommand(
            Command::new("remove-consumer")
                .about("Remove a consumer that no component subscribes to any more")
                .arg(consumer_argument()),
        )
}

fn peek() -> Command {
    dead_letters("peek", "Show dead letters, without a change to them")
        .arg(option("after", "SEQUENCE").value_parser(value_parser!(u64)).help("Begin after this one"))
        .arg(
            option("limit", "N")
                .value_parser(limit)
                .default_value("10")
                .default_value_if("all", ArgPredicate::IsPresent, None)
                .help("Maximum number to show"),
        )
        .arg(json_switch())
        .group(ArgGroup::new("several").args(["after", "limit"]).multiple(true).conflicts_with("sequence"))
        .mut_arg("all", |all| all.conflicts_with("limit"))
}

/// Returns a subcommand that changes dead letters, which must be selected.
fn letters(name: &'static str, about: &'static str) -> Command {
    dead_letters(name, about).group(ArgGroup::new("which").args(["sequence", "all"]).required(true))
}

fn dead_letters(name: &'static str, about: &'static str) -> Command {
    let all = switch("all").help("All current dead letters").conflicts_with("sequence");
    Command::new(name)
        .about(about)
        .arg(switch("dead-letter").required(true).help("Select dead letters; no other messages can be selected"))
        .arg(Arg::new("sequence").value_name("SEQUENCE").value_parser(value_parser!(u64)).help("One dead letter"))
        .arg(all)
}

fn moves() -> Command {
    Command::new("move")
        .about("Change the topics, the position or the name of a consumer, for the component that subscribes next")
        .arg(consumer_argument())
        .arg(
            option("topics", "TOPIC[,TOPIC]...")
                .value_delimiter(',')
                .value_parser(|text: &str| topic::check_filter(text).map(|()| text.to_owned()))
                .help("Its new topics"),
        )
        .arg(
            option("start", "all|new|SEQUENCE")
                .value_parser(start)
                .help("The stored message to continue at, even if it was handled before"),
        )
        .arg(option("to", "NAME").value_parser(consumer_name).help("Its new name"))
}

fn consumer_argument() -> Arg {
    Arg::new("consumer").value_name("CONSUMER").required(true).help("Which consumer")
}

fn json_switch() -> Arg {
    switch("json").help("Print JSON, one object per line")
}

fn switch(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn option(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).allow_hyphen_values(true)
}

fn limit(text: &str) -> Result<usize, String> {
    let problem = || "expected a whole number, at least 1".to_owned();
    text.parse().ok().filter(|limit| *limit > 0).ok_or_else(problem)
}

fn start(text: &str) -> Result<Start, String> {
    match text {
        "all" => Ok(Start::All),
        "new" => Ok(Start::New),
        _ => text.parse().map(Start::Sequence).map_err(|_| "expected all, new or a whole number".to_owned()),
    }
}

fn consumer_name(text: &str) -> Result<String, String> {
    let problem = || "expected 1 to 64 letters, digits, `-` and `_`".to_owned();
    consumer::is_name(text).then(|| text.to_owned()).ok_or_else(problem)
}

/// Returns whether `--json` was given, before or after the subcommand.
///
/// # Errors
///
/// The subcommand prints no JSON.
pub(super) fn json(matches: &ArgMatches) -> Result<bool, Error> {
    let before = matches.get_flag("json");
    let Some((name, matches)) = matches.subcommand() else { return Ok(before) };
    match matches.try_get_one::<bool>("json") {
        Ok(after) => Ok(before || after == Some(&true)),
        Err(_) if before => {
            Err(Error::new(ErrorKind::Usage, format!("--json is not an argument of {name}; see --help")))
        }
        Err(_) => Ok(false),
    }
}

/// Returns the name of the selected broker.
pub(super) fn broker(matches: &ArgMatches) -> Option<&str> {
    matches.get_one::<String>("broker").map(String::as_str)
}

/// Returns the selected dead letters.
pub(super) fn which(matches: &ArgMatches) -> Which {
    // Only `peek` has these two.
    let after = matches.try_get_one("after").ok().flatten().copied();
    let limit = matches.try_get_one("limit").ok().flatten().copied();
    match matches.get_one("sequence") {
        Some(sequence) => Which::One(*sequence),
        None => Which::Some { after, limit },
    }
}

/// Returns the selected consumer.
pub(super) fn consumer(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("consumer").map_or("", String::as_str)
}

/// Returns the consumer to move, and its changes.
pub(super) fn consumer_move(matches: &ArgMatches) -> (String, ConsumerMove) {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let topics = matches.get_many("topics").map(|topics| topics.cloned().collect());
    let change =
        ConsumerMove::default().with_topics(topics).with_start(matches.get_one("start").copied()).with_name(text("to"));
    (consumer(matches).to_owned(), change)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<ArgMatches, String> {
        let words = ["messages", "move"].iter().chain(words);
        let matches = command().try_get_matches_from(words).map_err(|error| error.to_string())?;
        Ok(matches.subcommand().unwrap().1.clone())
    }

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn a_move_is_parsed() {
        let read = |words: &[&str]| parse(words).map(|matches| consumer_move(&matches));
        assert_eq!(read(&["app"]), Ok(("app".to_owned(), ConsumerMove::default())));
        let topics = Some(vec!["a.>".to_owned(), "b".to_owned()]);
        let all =
            ConsumerMove::default().with_topics(topics).with_start(Start::Sequence(7)).with_name("own".to_owned());
        let words = ["app", "--topics", "a.>,b", "--start", "7", "--to", "own"];
        assert_eq!(read(&words), Ok(("app".to_owned(), all)));
        for (text, start) in [("all", Start::All), ("new", Start::New), ("0", Start::Sequence(0))] {
            assert_eq!(read(&["app", "--start", text]).unwrap().1.start, Some(start));
        }
        for (option, value, problem) in [
            ("--topics", "", "it must have 1 to 255 bytes"),
            ("--topics", "a,b..c", "a word between dots is empty"),
            ("--start", "-1", "expected all, new or a whole number"),
            ("--to", "a.b", "expected 1 to 64 letters, digits, `-` and `_`"),
        ] {
            let error = read(&["app", option, value]).unwrap_err();
            assert!(error.contains(option) && error.contains(problem), "{error}");
        }
        assert!(read(&[]).unwrap_err().contains("<CONSUMER>"));
    }
}
