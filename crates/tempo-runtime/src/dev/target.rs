//! `Target`: a component that a session builds, and the state of its build.

use super::plan::Build;

/// The state of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetState {
    /// It must run.
    Pending,
    /// It runs.
    Running,
    /// It has succeeded since the last change.
    Built,
    /// It has failed since the last change.
    Failed,
}

/// A component that is built.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Its build.
    pub(super) build: Build,
    /// The state of the build.
    pub(super) state: TargetState,
    /// Whether it has succeeded once.
    pub(super) was_built: bool,
}

impl Target {
    /// A component that has not been built in this session.
    pub(super) fn new(build: Build) -> Self {
        Self { build, state: TargetState::Pending, was_built: false }
    }

    /// The target of `build`, which follows those of `previous`: one that is built otherwise is built again.
    pub(super) fn after(previous: &[Self], build: &Build) -> Self {
        match previous.iter().find(|target| target.build.component == build.component) {
            Some(target) if target.build == *build => target.clone(),
            target => Self { was_built: target.is_some_and(|target| target.was_built), ..Self::new(build.clone()) },
        }
    }
}
