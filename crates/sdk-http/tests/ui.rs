//! The messages of `#[handler]` name the fix.

#[test]
fn messages_name_the_fix() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/ok_*.rs");
    cases.compile_fail("tests/ui/bad_*.rs");
}
