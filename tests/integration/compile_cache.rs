//! The cache of compiled components.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::support::{Run, get, guest};

/// Runs `name` with the cache in `home`.
fn run(name: &str, home: &Path) -> Run {
    Run::file(&guest(name)).env("TEMPO_COMPILE_CACHE", "true").env("HOME", home)
}

/// Runs `name` with the cache in `home`, and checks its response.
fn serve(name: &str, home: &Path, flags: &[&str]) {
    let server = run(name, home).args(flags.iter().copied()).serve();
    assert_eq!(get(server.address, "/").text(), "Hello from Tempo!\n");
}

/// Returns the files of the cache.
fn files(home: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.join(".cache/tempo/compiled")) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Sets the time of a file back, and returns a function that returns whether it was used since then.
fn unused(file: &Path) -> impl Fn() -> bool {
    let old = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().append(true).open(file).unwrap().set_modified(old).unwrap();
    let file = file.to_owned();
    move || fs::metadata(&file).unwrap().modified().unwrap() > old + Duration::from_secs(60)
}

#[test]
fn a_component_is_compiled_once() {
    let home = TempDir::new().unwrap();
    for name in ["hello", "hello-p2"] {
        let before = files(home.path());
        serve(name, home.path(), &[]);
        let added: Vec<_> = files(home.path()).into_iter().filter(|file| !before.contains(file)).collect();
        let [file] = &added[..] else { panic!("{added:?}") };
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        let content = fs::read(file).unwrap();
        let is_used = unused(file);
        serve(name, home.path(), &[]);
        assert!(is_used() && fs::read(file).unwrap() == content, "{name}");
    }
    // Other code of the same component.
    serve("hello", home.path(), &["--allocation", "on-demand"]);
    assert_eq!(files(home.path()).len(), 3);
}

#[test]
fn an_app_uses_it_too() {
    let home = TempDir::new().unwrap();
    let component = |name: &str| format!("[component.{name}]\nsource = \"{}\"\n", guest(name).display());
    let manifest =
        format!("name = \"app\"\n{}route = \"/*\"\n{}route = \"/p2\"\n", component("hello"), component("hello-p2"));
    let serve = || {
        let run = Run::tempo(["run", "--addr", "127.0.0.1:0"]).with_file("tempo.toml", &manifest);
        let server = run.env("TEMPO_COMPILE_CACHE", "true").env("HOME", home.path()).serve();
        assert_eq!(get(server.address, "/p2").text(), "Hello from Tempo!\n");
    };
    serve();
    let files = files(home.path());
    assert_eq!(files.len(), 2);
    let used: Vec<_> = files.iter().map(|file| unused(file)).collect();
    serve();
    assert!(used.iter().all(|is_used| is_used()));
}

#[test]
fn a_file_that_is_not_genuine_is_replaced() {
    let home = TempDir::new().unwrap();
    serve("hello", home.path(), &[]);
    let file = files(home.path()).remove(0);
    let genuine = fs::read(&file).unwrap();
    let middle = genuine.len() / 2;
    let mut changed = genuine.clone();
    changed[middle] ^= 1;
    let other = {
        let home = TempDir::new().unwrap();
        serve("hello", home.path(), &[]);
        fs::read(files(home.path()).remove(0)).unwrap()
    };
    // A changed byte, a part, none, the file of another user's key.
    for content in [changed, genuine[..middle].to_vec(), Vec::new(), other] {
        fs::write(&file, &content).unwrap();
        serve("hello", home.path(), &[]);
        assert!(fs::read(&file).unwrap() != content && files(home.path()).len() == 1);
    }
}

#[test]
fn the_file_of_another_component_is_not_used() {
    let home = TempDir::new().unwrap();
    serve("hello", home.path(), &[]);
    let file = files(home.path()).remove(0);
    serve("hello-p2", home.path(), &[]);
    let other = files(home.path()).into_iter().find(|other| *other != file).unwrap();
    fs::copy(&other, &file).unwrap();
    serve("hello", home.path(), &[]);
    assert_ne!(fs::read(&file).unwrap(), fs::read(&other).unwrap());
}

#[test]
fn without_a_cache_components_run_all_the_same() {
    let home = TempDir::new().unwrap();
    serve("hello", home.path(), &["--compile-cache", "false"]);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    // A directory that cannot be created, and a key that others can read.
    fs::write(home.path().join(".cache"), "").unwrap();
    serve("hello", home.path(), &[]);
    fs::remove_file(home.path().join(".cache")).unwrap();
    fs::set_permissions(home.path().join(".local/share/tempo/host.key"), PermissionsExt::from_mode(0o644)).unwrap();
    serve("hello", home.path(), &[]);
    assert!(files(home.path()).is_empty());
}

#[test]
fn a_key_that_is_no_file_is_not_read() {
    let home = TempDir::new().unwrap();
    let key = home.path().join("key");
    assert!(Command::new("mkfifo").arg(&key).status().unwrap().success());
    serve("hello", home.path(), &["--key-file", key.to_str().unwrap()]);
    assert!(files(home.path()).is_empty());
}

#[test]
fn a_limit_on_the_size_of_files_does_not_end_the_process() {
    let home = TempDir::new().unwrap();
    let server = run("hello", home.path()).file_size(64).serve();
    assert_eq!(get(server.address, "/").text(), "Hello from Tempo!\n");
    assert!(files(home.path()).is_empty());
}

#[test]
fn its_files_are_no_programs_and_guests_cannot_write_them() {
    let home = TempDir::new().unwrap();
    serve("hello", home.path(), &[]);
    let file = files(home.path()).remove(0);
    Run::file(&file).env("HOME", home.path()).finish().failed_in_one_line(77, &["not signed by this host's key"]);
    let grant = format!("{}::/cache:rw", home.path().join(".cache").display());
    let refused = run("hello", home.path()).args(["--dir", &grant]).finish();
    refused.failed(77, &["the guest could change the cache of compiled components"]);
    serve("hello", home.path(), &["--dir", &grant, "--allow-own-files"]);
}
