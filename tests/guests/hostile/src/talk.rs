//! Output: standard output, standard error, log messages.

use tempo_sdk_http::{IntoResponse, Request, Router};

use crate::{number, text};

pub(crate) fn routes(router: Router) -> Router {
    router.get("/print", print).get("/stderr", stderr).get("/log", log)
}

/// `?lines=N&bytes=M`: writes N lines of M bytes to standard output.
async fn print(request: Request) -> impl IntoResponse {
    repeat(&request, |line| println!("{line}"))
}

/// `?lines=N&bytes=M`: writes them to standard error.
async fn stderr(request: Request) -> impl IntoResponse {
    repeat(&request, |line| eprintln!("{line}"))
}

/// `?lines=N&bytes=M`: writes them to `wasi:logging`, with the context `hostile`.
async fn log(request: Request) -> impl IntoResponse {
    repeat(&request, |line| tempo_sdk_logging::info!(context: "hostile", "{line}"))
}

/// The lines are `line 1 xxx...`, padded to the requested length, with the text `?text=T` in them. Panics after them with
/// `?then=panic`.
fn repeat(request: &Request, write: impl Fn(&str)) -> String {
    let lines = number(request, "lines", 1);
    let bytes = usize::try_from(number(request, "bytes", 0)).unwrap_or(0);
    for line in 1..=lines {
        write(&format!("{:x<bytes$}", format!("line {line} {}", text(request, "text"))));
    }
    assert_ne!(text(request, "then"), "panic", "asked to panic after the lines");
    format!("{lines} lines\n")
}
