//! Stores and brokers on a real nats-server, one for each test. One program, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod blobstore;
mod bucket;
mod client;
mod counters;
mod crash;
mod credentials;
mod head;
mod keyvalue;
mod listings;
mod messaging;
mod model;
mod start;
mod support;
