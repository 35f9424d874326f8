//! Tests the tool on brokers in memory and in files, and on a faulty one.

mod graveyard;

use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};
use tempo_settings::{Error, ErrorKind, Value, ValueSource};
use tempo_tool::clap;

use self::graveyard::{Grave, Graveyard, dig};
use super::*;
use crate::testing::message;
use crate::{ConsumerInfo, DeadLetter, Owner};

fn letter(sequence: u64, payload: &'static str) -> DeadLetter {
    DeadLetter::new(sequence, message("orders.created", payload), "the handler trapped", "worker")
        .with_attempts(5)
        .with_timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400))
}

type Tested = Messages<(Grave, crate::Memory, crate::File)>;

fn settings(urls: &[&str]) -> Settings {
    let mut settings = Settings::default();
    let value = |url: &&str| Value { text: (*url).to_owned(), source: ValueSource::CommandLine };
    settings.set(&MESSAGING, urls.iter().map(value).collect());
    settings
}

fn matches(words: &[&str]) -> anyhow::Result<ArgMatches> {
    let usage = |error: clap::Error| Error::new(ErrorKind::Usage, error.to_string().replace('\n', " "));
    Ok(Tested::command().try_get_matches_from(["messages"].iter().chain(words)).map_err(usage)?)
}

async fn run(urls: &[&str], words: &[&str]) -> anyhow::Result<String> {
    let mut output = Vec::new();
    Tested::run(&matches(words)?, &settings(urls), &mut output).await?;
    Ok(String::from_utf8(output).unwrap())
}

/// The exit code and the message of an error.
async fn fails(urls: &[&str], words: &[&str]) -> (u8, String) {
    let error = run(urls, words).await.unwrap_err();
    let code = error.downcast_ref::<Error>().map_or(70, |error| error.kind().exit_code());
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    (code, text)
}

#[tokio::test]
async fn streams_and_consumers_are_listed() {
    let mut yard = Graveyard::new(vec![letter(1, "a"), letter(2, "b")]);
    yard.consumers = vec![
        ConsumerInfo::new("worker\x1b[2J", vec!["a.>".into(), "b\x1b[2J".into()])
            .with_owner(Owner::new(None, "worker"))
            .with_pending(3)
            .with_in_flight(12)
            .with_redelivered(1),
    ];
    let url = dig(&yard);
    let text = run(&[&url], &["list"]).await.unwrap();
    assert_eq!(
        text,
        "default: stream YARD, 1 message, 2 dead letters\n  \
         consumer            pending   in flight  redelivered  topics\n  \
         worker\\u{1b}[2J           3          12            1  a.>, b\\u{1b}[2J\n"
    );
    let empty = dig(&Graveyard::new(Vec::new()));
    let named = [format!("b={url}"), format!("a={empty}"), "c=hollow:".to_owned(), "d=memory:".to_owned()];
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let text = run(&named, &["list"]).await.unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("  ")).collect();
    assert_eq!(
        lines,
        [
            "a: stream YARD, 1 message, 0 dead letters",
            "b: stream YARD, 1 message, 2 dead letters",
            "c: keeps nothing that could be shown",
            "d: keeps nothing that could be shown"
        ]
    );
    let json = run(&named, &["list", "--json"]).await.unwrap();
    let json: Vec<Json> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((json.len(), &json[1]["broker"], &json[1]["dead_letters"]), (4, &"b".into(), &2.into()));
    let topics = json!(["a.>", "b\x1b[2J"]);
    assert_eq!((&json[1]["consumers"][0]["in_flight"], &json[1]["consumers"][0]["topics"]), (&12.into(), &topics));
    assert_eq!(json[1]["consumers"][0]["name"], "worker\x1b[2J");
    assert_eq!((&json[2]["stream"], &json[3]["stream"]), (&Json::Null, &Json::Null));
    for words in [&["list", "--json"][..], &["--json"], &["--json", "list"]] {
        assert_eq!(run(&named, words).await.unwrap().lines().count(), 4, "{words:?}");
    }
    let one = run(&named, &["list", "--broker", "a"]).await.unwrap();
    assert_eq!(run(&named, &["--broker", "a"]).await.unwrap(), one);
    assert_eq!(one, "a: stream YARD, 1 message, 0 dead letters\n  no consumers\n");
}

#[tokio::test]
async fn a_dead_letter_is_shown_with_all_that_is_known() {
    let mut full = letter(7, "{\"id\": 1}\n");
    full.message.key = Some("ann\x1b]0;".into());
    full.message.content_type = Some("application/json".into());
    full.message.reply_to = Some("_INBOX.1".into());
    full.message.headers = vec![("traceparent".into(), "00-\u{9b}1-2-01".into())];
    let binary = letter(8, "").with_message(full.message.clone().with_payload(vec![0x1b, 0xff]));
    let url = dig(&Graveyard::new(vec![full, binary]));
    let text = run(&[&url], &["peek", "--dead-letter", "7"]).await.unwrap();
    assert_eq!(
        text,
        "dead letter 7\n  topic         orders.created\n  given up      1970-01-02T00:00:00Z by worker after 5 attempts\n  \
         reason        the handler trapped\n  key           ann\\u{1b}]0;\n  content type  application/json\n  \
         reply to      _INBOX.1\n  header        traceparent: 00-\\u{9b}1-2-01\n  payload       10 bytes\n    {\"id\": 1}\n"
    );
    let text = run(&[&url], &["peek", "--dead-letter", "8"]).await.unwrap();
    assert!(text.ends_with("  payload       2 bytes, base64\n    G/8=\n"), "{text}");
    let json = run(&[&url], &["peek", "--dead-letter", "--json"]).await.unwrap();
    assert!(
        !json.contains(|character: char| character != '\n' && tempo_messaging::printable::is_active(character)),
        "{json:?}"
    );
    let json: Vec<Json> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json[0]["payload"], "{\"id\": 1}\n");
    assert_eq!(json[0]["headers"][0][1], "00-\u{9b}1-2-01");
    assert_eq!(json[0]["timestamp"], "1970-01-02T00:00:00Z");
    assert_eq!((&json[1]["payload"], &json[1]["payload_base64"]), (&Json::Null, &Json::from("G/8=")));
    assert_eq!((&json[1]["sequence"], &json[1]["size"]), (&Json::from(8), &Json::from(2)));
}

#[tokio::test]
async fn a_large_payload_is_cut_for_people() {
    for (size, cut) in [(1023, false), (1024, false), (1025, true)] {
        for byte in [b'x', 0xff] {
            let message = message("a", "").with_payload(vec![byte; size]);
            let url = dig(&Graveyard::new(vec![letter(1, "").with_message(message)]));
            let text = run(&[&url], &["peek", "--dead-letter"]).await.unwrap();
            assert_eq!(text.contains("; the first 1024, all of it with --json\n"), cut, "{size} {text}");
            let shown = text.lines().last().unwrap().trim().len();
            assert_eq!(shown, if byte == b'x' { size.min(1024) } else { size.min(1024).div_ceil(3) * 4 });
        }
    }
    // Not within a character.
    let message = message("a", "").with_payload(format!("x{}", "ä".repeat(1000)));
    let url = dig(&Graveyard::new(vec![letter(1, "").with_message(message)]));
    let text = run(&[&url], &["peek", "--dead-letter"]).await.unwrap();
    assert_eq!(text.lines().last().unwrap().trim().len(), 1023);
}

/// The sequences that `peek` shows.
async fn shown(url: &str, words: &[&str]) -> Vec<u64> {
    let json = run(&[url], &[&["peek", "--dead-letter", "--json"], words].concat()).await.unwrap();
    let sequence = |line: &str| serde_json::from_str::<Json>(line).unwrap()["sequence"].as_u64().unwrap();
    json.lines().map(sequence).collect()
}

#[tokio::test]
async fn a_few_or_all_are_shown_and_stay() {
    let url = dig(&Graveyard::new((1..=40).map(|place| letter(place * 2, "x")).collect()));
    let even = |range: std::ops::RangeInclusive<u64>| range.map(|place| place * 2).collect::<Vec<_>>();
    for _ in 0..2 {
        assert_eq!(shown(&url, &[]).await, even(1..=10));
        assert_eq!(shown(&url, &["--limit", "17"]).await, even(1..=17));
        assert_eq!(shown(&url, &["--after", "20"]).await, even(11..=20));
        assert_eq!(shown(&url, &["--all"]).await, even(1..=40));
        assert_eq!(shown(&url, &["--all", "--after", "77"]).await, even(39..=40));
        assert_eq!(shown(&url, &["80"]).await, [80]);
    }
    for missing in ["0", "3", "81"] {
        let (code, text) = fails(&[&url], &["peek", "--dead-letter", missing]).await;
        assert_eq!((code, text), (66, format!("{url}: there is no dead letter {missing}")));
    }
    let empty = dig(&Graveyard::new(Vec::new()));
    assert_eq!(run(&[&empty], &["peek", "--dead-letter"]).await.unwrap(), "no dead letters\n");
    assert_eq!(run(&[&empty], &["peek", "--dead-letter", "--json"]).await.unwrap(), "");
}

#[tokio::test]
async fn one_is_replayed_or_purged() {
    let yard = Graveyard::new((1..=3).map(|place| letter(place, "x")).collect());
    let url = dig(&yard);
    assert_eq!(run(&[&url], &["replay", "--dead-letter", "2"]).await.unwrap(), "replayed 1\n");
    assert_eq!(*yard.replayed.lock().await, [2]);
    assert_eq!(run(&[&url], &["purge", "--dead-letter", "3"]).await.unwrap(), "purged 1\n");
    assert_eq!(shown(&url, &[]).await, [1]);
    for action in ["replay", "purge"] {
        let (code, text) = fails(&[&url], &[action, "--dead-letter", "2"]).await;
        assert_eq!((code, text), (66, format!("{url}: there is no dead letter 2")));
    }
    assert_eq!(*yard.replayed.lock().await, [2]);
}

#[tokio::test]
async fn all_are_those_that_are_there_now() {
    let mut yard = Graveyard::new((1..=40).map(|place| letter(place, "x")).collect());
    yard.cursed = true;
    let url = dig(&yard);
    assert_eq!(run(&[&url], &["replay", "--dead-letter", "--all"]).await.unwrap(), "replayed 40\n");
    assert_eq!(*yard.replayed.lock().await, (1..=40).collect::<Vec<_>>());
    assert_eq!(run(&[&url], &["purge", "--dead-letter", "--all"]).await.unwrap(), "purged 40\n");
    assert_eq!(run(&[&url], &["purge", "--dead-letter", "--all"]).await.unwrap(), "purged 0\n");
}

#[tokio::test]
async fn a_failure_says_how_far_it_went() {
    let mut yard = Graveyard::new((1..=5).map(|place| letter(place, "x")).collect());
    yard.stuck = Some(3);
    let url = dig(&yard);
    let mut output = Vec::new();
    let error = Tested::run(&matches(&["purge", "--dead-letter", "--all"]).unwrap(), &settings(&[&url]), &mut output)
        .await
        .unwrap_err();
    assert_eq!(String::from_utf8(output).unwrap(), "purged 2, then failed at 3\n");
    let expected = Error::new(ErrorKind::Unavailable, format!("{url}: the broker is unreachable"));
    assert_eq!(error.downcast_ref::<Error>(), Some(&expected));
    assert_eq!(yard.letters.lock().await.len(), 3);
}

#[tokio::test]
async fn what_is_missing_or_too_much_is_said() {
    let url = dig(&Graveyard::new(vec![letter(1, "x")]));
    let letters = |words: &[&'static str]| [&[words[0], "--dead-letter"], &words[1..]].concat();
    for (words, expected) in [
        (vec!["purge", "--all"], "error: the following required arguments were not provided:   --dead-letter"),
        (letters(&["purge"]), "error: the following required arguments were not provided:   <SEQUENCE|--all>"),
        (letters(&["replay"]), "error: the following required arguments were not provided:   <SEQUENCE|--all>"),
        (letters(&["purge", "--all", "1"]), "error: the argument '--all' cannot be used with '[SEQUENCE]'"),
        (letters(&["peek", "--limit", "1", "1"]), "error: the argument '--limit <N>' cannot be used with '[SEQUENCE]'"),
        (letters(&["peek", "--limit", "1", "--all"]), "error: the argument '--limit <N>' cannot be used with '--all'"),
        (letters(&["peek", "--limit", "many"]), "error: invalid value 'many' for '--limit <N>'"),
        (letters(&["peek", "--limit", "0"]), "error: invalid value '0' for '--limit <N>': expected a whole number"),
        (letters(&["peek", "first"]), "error: invalid value 'first' for '[SEQUENCE]'"),
        (letters(&["purge", "--after", "1", "--all"]), "error: unexpected argument '--after' found"),
        ([&["--json"], &letters(&["purge", "--all"])[..]].concat(), "--json is not an argument of purge; see --help"),
        (letters(&["purge", "--all", "--broker", "x"]), "--broker: no broker has that name; there are: default"),
    ] {
        let (code, text) = fails(&[&url], &words).await;
        assert!(code == 64 && text.starts_with(expected), "{code} {text}");
    }
    assert_eq!(shown(&url, &[]).await, [1]);
}

#[tokio::test]
async fn of_several_brokers_the_default_is_meant() {
    let (one, two) = (dig(&Graveyard::new(vec![letter(1, "x")])), dig(&Graveyard::new(vec![letter(2, "x")])));
    let (a, b) = (format!("a={one}"), format!("b={two}"));
    let sequences = |json: String| {
        json.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()["sequence"].clone()).collect::<Vec<_>>()
    };
    let peek = ["peek", "--dead-letter", "--json"];
    assert_eq!(sequences(run(&[&a, &two], &peek).await.unwrap()), [2]);
    assert_eq!(sequences(run(&[&a, &b], &[&["--broker", "a"], &peek[..]].concat()).await.unwrap()), [1]);
    assert_eq!(sequences(run(&[&a], &peek).await.unwrap()), [1]);
    let (code, text) = fails(&[&a, &b], &peek).await;
    assert_eq!((code, text.as_str()), (64, "which broker? Name it with --broker NAME; there are: a, b"));
    let (code, text) = fails(&[&a, &a], &peek).await;
    assert_eq!((code, text.as_str()), (64, "--messaging: a name is given twice"));
}

#[tokio::test]
async fn a_broker_that_not_persistent_is_named() {
    for (url, expected) in [
        ("hollow:x", "--messaging: hollow:x stores no messages and no dead letters; name a stream, as in"),
        ("memory:", "--messaging: memory: is in the memory of another process"),
        (
            "ftp://user:s3cret@h",
            "--messaging: this runtime has no backend for ftp:; it has grave:, hollow:, memory:, file:",
        ),
    ] {
        for words in [&["list"][..], &[], &["peek", "--dead-letter"], &["purge", "--dead-letter", "--all"]] {
            let (code, text) = fails(&[url], words).await;
            assert!(code == 64 && text.starts_with(expected) && !text.contains("s3cret"), "{code} {text}");
        }
    }
}

#[tokio::test]
async fn looking_at_a_file_does_not_make_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.redb");
    let url = format!("file:{}", path.display());
    for words in [&["list"][..], &[], &["peek", "--dead-letter"], &["purge", "--dead-letter", "--all"]] {
        let (code, text) = fails(&[&url], words).await;
        assert!(code == 66 && text.starts_with(&format!("{} is not there", path.display())), "{code} {text}");
    }
    assert!(!path.exists());
    // A file that is there, with nothing in it yet.
    drop(crate::FileBroker::open(&path).await.unwrap());
    let text = run(&[&url], &["list"]).await.unwrap();
    assert_eq!(text, "default: stream messages, 0 messages, 0 dead letters\n  no consumers\n");
}
