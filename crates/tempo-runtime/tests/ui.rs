//! The mistakes one can make with `runtime!` are compile errors that name the fix.

#[test]
fn mistakes_in_runtime() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/service_twice.rs");
    cases.compile_fail("tests/ui/service_without_backend.rs");
    cases.compile_fail("tests/ui/backend_of_another_service.rs");
    cases.compile_fail("tests/ui/trigger_without_its_service.rs");
    cases.compile_fail("tests/ui/not_a_trigger.rs");
    cases.compile_fail("tests/ui/other_syntax.rs");
}
