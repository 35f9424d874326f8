#![doc = include_str!("../README.md")]

mod admin;
mod prometheus;
mod server;

pub use admin::{ADMIN, Admin, Health, Phase};
pub use prometheus::Scrape;
pub use server::Listener;
