#![doc = include_str!("../README.md")]

mod admin;
mod dashboard;
mod events;
mod guest_rows;
mod prometheus;
mod recent;
mod rows;
mod server;

pub use admin::{ADMIN, Admin, Health, Phase};
pub use dashboard::{DASHBOARD, Dashboard};
pub use prometheus::Scrape;
pub use recent::Recent;
pub use rows::LogLine;
pub use server::Listener;
