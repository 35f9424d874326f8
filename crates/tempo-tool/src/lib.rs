//! [`Tool`]: an operator command of a Tempo runtime, for the data that its services store.

mod tool;

pub use clap;
pub use tool::Tool;
