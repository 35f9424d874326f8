//! The messages of typical mistakes with their exit codes, as snapshots. `UPDATE_EXPECT=1` writes them.

use std::net::TcpListener;

use expect_test::{Expect, expect};

use crate::support::wat::Component;
use crate::support::{Finished, Run, compiled, key};

/// Compares the exit code and the message, in which `replaced` texts have names.
#[track_caller]
pub(crate) fn check(ended: &Finished, replaced: &[(&str, &str)], expected: &Expect) {
    let message = replaced.iter().fold(ended.stderr.clone(), |text, (part, name)| text.replace(part, name));
    expected.assert_eq(&format!("{}: {message}", ended.code.unwrap()));
    assert!(ended.stdout.is_empty(), "{ended:?}");
}

pub(crate) fn tempo(arguments: &[&str], expected: &Expect) {
    check(&Run::tempo(arguments.iter().copied()).finish(), &[], expected);
}

/// Runs a component that imports keyvalue with more arguments.
fn keyvalue(arguments: &[&str], expected: &Expect) {
    let path = compiled("keyvalue");
    let ended = Run::guest("keyvalue").args(arguments).finish();
    check(&ended, &[(path.to_str().unwrap(), "keyvalue.bin")], expected);
}

fn orders(arguments: &[&str], expected: &Expect) {
    check(&Run::guest("orders").args(["--messaging", "memory:"]).args(arguments).finish(), &[], expected);
}

/// `tempo run` of a component, without the flag `--addr`, which precedes other settings.
fn hello() -> Run {
    Run::tempo(["run".into(), compiled("hello").into_os_string()]).env("TEMPO_KEY_FILE", key())
}

/// Runs a component with a file of settings.
fn with_file(name: &str, text: &str, expected: &Expect) {
    check(&hello().with_file(name, text).finish(), &[], expected);
}

#[test]
fn a_command_line_that_is_malformed() {
    tempo(&["run"], &expect!["64: error: no component: name a file, or declare an app in tempo.toml"]);
    tempo(&["serve", "hello.wasm"], &expect!["64: error: unrecognized subcommand 'serve'; see --help"]);
    tempo(
        &["run", "hello.wasm", "--no-such-flag"],
        &expect![
            "64: error: unexpected argument '--no-such-flag' found tip: to pass '--no-such-flag' as a value, use '-- --no-such-flag'; see --help"
        ],
    );
    tempo(
        &["run", "hello.wasm", "--max-memry", "1MiB"],
        &expect![
            "64: error: unexpected argument '--max-memry' found tip: a similar argument exists: '--max-memory' tip: to pass '--max-memry' as a value, use '-- --max-memry'; see --help"
        ],
    );
    tempo(
        &["run", "hello.wasm", "--addr"],
        &expect!["64: error: a value is required for '--addr <HOST:PORT>' but none was supplied; see --help"],
    );
    tempo(&["run", "hello.wasm", "argument"], &expect!["64: error: unexpected argument 'argument' found; see --help"]);
    tempo(
        &["run", "hello.wasm", "--addr", "a:1", "--addr", "b:1"],
        &expect!["64: error: the argument '--addr <HOST:PORT>' cannot be used multiple times; see --help"],
    );
    tempo(
        &["inspect", "hello.wasm", "--output", "x"],
        &expect![
            "64: error: unexpected argument '--output' found tip: a similar argument exists: '--route'; see --help"
        ],
    );
}

#[test]
fn a_command_line_of_messages_that_is_malformed() {
    tempo(&["messages", "bury"], &expect!["64: error: unrecognized subcommand 'bury'; see --help"]);
    tempo(
        &["messages", "list", "--addr", "127.0.0.1:0"],
        &expect!["64: error: unexpected argument '--addr' found; see --help"],
    );
    tempo(
        &["messages", "--json", "purge", "--dead-letter", "1"],
        &expect!["64: error: --json is not an argument of purge; see --help"],
    );
    tempo(
        &["messages", "purge", "1"],
        &expect!["64: error: the following required arguments were not provided: --dead-letter; see --help"],
    );
    tempo(
        &["messages", "purge", "--dead-letter"],
        &expect!["64: error: the following required arguments were not provided: <SEQUENCE|--all>; see --help"],
    );
    tempo(
        &["messages", "replay", "--dead-letter", "one"],
        &expect!["64: error: invalid value 'one' for '[SEQUENCE]': invalid digit found in string; see --help"],
    );
    tempo(
        &["messages", "peek", "--dead-letter", "--all", "--limit", "1"],
        &expect!["64: error: the argument '--all' cannot be used with '--limit <N>'; see --help"],
    );
    tempo(
        &["messages", "move"],
        &expect!["64: error: the following required arguments were not provided: <CONSUMER>; see --help"],
    );
    tempo(
        &["messages", "move", "c", "--start", "later"],
        &expect![
            "64: error: invalid value 'later' for '--start <all|new|SEQUENCE>': expected all, new or a whole number; see --help"
        ],
    );
    tempo(
        &["messages", "list", "--messaging", "nowhere"],
        &expect!["64: error: --messaging: expected [NAME=]URL, such as file:./data or cache=nats://HOST/NAME"],
    );
    tempo(
        &["messages"],
        &expect![
            "66: error: .tempo/messaging.redb is not there: it has no messages yet; name another file with --messaging"
        ],
    );
    let ended = Run::new("tempo-http").args(["messages"]).finish();
    check(&ended, &[], &expect!["64: error: unrecognized subcommand 'messages'; see --help"]);
}

#[test]
fn a_bad_value_of_a_flag() {
    check(
        &hello().args(["--addr", "s3cret"]).finish(),
        &[],
        &expect!["64: error: --addr: expected host:port, such as 127.0.0.1:8080"],
    );
    keyvalue(
        &["--max-memory", "s3cret"],
        &expect!["64: error: --max-memory: expected a size, such as 64KiB or 128MiB"],
    );
    keyvalue(&["--cpu-timeout", "0s"], &expect!["64: error: --cpu-timeout: expected a duration, such as 500ms or 30s"]);
    keyvalue(&["--max-requests", "0"], &expect!["64: error: --max-requests: expected a whole number above 0"]);
    keyvalue(&["--max-header-size", "1KiB"], &expect!["64: error: --max-header-size: expected at least 8KiB"]);
    keyvalue(&["--env", "s3cret"], &expect!["64: error: --env: expected KEY=VALUE"]);
    keyvalue(
        &["--dir", "s3cret"],
        &expect!["64: error: --dir: expected HOST::GUEST, HOST::GUEST:ro or HOST::GUEST:rw"],
    );
    keyvalue(&["--dir", "nowhere::/data"], &expect!["66: error: --dir: nowhere is not a directory"]);
    keyvalue(
        &["--allow-socket", "s3cret:port"],
        &expect![
            "64: error: --allow-socket: expected HOST or HOST:PORT, where HOST is a name such as db.internal, *.internal, an IP address, or * for any public host"
        ],
    );
    keyvalue(
        &["--log", "=x=,["],
        &expect!["64: error: --log: expected a level (error, warn, info, debug, trace) or a filter"],
    );
    keyvalue(&["--tls-cert", "cert.pem"], &expect!["64: error: --tls-cert: needs --tls-key as well"]);
    let ended = Run::guest("config-only").args(["--config-file", "values.ini"]).finish();
    check(&ended, &[], &expect!["64: error: --config-file: expected a file name that ends in .toml or .json"]);
}

#[test]
fn a_bad_grant() {
    keyvalue(
        &["--allow-http", "example.com"],
        &expect![
            "64: error: --allow-http: value 1: expected a URL such as https://api.example.com, https://*.example.com or http://127.0.0.1:9000, or * for any public host"
        ],
    );
    keyvalue(
        &["--allow-http", "https://user:s3cret@example.com"],
        &expect!["64: error: --allow-http: value 1: expected a URL without user name and password"],
    );
    keyvalue(
        &["--allow-http", "https://example.com:99999"],
        &expect!["64: error: --allow-http: value 1: expected a host name or an IP address, and a port number or *"],
    );
    keyvalue(
        &["--allow-http", "https://example.com/a/../b"],
        &expect!["64: error: --allow-http: value 1: expected a path without encoded slashes and dots"],
    );
    keyvalue(
        &["--allow-http-address", "10.0.0.0/99"],
        &expect![
            "64: error: --allow-http-address: value 1: expected an address or a range such as 10.0.0.0/8 or fd12::/16"
        ],
    );
    orders(
        &["--allow-topic", "a..b"],
        &expect!["64: error: --allow-topic: this is no topic: a word between dots is empty"],
    );
    orders(
        &["--allow-topic", "$JS.>"],
        &expect!["64: error: --allow-topic: topics of servers (`$...`) and inboxes (`_INBOX...`) cannot be allowed"],
    );
    orders(
        &["--allow-topic", "other=a"],
        &expect!["64: error: --allow-topic: no broker of that name is configured; give it with --messaging NAME=URL"],
    );
}

#[test]
fn a_bad_url() {
    keyvalue(
        &["--keyvalue", "nowhere"],
        &expect!["64: error: --keyvalue: expected [NAME=]URL, such as file:./data or cache=nats://HOST/NAME"],
    );
    keyvalue(
        &["--keyvalue", "ftp://user:s3cret@example.com"],
        &expect!["64: error: --keyvalue: this runtime has no backend for ftp:; it has memory:, file:, nats:, tls:"],
    );
    keyvalue(
        &["--keyvalue", "a=memory:", "--keyvalue", "a=memory:"],
        &expect!["64: error: --keyvalue: the name `a` is given twice"],
    );
    keyvalue(
        &["--keyvalue", "file:"],
        &expect!["64: error: --keyvalue: expected the path of a database file, such as file:./app.redb"],
    );
    keyvalue(
        &["--keyvalue", "file:./data?quota=lots"],
        &expect!["78: error: file:./data?quota=lots: quota: expected a size, such as 64KiB or 128MiB"],
    );
    keyvalue(
        &["--keyvalue", "nats://user:s3cret@127.0.0.1:1/a.b"],
        &expect![
            "78: error: nats://127.0.0.1:1/a.b: the name is made of letters, digits, - and _; expected a URL such as nats://localhost:4222/NAME"
        ],
    );
    keyvalue(
        &["--keyvalue", "nats:user:s3cret@127.0.0.1/name"],
        &expect![
            "78: error: nats://127.0.0.1/name: there is no host; expected a URL such as nats://localhost:4222/NAME"
        ],
    );
    orders(
        &["--subscribe", "a..b"],
        &expect!["64: error: --subscribe: this is no topic: a word between dots is empty"],
    );
    orders(
        &["--subscribe", "a;max-deliver=0"],
        &expect!["64: error: --subscribe: max-deliver: expected a number from 1 to 10000"],
    );
    orders(
        &["--subscribe", "a;nonsense=1"],
        &expect![
            "64: error: --subscribe: no such option; there are consumer, max-in-flight, max-deliver, backoff, ack-wait, dead-letter and ordered"
        ],
    );
    orders(
        &["--subscribe", "nowhere=a"],
        &expect!["64: error: --subscribe: no broker of that name is configured; give it with --messaging NAME=URL"],
    );
}

#[test]
fn a_bad_settings_file() {
    with_file(
        "tempo.toml",
        "\nmax-memry = \"64MiB\"\n",
        &expect!["78: error: max-memry: no such setting; `run --help` lists them (tempo.toml:2)"],
    );
    with_file(
        "tempo.toml",
        "addr = s3cret\n",
        &expect!["78: error: not valid TOML: string values must be quoted, expected literal string (tempo.toml:1:8)"],
    );
    with_file(
        "tempo.toml",
        "[addr]\nx = \"s3cret\"\n",
        &expect!["78: error: addr: expected HOST:PORT as a string (tempo.toml:1)"],
    );
    with_file(
        "tempo.toml",
        "max-memory = \"s3cret\"\n",
        &expect!["78: error: max-memory: expected a size, such as 64KiB or 128MiB (tempo.toml:1)"],
    );
    with_file(
        "tempo.toml",
        "[[subscribe]]\nordered = true\n",
        &expect!["78: error: subscribe: `topic` is missing (tempo.toml:1)"],
    );
    with_file(
        "tempo.toml",
        "key-file = \"host.key\"\n",
        &expect!["78: error: key-file: only the command line and the environment may name the key (tempo.toml:1)"],
    );
    with_file(".env", "A=1\nTEMPO_S3CRET\n", &expect!["78: error: .env:2: expected NAME=value"]);
    with_file(
        ".env",
        "TEMPO_MAX_MEMRY=s3cret\n",
        &expect!["78: error: TEMPO_MAX_MEMRY: no such setting (.env:1); `run --help` lists them"],
    );
    with_file(
        ".env",
        "TEMPO_ADDR=s3cret\n",
        &expect!["78: error: TEMPO_ADDR: expected host:port, such as 127.0.0.1:8080 (.env:1)"],
    );
    let ended = hello().env("TEMPO_ADDR", "s3cret").finish();
    check(&ended, &[], &expect!["78: error: TEMPO_ADDR: expected host:port, such as 127.0.0.1:8080 (environment)"]);
    let ended = hello().args(["--settings", "nowhere.toml"]).finish();
    check(&ended, &[], &expect!["66: error: cannot read nowhere.toml: No such file or directory (os error 2)"]);
}

#[test]
fn a_component_that_cannot_run() {
    let run = |component: &Component, expected: &Expect| {
        let directory = format!("{}/", component.path().parent().unwrap().display());
        check(&Run::file(&component.path()).finish(), &[(&directory, "")], expected);
    };
    run(
        &Component::bytes(b"hello"),
        &expect![
            "65: error: component.wasm: not valid WebAssembly at offset 0x0: magic header not detected: bad magic number"
        ],
    );
    run(
        &Component::text("(module)"),
        &expect!["65: error: component.wasm: this is a core module; make it a component (`wasm-tools component new`)"],
    );
    run(
        &Component::text("(component)"),
        &expect![
            "65: error: component.wasm: exports none of: wasi:http/incoming-handler, wasi:http/handler, wasi:keyvalue/watcher, wasmcloud:keyvalue/watcher, tempo:messaging/handler, wasi:messaging/incoming-handler, wasmcloud:messaging/handler, wasi:cli/run; it exports nothing"
        ],
    );
    run(
        &Component::text(r#"(component (import "acme:billing/invoices@1.2.0" (instance)))"#),
        &expect![
            "65: error: component.wasm: exports none of: wasi:http/incoming-handler, wasi:http/handler, wasi:keyvalue/watcher, wasmcloud:keyvalue/watcher, tempo:messaging/handler, wasi:messaging/incoming-handler, wasmcloud:messaging/handler, wasi:cli/run; it exports nothing"
        ],
    );
    tempo(
        &["run", "nowhere.wasm"],
        &expect!["66: error: cannot read nowhere.wasm: No such file or directory (os error 2)"],
    );
    // Without the key of its host.
    let hello = compiled("hello");
    let ended = Run::file(&hello).finish();
    check(
        &ended,
        &[(hello.to_str().unwrap(), "hello.bin")],
        &expect![
            "77: error: hello.bin: refused: this precompiled file is not signed by this host's key, and loading it would run its native code; compile it here (`tempo compile`) or give its key (--key-file)"
        ],
    );
}

#[test]
fn a_port_that_is_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = hello().args(["--addr", &address]).finish();
    check(
        &ended,
        &[(&address, "ADDRESS")],
        &expect![
            "69: error: cannot listen on ADDRESS: Address already in use (os error 98); choose another address with --addr"
        ],
    );
}
