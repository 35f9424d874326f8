//! Real components handle messages.
