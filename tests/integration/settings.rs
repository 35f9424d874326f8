//! The sources of settings: flags, the environment, a file, in this order.

use std::collections::BTreeSet;

use tempfile::TempDir;

use crate::support::{Run, get, guest};

/// Returns the names of all flags with a variable, from the help.
fn flags() -> BTreeSet<String> {
    let ended = Run::tempo(["run", "--help"]).finish();
    let help = ended.succeeded().to_owned();
    let flags: BTreeSet<String> = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--")?.split_once(" <"))
        .map(|(name, _)| name.to_owned())
        .collect();
    // The help is wrapped; a name may be on the next line.
    let help: String = help.split_whitespace().collect();
    for flag in &flags {
        let variable = format!("TEMPO_{}", flag.replace('-', "_").to_uppercase());
        assert!(help.contains(&format!("[env:{variable}]")), "{flag} has no variable in {help}");
    }
    flags
}

#[test]
fn every_flag_is_an_environment_variable() {
    let flags = flags();
    assert!(flags.len() > 35, "{flags:?}");
    // Excluded: file names that are read on demand and have their own tests, log filters, which accept any text, the
    // locations of stores, the settings of servers, host names and tokens of pages, which are read if there is such a
    // server, and topics, which are read for components that publish.
    let lazy = |flag: &str| {
        ["key-file", "log", "data", "connect-timeout", "max-memory-store"].contains(&flag)
            || ["admin-host", "dashboard-host", "dashboard-token", "allow-topic"].contains(&flag)
            || ["max-memory-broker", "max-file-broker"].contains(&flag)
            || flag.starts_with("nats-")
    };
    let stores = ["keyvalue", "max-key-size", "max-value-size"];
    for flag in flags.iter().filter(|flag| !lazy(flag)) {
        let variable = format!("TEMPO_{}", flag.replace('-', "_").to_uppercase());
        let name = match flag.as_str() {
            flag if stores.contains(&flag) => "keyvalue",
            "blobstore" | "max-object-size" => "blobstore",
            "messaging" | "max-message-size" | "subscribe" | "app" | "consumer" => "request-reply",
            _ => "config-only",
        };
        let run = Run::tempo(["run".into(), guest(name).into_os_string()]);
        let ended = run.env(&variable, "n\u{1}nsense").finish();
        assert!(matches!(ended.code, Some(78 | 66)), "{variable}: {ended:?}");
        let named = [&variable, &format!("--{flag}"), "n\u{1}nsense"].iter().any(|name| ended.stderr.contains(*name));
        assert!(named, "{variable}: {ended:?}");
    }
}

#[test]
fn a_flag_wins_over_the_environment_which_wins_over_the_file() {
    let limit = |run: Run| {
        let server = run.serve();
        get(server.address, "/random?bytes=1000").text()
    };
    let file = || Run::guest("hostile").with_file(".env", "TEMPO_MAX_RANDOM_BYTES=10B\n");
    let environment = || file().env("TEMPO_MAX_RANDOM_BYTES", "20B");
    assert_eq!(limit(file()), "10\n");
    assert_eq!(limit(environment()), "20\n");
    assert_eq!(limit(environment().args(["--max-random-bytes", "30B"])), "30\n");
}

#[test]
fn a_variable_holds_several_values() {
    let server = Run::guest("config-only").env("TEMPO_CONFIG", r"A=1,B=2\,3,C=").serve();
    assert_eq!(["/A", "/B", "/C"].map(|path| get(server.address, path).text()), ["1\n", "2,3\n", "\n"]);
    let server = Run::guest("config-only").env("TEMPO_CONFIG", "A=1").args(["--config", "B=2"]).serve();
    assert_eq!(["/A", "/B"].map(|path| get(server.address, path).status), [404, 200], "a flag replaces the variable");
}

#[test]
fn the_file_can_be_named() {
    let text = "export TEMPO_CONFIG=\"A=from the file\"\n# a comment\nTEMPO_ENV='NAME=Ada'\nOTHER=1\n";
    for run in [
        Run::guest("config-only").args(["--env-file", "my.env"]),
        Run::guest("config-only").env("TEMPO_ENV_FILE", "my.env"),
    ] {
        let server = run.with_file("my.env", text).with_file(".env", "TEMPO_CONFIG=A=default\n").serve();
        assert_eq!(get(server.address, "/A").text(), "from the file\n");
    }
}

#[test]
fn what_is_in_the_file_is_no_environment_of_the_guest() {
    let server = Run::guest("hostile").with_file(".env", "SECRET=1\nTEMPO_ENV=NAME=Ada\n").serve();
    assert_eq!(get(server.address, "/env").text(), r#"[["NAME","Ada"]]"#);
}

#[test]
fn the_address_and_the_key_file_come_from_the_environment() {
    let server = Run::tempo(["run".into(), guest("hello").into_os_string()]).env("TEMPO_ADDR", "localhost:0").serve();
    assert_eq!(get(server.address, "/").status, 200);
    let directory = TempDir::new().unwrap();
    let key = directory.path().join("key");
    let compile = Run::tempo(["compile".into(), guest("hello").into_os_string()]).args(["-o", "app.bin"]);
    compile.env("TEMPO_KEY_FILE", key.as_os_str()).finish().succeeded();
    assert_eq!(std::fs::metadata(key).unwrap().len(), 32);
}

#[test]
fn an_ipv6_address_is_served() {
    let Ok(_) = std::net::TcpListener::bind("[::1]:0") else {
        eprintln!("skipped: this machine has no IPv6");
        return;
    };
    let server = Run::tempo(["run".into(), guest("hello").into_os_string()]).args(["--addr", "[::1]:0"]).serve();
    assert!(server.address.is_ipv6());
    assert_eq!(get(server.address, "/").status, 200);
}

#[test]
fn the_log_can_be_silenced() {
    let server = Run::guest("hostile").args(["--log", "off"]).serve();
    assert_eq!(get(server.address, "/trap").status, 500);
    assert_eq!(get(server.address, "/print").status, 200);
    assert_eq!(server.log.text().lines().count(), 1, "{}", server.log.text());
}

#[test]
fn a_settings_file_sets_flags_by_their_names() {
    let text = "max-random-bytes = \"10B\"\n\n[env]\nNAME = \"Ada\"\n";
    let file = || Run::guest("hostile").with_file("tempo.toml", text);
    let server = file().serve();
    assert_eq!(get(server.address, "/random?bytes=1000").text(), "10\n");
    assert_eq!(get(server.address, "/env").text(), r#"[["NAME","Ada"]]"#);
    let server = file().with_file(".env", "TEMPO_MAX_RANDOM_BYTES=20B\n").serve();
    assert_eq!(get(server.address, "/random?bytes=1000").text(), "20\n", "everything else wins over it");
    let ended =
        Run::guest("hostile").with_file("my.toml", "[keyvalu]\na = \"s3cret\"\n").args(["--settings", "my.toml"]);
    ended.finish().failed(78, &["keyvalu: no such setting; `run --help` lists them (my.toml:1)"]);
    let ended = Run::guest("hostile").with_file("tempo.toml", "\nmax-random-bytes = \"s3cret\"\n").finish();
    ended.failed(78, &["max-random-bytes: expected a size, such as 64KiB or 128MiB (tempo.toml:2)"]);
}
