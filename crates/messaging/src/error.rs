//! The error of a broker operation, as it reaches the guest.

tempo_backend::backend_error! {
    service: "messaging",
    too_large: TooLarge,
    kinds: {
        /// No client is configured under this name.
        NoSuchClient = "no_such_client",
        /// The topic, a header or another part of the message is invalid.
        InvalidArgument = "invalid_argument",
        /// The message exceeds a limit of the host or the server.
        TooLarge = "too_large",
        /// The operation timed out. The message may have been accepted.
        Timeout = "timeout",
        /// No subscriber takes messages of this topic.
        NoResponders = "no_responders",
        /// The server is unreachable.
        Unavailable = "unavailable",
        /// A quota or rate limit is exhausted.
        QuotaExceeded = "quota_exceeded",
        /// The component or the host's credentials lack permission.
        AccessDenied = "access_denied",
        /// Any other failure.
        Other = "_OTHER",
    }
}
