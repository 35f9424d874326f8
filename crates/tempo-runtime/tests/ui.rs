//! Tests that wrong uses of `runtime!` are compile errors that name the fix.

#[test]
fn mistakes_in_runtime() {
    if !compiler_of_the_snapshots() {
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/service_twice.rs");
    cases.compile_fail("tests/ui/service_without_backend.rs");
    cases.compile_fail("tests/ui/backend_of_another_service.rs");
    cases.compile_fail("tests/ui/trigger_without_its_service.rs");
    cases.compile_fail("tests/ui/not_a_trigger.rs");
    cases.compile_fail("tests/ui/not_a_tool.rs");
    cases.compile_fail("tests/ui/other_syntax.rs");
}

/// Returns whether rustc has the version of the snapshots: half of each message is rustc's own and changes with its version.
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
