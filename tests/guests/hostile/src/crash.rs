//! Calls that end without a response, or late: panics, traps, loops.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tempo_sdk_http::{IntoResponse, Request, Router};

use crate::number;

pub(crate) fn routes(router: Router) -> Router {
    let router = router.get("/panic", panicking).get("/trap", trap).get("/stack", stack);
    router.get("/spin", spin).get("/burn", burn).get("/count", count)
}

async fn panicking(_: Request) -> &'static str {
    panic!("asked to panic; the secret is xyzzy")
}

async fn trap(_: Request) -> &'static str {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort();
}

/// Loops forever without yielding.
async fn spin(_: Request) -> &'static str {
    let mut rounds = 0_u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

/// `?ms=N`: computes for N ms, then responds.
async fn burn(request: Request) -> impl IntoResponse {
    let limit = Duration::from_millis(number(&request, "ms", 100));
    let start = Instant::now();
    let mut rounds = 0_u64;
    while start.elapsed() < limit {
        for _ in 0..10_000 {
            rounds = black_box(rounds.wrapping_add(1));
        }
    }
    format!("{rounds}\n")
}

/// `?rounds=N`: computes for that many rounds, at any cost of time, then responds.
async fn count(request: Request) -> impl IntoResponse {
    let limit = number(&request, "rounds", 1000);
    let mut rounds = 0_u64;
    while rounds < limit {
        rounds = black_box(rounds.wrapping_add(1));
    }
    format!("{rounds}\n")
}

/// Recurses forever.
async fn stack(_: Request) -> impl IntoResponse {
    format!("{}\n", descend(black_box(1)))
}

#[expect(unconditional_recursion, reason = "running out of stack is the point")]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    black_box(descend(depth.wrapping_add(1))).wrapping_add(frame.iter().sum())
}
