//! File descriptors: how many the process may have.

/// Lets the process have as many open files as the system allows it: the soft limit is that of shells, which is low for
/// the sake of programs that use `select`.
pub fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // Where it is refused (macOS has a lower bound of its own) the soft limit holds, and is what is checked against.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

/// How many files the process may have open at once; `None` if there is no limit.
pub fn file_limit() -> Option<usize> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())
    }
    #[cfg(not(unix))]
    None
}
