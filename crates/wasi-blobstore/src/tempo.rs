//! `tempo:blobstore@0.1.0`: the interface, and the streams it works with.

mod consumer;
mod convert;
mod producer;
mod store;
#[cfg(test)]
mod tests;
