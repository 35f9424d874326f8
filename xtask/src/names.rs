//! Names that several commands share: the target of guests, and the variables that tests and benchmarks read.

/// The target of every guest.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// The variable with the path of the nats-server for the tests.
pub(crate) const NATS_SERVER: &str = "TEMPO_TEST_NATS_SERVER";
/// The variable with the Python packages of the S3 server for the tests.
pub(crate) const S3_SERVER: &str = "TEMPO_TEST_S3_SERVER";
/// The variable with the path of the Chromium for the tests of the dashboard.
pub(crate) const CHROMIUM: &str = "TEMPO_TEST_CHROMIUM";
/// The variable with the path of the promtool for the tests of the metrics.
pub(crate) const PROMTOOL: &str = "TEMPO_TEST_PROMTOOL";
/// The variable with the path of the valgrind for `cargo xtask bench count`.
pub(crate) const VALGRIND: &str = "TEMPO_BENCH_VALGRIND";
/// The variable that makes long tests run in full.
pub(crate) const SLOW: &str = "TEMPO_TEST_SLOW";
