//! The secret of the tests: every test uses this word for its secrets, and no output of any program in any test may
//! contain it.

/// Part of every secret in tests: in headers, addresses, configuration, values.
pub(crate) const CANARY: &str = "s3cret";

/// Panics if `said` contains the secret, unless the test is already panicking.
#[track_caller]
pub(crate) fn assert_no_secret(what: &str, said: &str) {
    if std::thread::panicking() {
        return;
    }
    let leaks: Vec<&str> = said.lines().filter(|line| line.contains(CANARY)).collect();
    assert!(leaks.is_empty(), "a secret is in {what}: {leaks:#?}");
}
