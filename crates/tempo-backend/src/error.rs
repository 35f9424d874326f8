//! `backend_error!`: the error of a domain crate, in the same form for every service.

/// Defines the `ErrorKind`, `Error` and `Result` of a domain crate. Each kind has its value of the attribute `error.type`.
///
/// An [`OverBudget`](crate::OverBudget) becomes an error too: an exhausted budget is a `QuotaExceeded`, and a value above the
/// whole budget the kind named by `too_large`.
///
/// ```
/// tempo_backend::backend_error! {
///     service: "clock",
///     too_large: QuotaExceeded,
///     kinds: {
///         /// The clock is unreachable.
///         Unavailable = "unavailable",
///         /// A quota or rate limit is exhausted.
///         QuotaExceeded = "quota_exceeded",
///     }
/// }
///
/// let error = Error::new(ErrorKind::Unavailable, "the server is down");
/// assert_eq!(error.to_string(), "clock: the server is down");
/// assert_eq!(error.kind().name(), "unavailable");
/// ```
#[macro_export]
macro_rules! backend_error {
    (
        service: $service:literal,
        too_large: $too_large:ident,
        kinds: { $($(#[$doc:meta])* $kind:ident = $name:literal,)+ }
    ) => {
        /// Kind of an error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $kind,)+
        }

        impl ErrorKind {
            /// Returns the value of the attribute `error.type`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }

        /// The error of an operation of a backend. Its message reaches the guest, so it contains no secrets and no internals
        /// of the host.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Error {
            kind: ErrorKind,
            message: String,
        }

        /// Result of an operation of a backend.
        pub type Result<T> = std::result::Result<T, Error>;

        impl Error {
            /// Creates an error.
            pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
                Self { kind, message: message.into() }
            }

            /// Returns the kind.
            pub fn kind(&self) -> ErrorKind {
                self.kind
            }

            /// Returns the message, without the name of the service.
            pub fn message(&self) -> &str {
                &self.message
            }
        }

        impl std::fmt::Display for Error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($service, ": {}"), self.message)
            }
        }

        impl std::error::Error for Error {}

        impl From<$crate::OverBudget> for Error {
            fn from(over: $crate::OverBudget) -> Self {
                let kind = match over {
                    $crate::OverBudget::TooLarge { .. } => ErrorKind::$too_large,
                    // `Exhausted`: another time there may be enough bytes.
                    _ => ErrorKind::QuotaExceeded,
                };
                Self::new(kind, over.to_string())
            }
        }
    };
}
