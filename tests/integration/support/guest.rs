//! Paths of the guests and the programs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// Returns cargo's target directory: `target/<profile>/deps/<this test>` is three levels below it.
pub(crate) fn target() -> PathBuf {
    profile().parent().expect("the profile's directory lies in the target directory").to_owned()
}

/// Returns the directory of this test's profile.
fn profile() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows where it is");
    test.ancestors().nth(2).expect("the test lies in target/<profile>/deps").to_owned()
}

/// Returns the path of the program `name`, in the profile of the test.
pub(crate) fn program(name: &str) -> PathBuf {
    found(profile().join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// Returns the path of the component `name`, as `cargo xtask build` leaves it.
pub(crate) fn guest(name: &str) -> PathBuf {
    found(target().join("wasm32-wasip2/guest").join(format!("{}.wasm", file_name(name))))
}

/// The guests that this process has compiled, by name.
static COMPILED: LazyLock<Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>> = LazyLock::new(Mutex::default);

/// Returns the component precompiled: most tests do not test the compiler.
pub(crate) fn compiled(name: &str) -> PathBuf {
    let slot = COMPILED.lock().unwrap().entry(name.to_owned()).or_default().clone();
    slot.get_or_init(|| compile(name)).clone()
}

/// Returns the key of the files from [`compiled`].
pub(crate) fn key() -> PathBuf {
    directory().join("host.key")
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

fn compile(name: &str) -> PathBuf {
    let file = format!("{}.bin", file_name(name));
    // Another process may be compiling the same guest.
    let own = directory().join(format!("{name}.{}", std::process::id()));
    let shared = directory().join(&file);
    std::fs::create_dir_all(&own).unwrap();
    let mut compile = Command::new(program("tempo"));
    compile.arg("compile").arg(guest(name)).arg("--output").arg(own.join(&file)).arg("--key-file").arg(key());
    let compiled = compile.env_clear().current_dir(&own).output().unwrap();
    assert!(compiled.status.success(), "{name}: {}", String::from_utf8_lossy(&compiled.stderr));
    std::fs::rename(own.join(&file), &shared).unwrap();
    let _ = std::fs::remove_dir(&own);
    shared
}

/// Libraries have underscores in their file names, programs keep their dashes.
fn file_name(name: &str) -> String {
    match name {
        "axum" => "axum_example".to_owned(),
        "basket" | "basket-shop" | "checkout-p2" | "fan-out" | "hostile" | "hostile-p2" | "hostile-p3"
        | "links-bench" | "middleware-p2" | "middleware-pass" | "missing" | "command-p3" | "otel-raw"
        | "pricing-hostile" | "tls-p3" | "storage-bench" => {
            format!("test_{}", name.replace('-', "_"))
        }
        "blobstore-conformance" => "test_blobstore".to_owned(),
        "tls-p2" => "test-tls-p2".to_owned(),
        "blobstore-draft" => "test_blobstore_draft".to_owned(),
        "keyvalue-conformance" => "test_keyvalue".to_owned(),
        "keyvalue-drafts" => "test_keyvalue_drafts".to_owned(),
        "keyvalue-watcher" => "test_keyvalue_watcher".to_owned(),
        "messaging-conformance" => "test_messaging".to_owned(),
        _ if name.starts_with("messaging-") => format!("test_{}", name.replace('-', "_")),
        _ => name.replace('-', "_"),
    }
}

fn found(path: PathBuf) -> PathBuf {
    assert!(Path::exists(&path), "{} does not exist: run `cargo xtask build` first", path.display());
    path
}
