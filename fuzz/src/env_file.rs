//! Files of environment variables: `.env`.

use tempo_runtime::fuzzing::parse_env_file;
use tempo_settings::{ErrorKind, ValueSource};

use crate::input::check_message;
use crate::{Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "env_file",
    run,
    seeds,
    tokens: &["export ", "=", "\n", "\r\n", "\"", "'", "#", " ", "TEMPO_ADDR", "\u{2028}", "\u{85}", "\0"],
};

/// Parses a file.
pub fn run(data: &[u8]) -> Outcome {
    let known = |name: &str| name == "OTEL_SERVICE_NAME";
    let lines = data.iter().filter(|byte| **byte == b'\n').count() + 1;
    let variables = match parse_env_file(data, ".env", known) {
        Ok(variables) => variables,
        Err(error) => {
            check_message(&error.to_string());
            assert_eq!(error.kind(), ErrorKind::BadConfiguration);
            return Outcome::Refused;
        }
    };
    assert!(variables.len() <= lines);
    for (name, value) in &variables {
        assert!(!name.contains(['=', '\n']) && name.trim() == name, "{name:?}");
        let ValueSource::File { path, line } = &value.source else { panic!("{:?}", value.source) };
        assert!(path == ".env" && (1..=lines).contains(line), "{line} of {lines}");
        assert!(name.starts_with("TEMPO_") || known(name), "{name:?}");
        let written = format!("{name}=\"{}\"", value.text);
        let again = parse_env_file(written.as_bytes(), ".env", known).expect("a line");
        assert_eq!(again.get(name).map(|value| &value.text), Some(&value.text));
    }
    Outcome::of(!variables.is_empty())
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "# comment\n\nTEMPO_ADDR=a=b\nexport TEMPO_LOG = 'x y'\n",
        "TEMPO_KEYVALUE=\"file:./data\"\r\nTEMPO_X=\r\n",
        "TEMPO_A='\"'",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into_iter()
    .chain([b"\xef\xbb\xbfTEMPO_A=1\ns3cret\n".to_vec(), b"\xff\xfeT\0E\0M\0P\0O\0_\0A\0=\0A\0".to_vec()])
    .collect()
}
