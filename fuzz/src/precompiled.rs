//! Precompiled files: their header and signature.

use tempo_runtime::fuzzing::{Allocation, Decoded, Header, HostKey, Shape, decode, encode, sign, this_build};
use tempo_settings::{Error, ErrorKind};

use crate::input::check_message;
use crate::{Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "precompiled",
    run,
    seeds,
    tokens: &[
        "TEMPOBIN",
        "\"built_by\":",
        "\"shape\":",
        "\"target\":null",
        "\"",
        "{",
        "}",
        ",",
        ":",
        "null",
        "true",
        "-1",
        "4294967296",
        "\\u001b",
        "\0\0\0\0",
        "\x10\0\0",
        " ",
    ],
};

const KEY: [u8; 32] = [7; 32];

/// Decodes a file that its input ends before the signature: with no signature, and with a valid one.
pub fn run(data: &[u8]) -> Outcome {
    let key = HostKey::from_bytes(KEY);
    check_refused(&decode(data, Some(&key)).expect_err("it has no signature"));
    let mut file = sign(data.to_vec(), &key);
    check_refused(&decode(&file, None).expect_err("there is no key"));
    let outcome = match decode(&file, Some(&key)) {
        Err(error) => {
            check_refused(&error);
            Outcome::Refused
        }
        Ok(Decoded { header, code, .. }) => {
            assert!(header.built_by == this_build() && data.ends_with(code));
            let again = encode(&header, code, &key).expect("a short header");
            let again = decode(&again, Some(&key)).expect("it is signed");
            assert_eq!((again.header, again.code), (header, code));
            Outcome::Accepted
        }
    };
    // Any changed byte invalidates the signature.
    let at = data.first().map_or(0, |byte| usize::from(*byte) * 31 % file.len());
    if let Some(byte) = file.get_mut(at) {
        *byte ^= 1;
    }
    check_refused(&decode(&file, Some(&key)).expect_err("a byte has changed"));
    outcome
}

fn check_refused(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::BadComponent | ErrorKind::Refused), "{error}");
    check_message(&error.to_string());
}

fn seeds() -> Vec<Vec<u8>> {
    let exports = vec!["wasi:cli/run@0.2.0".to_owned()];
    let mut shape = Shape::default();
    (shape.concurrent, shape.core_instances, shape.memories, shape.tables) = (true, 1, 1, 1);
    shape.exports = exports;
    let header = |target: Option<&str>| Header {
        built_by: this_build(),
        compatibility: "c0ffee".into(),
        source: "00".into(),
        shape: shape.clone(),
        allocation: Allocation::OnDemand,
        target: target.map(str::to_owned),
    };
    let key = HostKey::from_bytes(KEY);
    let file = |target| {
        let mut file = encode(&header(target), b"machine code", &key).expect("a short header");
        // `run` signs it.
        file.truncate(file.len() - KEY.len());
        file
    };
    vec![file(None), file(Some("x86_64-unknown-linux-gnu"))]
}
