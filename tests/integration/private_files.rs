//! Files that no other user can read, and files that are not overwritten.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Client, Run, guest};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Returns everything below `directory` that another user can access.
fn open_to_others(directory: &Path) -> Vec<String> {
    let mut open = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if mode(&path) & 0o077 != 0 {
            open.push(format!("{} {:o}", path.display(), mode(&path)));
        }
        if path.is_dir() {
            open.extend(open_to_others(&path));
        }
    }
    open
}

#[test]
fn what_is_kept_for_a_component_is_its_owners_only() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join(".tempo");
    let keep = || {
        let server = Run::guest("blobstore").within(directory.path()).serve();
        assert_eq!(Client::connect(server.address).put("/objects/a", "x").status, 201);
        let server = Run::guest("orders").args(["--subscribe", "orders.>"]).within(directory.path()).serve();
        let order = r#"{"id": "1", "customer": "Ada", "item": "tea", "quantity": 2}"#;
        assert_eq!(Client::connect(server.address).post("/orders", order).status, 202);
    };
    keep();
    let files = ["keyvalue.redb", "messaging.redb", "blobstore/objects/a"];
    assert!(files.iter().all(|file| data.join(file).is_file()));
    assert_eq!((mode(&data), open_to_others(&data)), (0o700, vec![]));

    // As an earlier version left it, readable by others.
    for file in files {
        fs::set_permissions(data.join(file), Permissions::from_mode(0o644)).unwrap();
    }
    for made in ["", "blobstore", "blobstore/objects", "blobstore/partial"] {
        fs::set_permissions(data.join(made), Permissions::from_mode(0o755)).unwrap();
    }
    keep();
    assert_eq!((mode(&data), open_to_others(&data)), (0o700, vec![]));
}

#[test]
fn a_component_is_not_compiled_over_itself_or_over_what_is_no_file() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::copy(guest("hello"), at("app.bin")).unwrap();
    fs::write(at("other"), "other").unwrap();
    symlink("app.bin", at("same")).unwrap();
    symlink("other", at("link")).unwrap();
    fs::hard_link(at("app.bin"), at("hard")).unwrap();
    let compile = |output: &[&str]| {
        let run = Run::tempo(["compile", "app.bin"]).args(["--key-file", "key"]).args(output);
        run.within(directory.path()).finish()
    };
    // Without -o the output has the extension .bin too.
    for output in [&[][..], &["-o", "app.bin"], &["-o", "./same"], &["-o", "hard"]] {
        compile(output).failed_in_one_line(73, &["it is the source itself", "-o"]);
    }
    compile(&["-o", "link"]).failed_in_one_line(73, &["link", "it is a link"]);
    compile(&["-o", "."]).failed_in_one_line(73, &["it is not a file"]);
    assert_eq!(fs::read(at("app.bin")).unwrap(), fs::read(guest("hello")).unwrap());
    assert_eq!(fs::read(at("other")).unwrap(), b"other");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 5, "nothing is left behind");
}
