//! The secret of the tests: every test that has one to give uses this word, and nothing that any program says, in any test,
//! may have it in it.

/// Part of every secret that tests give: in headers, addresses, configuration, values.
pub(crate) const CANARY: &str = "s3cret";

/// Fails if `said` tells the secret, unless the test fails already.
#[track_caller]
pub(crate) fn assert_untold(what: &str, said: &str) {
    if std::thread::panicking() {
        return;
    }
    let told: Vec<&str> = said.lines().filter(|line| line.contains(CANARY)).collect();
    assert!(told.is_empty(), "a secret is in {what}: {told:#?}");
}
