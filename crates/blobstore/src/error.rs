//! The error of a container operation, which the guest receives.

tempo_backend::backend_error! {
    service: "blobstore",
    too_large: TooLarge,
    kinds: {
        /// No container is configured under that name.
        NoSuchContainer = "no_such_container",
        /// There is no object of that name.
        NoSuchObject = "no_such_object",
        /// An object of this name exists. Nothing was written.
        AlreadyExists = "already_exists",
        /// A name, an option or a value is not allowed.
        InvalidArgument = "invalid_argument",
        /// The object exceeds the size limit. Nothing was written.
        TooLarge = "too_large",
        /// The operation timed out. A write may have been done.
        Timeout = "timeout",
        /// The container is unreachable.
        Unavailable = "unavailable",
        /// A quota or rate limit is exhausted.
        QuotaExceeded = "quota_exceeded",
        /// The component or the host's credentials lack permission.
        AccessDenied = "access_denied",
        /// Any other failure.
        Other = "_OTHER",
    }
}

impl Error {
    /// Returns the error for a missing object.
    pub fn no_such_object() -> Self {
        Self::new(ErrorKind::NoSuchObject, "there is no such object")
    }

    /// Returns the error for a name that is in use.
    pub fn already_exists() -> Self {
        Self::new(ErrorKind::AlreadyExists, "there is an object of that name")
    }

    /// Returns the error for a name without a configured container.
    pub fn no_such_container() -> Self {
        Self::new(ErrorKind::NoSuchContainer, "no container of that name is configured")
    }

    /// Returns the error for an invalid argument, with the reason `message`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }
}
