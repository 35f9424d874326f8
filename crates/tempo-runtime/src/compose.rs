//! Composed links: a component and those whose exports it imports become one component, before it is compiled.
//!
//! One store holds all of them, so resources, streams and futures cross, and a call costs what a call within a component does. A
//! dependency has no grants of its own: it gets those of its caller that `inherit` names ([`policy`]). Its other imports are those of
//! a component composed around it, which denies the calls ([`deny`]); so other hosts keep to `inherit` too. `wac-graph`
//! connects the components ([`graph`]).

mod app;
mod composer;
mod deny;
mod file;
mod graph;
mod policy;
#[cfg(test)]
mod tests;

pub(crate) use app::{ComposedApp, compose};
pub(crate) use file::write;
