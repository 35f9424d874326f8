//! Trusted settings: files in the working directory must belong to the user, and a guest must not change those of its
//! host.

use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use tempfile::TempDir;

use crate::support::guest::{compiled, key};
use crate::support::{Finished, Run, get, guest};

/// Creates a directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// Starts a server in `directory` and requests more random bytes than the limit. Returns the number of bytes, which is
/// the limit, and the server's log.
fn limit(directory: &Path, arguments: &[&str]) -> (String, String) {
    let server = Run::guest("hostile").within(directory).args(arguments).serve();
    (get(server.address, "/random?bytes=100000").text(), server.log.text())
}

#[test]
fn a_file_that_is_found_counts_only_if_others_cannot_have_written_it() {
    for (name, text, flag) in [
        (".env", "TEMPO_MAX_RANDOM_BYTES=10B\n", "--env-file"),
        ("tempo.toml", "max-random-bytes = \"10B\"\n", "--settings"),
    ] {
        let directory = directory(&[(name, text)]);
        let path = directory.path().join(name);
        assert_eq!(limit(directory.path(), &[]).0, "10\n", "{name}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        let (answer, log) = limit(directory.path(), &[]);
        assert_eq!(answer, "65536\n", "{name}");
        let line = format!("{name} is ignored: other users can write it; {flag} {name} reads it");
        assert_eq!(log.matches(&line).count(), 1, "{log}");
        // A file that a flag names is always read.
        assert_eq!(limit(directory.path(), &[flag, name]).0, "10\n", "{name}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        if chown(&path, Some(1), None).is_err() {
            eprintln!("skipped in part: only root can give a file to another user");
            continue;
        }
        let (answer, log) = limit(directory.path(), &[]);
        assert_eq!(answer, "65536\n", "{name}");
        assert!(log.contains("it belongs to another user"), "{log}");
        assert_eq!(limit(directory.path(), &[flag, name]).0, "10\n", "{name}");
    }
}

#[test]
fn a_directory_in_place_of_a_file_is_ignored_with_a_warning() {
    for (name, flag) in [(".env", "--env-file"), ("tempo.toml", "--settings")] {
        let directory = directory(&[]);
        std::fs::create_dir(directory.path().join(name)).unwrap();
        let (answer, log) = limit(directory.path(), &[]);
        assert_eq!(answer, "65536\n", "{name}");
        let line = format!("{name} is ignored: it is not a file; {flag} FILE reads another");
        assert_eq!(log.matches(&line).count(), 1, "{log}");
        let named = Run::guest("hostile").within(directory.path()).args([flag, name]).finish();
        named.failed_in_one_line(66, &[&format!("cannot read {name}: ")]);
    }
    let app = directory(&[]);
    std::fs::create_dir(app.path().join("tempo.toml")).unwrap();
    let ended = Run::tempo(["run"]).within(app.path()).finish();
    ended.failed_in_one_line(
        66,
        &["tempo.toml cannot be used: it is not a file; name a component or the manifest of an app"],
    );
}

#[test]
fn no_file_names_the_key() {
    let files = [(".env", "A=1\nTEMPO_KEY_FILE=key\n"), ("tempo.toml", "key-file = \"key\"\n")];
    for ((name, text), place) in files.iter().zip(["TEMPO_KEY_FILE: ", "key-file: "]) {
        for flag in [None, Some(if *name == ".env" { "--env-file" } else { "--settings" })] {
            let run = Run::tempo(["run".into(), guest("hello").into_os_string()]).with_file(name, text);
            let ended = run.args(flag.iter().flat_map(|flag| [*flag, *name])).finish();
            ended.failed_in_one_line(78, &[place, "only the command line and the environment", name]);
        }
    }
}

#[test]
fn a_key_of_another_user_is_refused() {
    let directory = directory(&[]);
    let path = directory.path().join("key");
    std::fs::copy(key_of("hello"), &path).unwrap();
    if chown(&path, Some(1), None).is_err() {
        eprintln!("skipped: only root can give a file to another user");
        return;
    }
    let ended = Run::tempo(["run".into(), compiled("hello").into_os_string()]).env("TEMPO_KEY_FILE", &path).finish();
    ended.failed_in_one_line(77, &["belongs to another user"]);
}

/// Returns the key that `guest` was compiled with.
fn key_of(guest: &str) -> std::path::PathBuf {
    compiled(guest);
    key()
}

#[test]
fn what_is_granted_is_said_with_its_place_and_without_secrets() {
    let text = "TEMPO_ENV=TOKEN=s3cret-f1\nTEMPO_ALLOW_HTTP=https://api.example.com/s3cret-f2\n";
    let directory = directory(&[(".env", text), ("tempo.toml", "\nallow-socket = [\"10.0.0.1:5432\"]\n")]);
    let data = TempDir::new().unwrap();
    let grant = format!("{}::/data", data.path().display());
    let run = Run::guest("hostile").within(directory.path()).args(["--dir", &grant]);
    let server = run.env("TEMPO_ALLOW_HTTP_ADDRESS", "10.0.0.0/8").serve();
    let line = server.log.wait_for("granted: ");
    for part in [
        "--env TOKEN (.env:1)".to_owned(),
        format!("--dir {grant} (command line)"),
        "--allow-socket 10.0.0.1:5432 (tempo.toml:2)".to_owned(),
        "--allow-http https://api.example.com/*** (.env:2)".to_owned(),
        "--allow-http-address 10.0.0.0/8 (environment)".to_owned(),
    ] {
        assert!(line.contains(&part), "no `{part}` in {line}");
    }
    assert!(!server.log.text().contains("s3cret"), "{line}");
    // The user has typed the flags of a command, but not the content of a file.
    let command = |directory: &Path, arguments: &[&str]| {
        Run::tempo(["run".into(), compiled("command").into_os_string()])
            .env("TEMPO_KEY_FILE", key())
            .within(directory)
            .args(arguments)
            .finish()
    };
    assert_eq!(command(data.path(), &["--env", "A=1"]).stderr, "");
    assert!(command(directory.path(), &[]).stderr.contains("granted: --env TOKEN (.env:1)"));
}

/// Runs a command, whose file is elsewhere, in `within`, with a granted directory.
fn granting(within: &Path, host: &str, options: &str, arguments: &[&str]) -> Finished {
    let run = Run::tempo(["run".into(), compiled("command").into_os_string()]).within(within);
    let grant = format!("{host}::/data{options}");
    run.env("TEMPO_KEY_FILE", key()).args(["--dir", &grant]).args(arguments).finish()
}

#[test]
fn a_directory_with_the_hosts_own_files_is_not_granted_for_writing() {
    let settings = directory(&[("tempo.toml", "# nothing\n")]);
    let environment = directory(&[(".env", "# nothing\n")]);
    let data = directory(&[]);
    std::fs::create_dir(data.path().join(".tempo")).unwrap();
    for (within, what) in [(&settings, "tempo.toml"), (&environment, ".env"), (&data, ".tempo")] {
        let within = within.path();
        for host in [".", "..", &within.display().to_string()] {
            granting(within, host, ":rw", &[]).failed_in_one_line(77, &["refused", what, "--allow-own-files"]);
        }
        granting(within, ".", ":rw", &["--allow-own-files"]).succeeded();
        let ended = granting(within, ".", "", &[]);
        ended.succeeded();
        assert!(ended.stderr.contains("WARN") && ended.stderr.contains(what), "{ended:?}");
    }
    // By another path.
    let elsewhere = directory(&[]);
    let link = elsewhere.path().join("link");
    symlink(settings.path(), &link).unwrap();
    let link = link.display().to_string();
    granting(settings.path(), &link, ":rw", &[]).failed_in_one_line(77, &["tempo.toml"]);
    // A directory beside them is allowed.
    std::fs::create_dir(settings.path().join("public")).unwrap();
    let ended = granting(settings.path(), "public", ":rw", &[]);
    ended.succeeded();
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_directory_with_the_component_is_not_granted_for_writing() {
    let directory = directory(&[]);
    let component = directory.path().join("command.bin");
    std::fs::copy(compiled("command"), &component).unwrap();
    let run = |arguments: &[&str]| {
        let run = Run::tempo(["run".into(), component.clone().into_os_string()]).env("TEMPO_KEY_FILE", key());
        run.args(["--dir", &format!("{}::/app:rw", directory.path().display())]).args(arguments).finish()
    };
    run(&[]).failed_in_one_line(77, &["the component", "--allow-own-files"]);
    run(&["--allow-own-files"]).succeeded();
}

#[test]
fn a_directory_with_the_key_is_never_granted_for_writing() {
    let keys = key_of("command").parent().unwrap().display().to_string();
    let elsewhere = directory(&[]);
    for arguments in [&[][..], &["--allow-own-files"]] {
        granting(elsewhere.path(), &keys, ":rw", arguments).failed_in_one_line(77, &["the host's key"]);
    }
    let ended = granting(elsewhere.path(), &keys, "", &[]);
    ended.succeeded();
    assert!(ended.stderr.contains("the guest can read the host's key"), "{ended:?}");
}

#[test]
fn another_name_of_a_mounted_directory_is_the_same() {
    let isolated = ["--user", "--map-root-user", "--mount"];
    let permitted = std::process::Command::new("unshare").args(isolated).arg("true").output();
    if !permitted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this machine does not let a test mount a directory");
        return;
    }
    let settings = directory(&[("tempo.toml", "# nothing\n")]);
    let elsewhere = directory(&[]);
    let script = r#"mount --bind "$1" "$2" && shift 2 && exec "$@""#;
    let mut command = std::process::Command::new("unshare");
    command.args(isolated).args(["sh", "-c", script, "sh"]).arg(settings.path()).arg(elsewhere.path());
    command.arg(crate::support::guest::program("tempo")).arg("run").arg(compiled("command"));
    command.arg("--dir").arg(format!("{}::/data:rw", elsewhere.path().display()));
    let output = command.env("TEMPO_KEY_FILE", key()).current_dir(settings.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{said}");
    assert!(said.contains("tempo.toml"), "{said}");
}
