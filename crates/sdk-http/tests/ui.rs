//! Snapshots of the compiler messages of `#[handler]`: each names the fix.

#[test]
fn messages_name_the_fix() {
    if !compiler_of_the_snapshots() {
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/ok_*.rs");
    cases.compile_fail("tests/ui/bad_*.rs");
}

/// Half of each message is rustc's own and changes with its version: the snapshots apply to one version only.
fn compiler_of_the_snapshots() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(output) = std::process::Command::new(rustc).arg("--version").output() else { panic!("rustc does not run") };
    let version = String::from_utf8_lossy(&output.stdout);
    let same = version.starts_with("rustc 1.95.");
    if !same {
        eprintln!("SKIPPED: the messages were recorded with rustc 1.95, and this is {version}");
    }
    same
}
