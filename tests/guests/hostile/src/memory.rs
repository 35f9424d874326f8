//! Exceeds limits: memory, handles.

use std::hint::black_box;
use std::mem::forget;
use std::sync::atomic::{AtomicU64, Ordering};

use tempo_sdk_http::{IntoResponse, Request, Router};
use wasip3::http::types::Fields;
use wasip3::wit_stream;

use crate::{number, text};

const MIB: usize = 1 << 20;

static REQUESTS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn routes(router: Router) -> Router {
    router.get("/hog", hog).get("/grow", grow).get("/leak", leak).get("/counter", counter)
}

/// `?mib=N`: allocates and touches N MiB, then responds; without N it allocates until it traps.
async fn hog(request: Request) -> impl IntoResponse {
    let limit = number(&request, "mib", u64::MAX);
    let mut held = Vec::new();
    while (held.len() as u64) < limit {
        held.push(black_box(vec![1_u8; MIB]));
    }
    format!("{} MiB\n", held.len())
}

/// `?pages=N`: grows the linear memory to exactly N pages of 64 KiB; returns the number of pages afterwards.
async fn grow(request: Request) -> impl IntoResponse {
    let wanted = usize::try_from(number(&request, "pages", 0)).unwrap_or(usize::MAX);
    let before = pages();
    let refused = wanted > before && !grow_by(wanted - before);
    format!("{} pages{}\n", pages(), if refused { ", refused" } else { "" })
}

#[cfg(target_family = "wasm")]
fn pages() -> usize {
    core::arch::wasm32::memory_size(0)
}

#[cfg(target_family = "wasm")]
fn grow_by(pages: usize) -> bool {
    core::arch::wasm32::memory_grow(0, pages) != usize::MAX
}

#[cfg(not(target_family = "wasm"))]
fn pages() -> usize {
    0
}

#[cfg(not(target_family = "wasm"))]
fn grow_by(_pages: usize) -> bool {
    false
}

/// `?handles=N`: creates N handles and leaks them; `&kind=stream` in the table of streams, otherwise in that of
/// resources.
async fn leak(request: Request) -> impl IntoResponse {
    let wanted = number(&request, "handles", 10_000);
    let streams = text(&request, "kind") == "stream";
    for _ in 0..wanted {
        if streams {
            forget(wit_stream::new::<u8>());
        } else {
            forget(Fields::new());
        }
    }
    format!("{wanted} handles\n")
}

/// Returns the number of requests of this instance, which shows reuse.
async fn counter(_: Request) -> impl IntoResponse {
    format!("{}\n", REQUESTS.fetch_add(1, Ordering::Relaxed) + 1)
}
