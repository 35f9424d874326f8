//! The settings file, `tempo.toml`.

use std::collections::BTreeMap;

use tempo_runtime::fuzzing::parse_settings_file;
use tempo_settings::{ErrorKind, Flag, Value, ValueSource};

use crate::input::{check_message, texts};
use crate::{Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "settings_file",
    run,
    seeds,
    tokens: &[
        "[[subscribe]]\n",
        "[keyvalue]\n",
        "topic = ",
        "name = ",
        "addr = ",
        "max-requests = ",
        "ordered = true\n",
        "\n",
        "\"",
        "'",
        "'''",
        "[",
        "]",
        "{",
        "}",
        "=",
        ".",
        ",",
        ";",
        "#",
        "true",
        "5",
        "0x10",
        "1e3",
        "1979-05-27",
        "\\n",
        "\\u001b",
        "\r",
    ],
};

/// One flag of each form.
const FLAGS: &[Flag] = &[
    Flag::new("addr", "HOST:PORT", ""),
    Flag::new("max-requests", "N", ""),
    Flag::new("keyvalue", "[NAME=]URL", "").repeatable(),
    Flag::new("subscribe", "[NAME=]TOPIC[;KEY=VALUE]...", "").with_options("topic"),
    Flag::environment("OTEL_SERVICE_NAME", "TEXT", ""),
];

/// Parses a file.
pub fn run(data: &[u8]) -> Outcome {
    let [text] = texts::<1>(data);
    // An empty line follows the last line break.
    let lines = text.split('\n').count();
    let values = match parse_settings_file(text.as_bytes(), "tempo.toml", FLAGS.iter()) {
        Ok(values) => values,
        Err(error) => {
            let message = error.to_string();
            // A list of several problems has a line for each.
            message.lines().for_each(check_message);
            assert_eq!(error.kind(), ErrorKind::BadConfiguration);
            // `(tempo.toml:LINE)`, with the column of an error of syntax.
            let place = message.rsplit_once("(tempo.toml:").and_then(|(_, place)| place.strip_suffix(')'));
            let line = place.and_then(|place| place.split(':').next()?.parse().ok());
            assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{message}");
            return Outcome::Refused;
        }
    };
    let mut written = toml::Table::new();
    for (name, values) in &values {
        let flag = FLAGS.iter().find(|flag| flag.name == *name).expect("a flag");
        assert!(!flag.environment_only && (flag.repeatable || values.len() == 1), "{name}: {values:?}");
        for value in values {
            let ValueSource::SettingsFile { path, line } = &value.source else { panic!("{:?}", value.source) };
            assert!(path == "tempo.toml" && (1..=lines).contains(line), "{line} of {lines}");
        }
        let texts: Vec<toml::Value> = values.iter().map(|value| value.text.clone().into()).collect();
        let value = if flag.repeatable { Some(texts.into()) } else { texts.into_iter().next() };
        written.extend(value.map(|value| ((*name).to_owned(), value)));
    }
    let again =
        parse_settings_file(written.to_string().as_bytes(), "tempo.toml", FLAGS.iter()).expect("the same values");
    let texts = |values: &BTreeMap<&'static str, Vec<Value>>| -> Vec<(&'static str, Vec<String>)> {
        values.iter().map(|(name, values)| (*name, values.iter().map(|value| value.text.clone()).collect())).collect()
    };
    assert_eq!(texts(&again), texts(&values));
    Outcome::of(!values.is_empty())
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "addr = \"a:1\"\nmax-requests = 5\n\n[keyvalue]\ndefault = \"memory:\"\nb = \"file:b\"\n",
        "keyvalue = [\"memory:\", 'b=file:b']\nsubscribe = [\"x;ordered\", {topic = \"y\"}]",
        "[[subscribe]]\ntopic = \"orders.>\"\n\n[[subscribe]]\nname = \"b\"\nordered = true\nmax-in-flight = 8\n\
         backoff = [\"1s\", \"5s\"]\ntopic = [\n  \"x\",\n  \"y\",\n]\n",
        "subscribe.topic = '''\nx'''",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
