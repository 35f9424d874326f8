//! Maps wasmtime's errors to the flags of the limits that caused them.

use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

/// Phrases of wasmtime's untyped errors, with the flags of the limits that they report.
const PHRASES: &[(&str, &str)] = &[
    ("exceeds memory limits", "max-memory"),
    ("GC heap out of memory", "max-memory"),
    ("exceeds table limits", "max-table-elements"),
    ("table count too high", "max-tables"),
    ("resource table has no free keys", "max-handles"),
    ("fuel allocated for hostcalls has been exhausted", "max-hostcall-bytes"),
];

/// Returns the flag, without its dashes, of the limit that caused `error`, if one did.
pub fn limit_of(error: &wasmtime::Error) -> Option<&'static str> {
    if error.is::<PoolConcurrencyLimitError>() {
        // Every part of the pool is sized by the number of requests.
        return Some("max-requests");
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::StackOverflow) {
        return Some("max-wasm-stack");
    }
    let cause = error.root_cause().to_string();
    PHRASES.iter().find(|(phrase, _)| cause.contains(phrase)).map(|(_, flag)| *flag)
}

/// The name of the core module that denies calls of a composed component. The names of its functions are those of the calls.
const DENIED_MODULE: &str = "tempo-denied";

/// Returns the call that a trap denied, because the link of a composed component does not grant it.
fn denied(error: &wasmtime::Error) -> Option<&str> {
    let frame = error.downcast_ref::<WasmBacktrace>()?.frames().first()?;
    frame.func_name().filter(|_| frame.module().name() == Some(DENIED_MODULE))
}

/// Returns the root cause of `error` in one line, with the flag of the limit that caused it.
pub fn describe(error: &wasmtime::Error) -> String {
    if let Some(call) = denied(error) {
        return format!("`{}` is denied: the composed link does not `inherit` its grant", call.escape_debug());
    }
    let cause = error.root_cause();
    match limit_of(error) {
        Some(flag) => format!("{cause} (limit: --{flag})"),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_of_a_limit_is_named() {
        let described = |error: wasmtime::Error| describe(&error.context("while it ran"));
        assert_eq!(
            described(wasmtime::Error::msg("resource limit exceeded: table count too high at 17")),
            "resource limit exceeded: table count too high at 17 (limit: --max-tables)"
        );
        assert_eq!(described(Trap::StackOverflow.into()), "wasm trap: call stack exhausted (limit: --max-wasm-stack)");
        assert_eq!(described(wasmtime::Error::msg("boom")), "boom");
    }
}
