//! One macro per level, with the arguments of `format!`.

/// Writes a message of the given [`Level`](crate::Level): `log!(Level::Info, "{n} orders")`, or with an explicit
/// context: `log!(Level::Info, context: "stock", "{n} orders")`.
#[macro_export]
macro_rules! log {
    ($level:expr, context: $context:expr, $($message:tt)+) => {
        $crate::log($level, $context, &::std::format!($($message)+))
    };
    ($level:expr, $($message:tt)+) => {
        $crate::log($level, ::core::module_path!(), &::std::format!($($message)+))
    };
}

/// Writes a message of [`Level::Trace`](crate::Level::Trace); see [`log!`](crate::log!).
#[macro_export]
macro_rules! trace { ($($message:tt)+) => { $crate::log!($crate::Level::Trace, $($message)+) }; }

/// Writes a message of [`Level::Debug`](crate::Level::Debug); see [`log!`](crate::log!).
#[macro_export]
macro_rules! debug { ($($message:tt)+) => { $crate::log!($crate::Level::Debug, $($message)+) }; }

/// Writes a message of [`Level::Info`](crate::Level::Info); see [`log!`](crate::log!).
#[macro_export]
macro_rules! info { ($($message:tt)+) => { $crate::log!($crate::Level::Info, $($message)+) }; }

/// Writes a message of [`Level::Warn`](crate::Level::Warn); see [`log!`](crate::log!).
#[macro_export]
macro_rules! warn { ($($message:tt)+) => { $crate::log!($crate::Level::Warn, $($message)+) }; }

/// Writes a message of [`Level::Error`](crate::Level::Error); see [`log!`](crate::log!).
#[macro_export]
macro_rules! error { ($($message:tt)+) => { $crate::log!($crate::Level::Error, $($message)+) }; }

/// Writes a message of [`Level::Critical`](crate::Level::Critical); see [`log!`](crate::log!).
#[macro_export]
macro_rules! critical { ($($message:tt)+) => { $crate::log!($crate::Level::Critical, $($message)+) }; }
