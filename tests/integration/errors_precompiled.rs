//! Precompiled files that must be refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{Finished, Run, guest};

/// A precompiled file and the key that signed it.
struct Compiled {
    directory: TempDir,
}

impl Compiled {
    fn new() -> Self {
        let compiled = Self { directory: TempDir::new().unwrap() };
        compiled.compile("app.bin", "key");
        compiled
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn compile(&self, output: &str, key: &str) {
        let arguments =
            ["compile".into(), guest("hello").into_os_string(), "--output".into(), self.path(output).into()];
        Run::tempo(arguments).args(["--key-file".into(), self.path(key).into_os_string()]).finish().succeeded();
    }

    /// Runs `file` with the key that signed it.
    fn run(&self, file: &Path) -> Finished {
        Run::file(file).args(["--key-file".into(), self.path("key").into_os_string()]).finish()
    }

    /// Runs the file after `change` has modified its bytes.
    fn run_changed(&self, change: impl FnOnce(&mut Vec<u8>)) -> Finished {
        let mut bytes = fs::read(self.path("app.bin")).unwrap();
        change(&mut bytes);
        fs::write(self.path("changed.bin"), bytes).unwrap();
        self.run(&self.path("changed.bin"))
    }
}

const REFUSED: &[&str] = &[
    "refused: this precompiled file is not signed by this host's key, and loading it would run its native code",
    "`tempo compile`",
    "--key-file",
];

#[test]
fn of_another_wasmtime() {
    let ended = Compiled::new().run_changed(|bytes| {
        let version = bytes.windows(11).position(|window| window == b"wasmtime 48").unwrap();
        bytes[version..version + 11].copy_from_slice(b"wasmtime 47");
    });
    ended.failed_in_one_line(65, &["was built by wasmtime 47 for ", "; this is wasmtime 48 for ", "compile it again"]);
}

#[test]
fn changed_anywhere() {
    let compiled = Compiled::new();
    let length = fs::metadata(compiled.path("app.bin")).unwrap().len() as usize;
    // In the machine code, at its end, and in the signature.
    for index in [length / 2, length - 33, length - 32, length - 1] {
        compiled.run_changed(|bytes| bytes[index] ^= 1).failed_in_one_line(77, REFUSED);
    }
    compiled.run_changed(|bytes| bytes.extend([0; 16])).failed_in_one_line(77, REFUSED);
}

#[test]
fn cut_short() {
    let compiled = Compiled::new();
    compiled
        .run_changed(|bytes| bytes.truncate(20))
        .failed_in_one_line(65, &["cut short or damaged: compile it again"]);
    compiled.run_changed(|bytes| bytes.truncate(bytes.len() - 1)).failed_in_one_line(77, REFUSED);
}

#[test]
fn signed_by_another_key() {
    let compiled = Compiled::new();
    compiled.compile("other.bin", "other key");
    compiled.run(&compiled.path("other.bin")).failed_in_one_line(77, REFUSED);
}

#[test]
fn where_there_is_no_key() {
    let compiled = Compiled::new();
    Run::file(&compiled.path("app.bin")).finish().failed_in_one_line(77, REFUSED);
}

#[test]
fn with_a_key_that_others_can_read() {
    let compiled = Compiled::new();
    fs::set_permissions(compiled.path("key"), fs::Permissions::from_mode(0o644)).unwrap();
    compiled
        .run(&compiled.path("app.bin"))
        .failed_in_one_line(77, &["refused: other users can read the key", "chmod 600"]);
}

#[test]
fn with_something_that_is_no_key() {
    let compiled = Compiled::new();
    fs::write(compiled.path("key"), "short").unwrap();
    compiled.run(&compiled.path("app.bin")).failed_in_one_line(77, &["not a key of 32 bytes"]);
}

#[test]
fn where_the_key_cannot_be_written() {
    let ended = Run::tempo(["compile".into(), guest("hello").into_os_string()])
        .args(["--output", "app.bin", "--key-file", "/proc/key"])
        .finish();
    ended.failed_in_one_line(73, &["cannot write the key /proc/key", "--key-file"]);
}
