//! The native server that `cargo xtask bench` compares Tempo with: plain hyper, with the response of the hello guest.
//!
//! One current-thread runtime and one listening socket per thread, each pinned to a core if requested: hyper's fastest
//! arrangement, for a fair ratio.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::{Arg, Command, value_parser};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket, Type};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The response of the hello guests.
const HELLO: &str = "Hello from Tempo!\n";
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let matches = Command::new("hyper-hello")
        .about("Answers every request with the hello guest's bytes, by hyper alone")
        .arg(
            Arg::new("addr")
                .long("addr")
                .value_parser(value_parser!(SocketAddr))
                .help("Address to listen on [default: 127.0.0.1, any free port]"),
        )
        .arg(
            Arg::new("threads")
                .long("threads")
                .default_value("1")
                .value_parser(value_parser!(u16).range(1..))
                .help("Threads, each with a runtime of its own"),
        )
        .arg(
            Arg::new("cpus")
                .long("cpus")
                .value_delimiter(',')
                .value_parser(value_parser!(u16).range(0..1024))
                .help("Cores to pin the threads to, in turn"),
        )
        .get_matches();
    let addr = matches.get_one("addr").copied().unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let threads = matches.get_one::<u16>("threads").copied().unwrap_or(1);
    let cpus: Vec<u16> = matches.get_many("cpus").into_iter().flatten().copied().collect();

    // All listeners exist before the address is printed: the first connection may arrive at once.
    let first = listen(addr)?;
    let addr = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..threads {
        listeners.push(listen(addr)?);
    }
    eprintln!("listening on http://{addr}");
    let mut cpus = cpus.into_iter().cycle();
    let running: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let cpu = cpus.next();
            thread::spawn(move || serve(listener, cpu))
        })
        .collect();
    for thread in running {
        thread.join().map_err(|_| anyhow::anyhow!("a server thread panicked"))??;
    }
    Ok(())
}

/// Creates a listener that shares its port with those of the other threads.
fn listen(addr: SocketAddr) -> Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into()).with_context(|| format!("cannot bind {addr}"))?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// One thread: accepts and serves forever.
fn serve(listener: TcpListener, cpu: Option<u16>) -> Result<()> {
    if let Some(cpu) = cpu {
        pin(cpu).with_context(|| format!("cannot pin a thread to core {cpu}"))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                // A disconnected client is not an error.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello)).await;
            });
        }
    })
}

/// Pins the calling thread to one core.
#[cfg(target_os = "linux")]
fn pin(cpu: u16) -> Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu.into());
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

#[cfg(not(target_os = "linux"))]
fn pin(_: u16) -> Result<()> {
    anyhow::bail!("only Linux can")
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(HELLO.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, PLAIN_TEXT);
    Ok(response)
}
