//! The error of a store operation, as it reaches the guest.

tempo_backend::backend_error! {
    service: "keyvalue",
    too_large: QuotaExceeded,
    kinds: {
        /// No store is configured under this name.
        NoSuchStore = "no_such_store",
        /// The component or the host's credentials lack permission.
        AccessDenied = "access_denied",
        /// The key, the value or the request is invalid.
        InvalidArgument = "invalid_argument",
        /// The condition of a write does not hold. Nothing was written.
        PreconditionFailed = "precondition_failed",
        /// The operation timed out. A write may have been done.
        Timeout = "timeout",
        /// The store is unreachable.
        Unavailable = "unavailable",
        /// A quota or rate limit is exhausted.
        QuotaExceeded = "quota_exceeded",
        /// Any other failure.
        Other = "_OTHER",
    }
}
