//! `tempo:blobstore@0.1.0`: the interface and its streams.

mod consumer;
mod convert;
mod producer;
mod store;
#[cfg(test)]
mod tests;
