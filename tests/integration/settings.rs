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
    // server, and topics and the number of containers, which are read for components that publish or create containers.
    let lazy = |flag: &str| {
        ["key-file", "socket-ca", "log", "data", "connect-timeout", "max-memory-store"].contains(&flag)
            || ["admin-host", "dashboard-host", "dashboard-token", "allow-topic"].contains(&flag)
            || ["max-memory-broker", "max-file-broker", "max-containers"].contains(&flag)
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
    let ambiguous = Run::guest("config-only").env("TEMPO_CONFIG", "dsn=host=s3cret,port=1").finish();
    ambiguous.failed(78, &["TEMPO_CONFIG: a comma separates values: write `\\,` for a comma within a value"]);
}

#[test]
fn the_values_of_all_sources_are_merged_by_name() {
    let run =
        Run::guest("config-only").with_file("tempo.toml", "[config]\nA = \"4\"\nB = \"4\"\nC = \"4\"\nD = \"4\"\n");
    let run = run.with_file(".env", "TEMPO_CONFIG=A=3,B=3,C=3\n").env("TEMPO_CONFIG", "A=2,B=2");
    let server = run.args(["--config", "A=1"]).serve();
    assert_eq!(["/A", "/B", "/C", "/D"].map(|path| get(server.address, path).text()), ["1\n", "2\n", "3\n", "4\n"]);
}

#[test]
fn the_env_file_of_other_programs_does_not_stop_the_start() {
    let text = b"\xef\xbb\xbfTEMPO_CONFIG=A=1\ns3cret\nNAME\xff\nB=\"two\nlines\"\nTEMPO_ENV=X=1\n";
    let server = Run::guest("config-only").with_file(".env", text).serve();
    assert_eq!(get(server.address, "/A").text(), "1\n");
    let utf_16: Vec<u8> = "\u{feff}TEMPO_CONFIG=A=2\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let server = Run::guest("config-only").with_file(".env", &utf_16).serve();
    assert_eq!(get(server.address, "/A").text(), "2\n");
    let server = Run::guest("config-only").with_file(".env/bin/python", "").serve();
    assert_eq!(get(server.address, "/A").status, 404);
    let ended = Run::guest("config-only").with_file(".env", "ok=1\nTEMPO_S3CRET\n").finish();
    ended.failed(78, &[".env:2: expected NAME=value"]);
}

#[test]
fn relative_paths_go_by_the_folder_of_the_settings_file() {
    let run = Run::guest("config-only").with_file("conf/values.toml", "A = \"there\"\n");
    let run = run.with_file("conf/tempo.toml", "config-file = \"values.toml\"\n");
    let server = run.args(["--settings", "conf/tempo.toml"]).serve();
    assert_eq!(get(server.address, "/A").text(), "there\n");
}

#[test]
fn a_settings_file_names_no_other() {
    for (name, variable) in [("env-file", "TEMPO_ENV_FILE"), ("settings", "TEMPO_SETTINGS")] {
        let run = Run::guest("hello").with_file("tempo.toml", format!("addr = \"127.0.0.1:0\"\n{name} = \"x\"\n"));
        let expected =
            format!("{name}: a settings file cannot name another; give --{name} or {variable} (tempo.toml:2)");
        run.finish().failed_in_one_line(78, &[&expected]);
    }
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
