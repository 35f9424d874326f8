//! A handler of wasi:http 0.3 with Spin's SDK, and calls of the other packages that the SDK re-exports.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;
use spin_sdk::wasip3::{clocks, filesystem, random, sockets};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let path = request.uri().path();
    if path == "/interfaces" { call_all().await } else { format!("hello from Rust with spin-sdk 6: {path}") }
}

async fn call_all() -> String {
    let before = clocks::monotonic_clock::now();
    clocks::monotonic_clock::wait_for(1_000_000).await;
    let waited = clocks::monotonic_clock::now() - before >= 1_000_000;
    let directories = filesystem::preopens::get_directories().len();
    let bytes = random::random::get_random_bytes(8).len();
    let socket = sockets::types::TcpSocket::create(sockets::types::IpAddressFamily::Ipv4).is_ok();
    println!("a line of standard output");
    format!("waited: {waited}, directories: {directories}, random bytes: {bytes}, socket: {socket}")
}
