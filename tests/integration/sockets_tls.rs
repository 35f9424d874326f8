//! TLS connections of components over `wasi:tls`, in both versions of WASI.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::{ServerConnection, StreamOwned};

use crate::support::tls::Certificate;
use crate::support::{Finished, PATIENCE, Run};

const COMMANDS: [&str; 2] = ["tls-p2", "tls-p3"];

/// A TLS server that sends back what it receives until `close_notify`.
struct Echo {
    certificate: Certificate,
    address: SocketAddr,
}

impl Echo {
    fn start() -> Self {
        let certificate = Certificate::new();
        let config = certificate.server();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let config = Arc::clone(&config);
                thread::spawn(move || echo(StreamOwned::new(ServerConnection::new(config).unwrap(), stream.unwrap())));
            }
        });
        Self { certificate, address }
    }

    fn peer(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// Returns the flags that grant the server and trust its certificate.
    fn grants(&self) -> Vec<String> {
        let ca = self.certificate.cert().display().to_string();
        let grant = self.peer();
        ["--allow-socket", &grant, "--allow-socket-address", "127.0.0.0/8", "--socket-ca", &ca].map(String::from).into()
    }
}

fn echo(mut stream: StreamOwned<ServerConnection, TcpStream>) {
    stream.sock.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = Vec::new();
    if stream.read_to_end(&mut text).is_ok() {
        let _ = stream.write_all(&text);
    }
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn run(name: &str, grants: &[String], instruction: &str) -> Finished {
    Run::guest(name).args(grants).args(["--", instruction]).finish()
}

#[track_caller]
fn fails(ended: &Finished, what: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    for what in what {
        assert!(ended.stderr.contains(what), "no `{what}` in {ended:?}");
    }
}

#[test]
fn a_granted_name_is_connected() {
    let server = Echo::start();
    for command in COMMANDS {
        let ended = run(command, &server.grants(), &format!("connect={}", server.peer()));
        assert_eq!(ended.succeeded(), "hello\n", "{command}");
    }
}

#[test]
fn a_name_that_is_not_granted_is_denied() {
    let server = Echo::start();
    for command in COMMANDS {
        for name in ["example.com", "127.0.0.1"] {
            let ended = run(command, &server.grants(), &format!("connect={},{name}", server.peer()));
            let hint = format!("denied a TLS connection to {name}: to allow it, add `--allow-socket {name}:PORT`");
            fails(&ended, &[&hint, "the server name is not granted"]);
        }
        let long = "a".repeat(2000);
        for invalid in ["a..b", "a b", "", &long] {
            let ended = run(command, &server.grants(), &format!("connect={},{invalid}", server.peer()));
            fails(&ended, &["invalid server name"]);
        }
    }
}

#[test]
fn the_certificate_must_be_valid_for_the_name() {
    let (server, other) = (Echo::start(), Echo::start());
    for command in COMMANDS {
        let mut grants = server.grants();
        let connect = format!("connect={}", server.peer());
        grants.truncate(4);
        let advice = "a private authority is trusted with `--socket-ca FILE`";
        fails(&run(command, &grants, &connect), &["the certificate of localhost was not accepted", advice]);
        grants.extend(["--socket-ca".to_owned(), other.certificate.cert().display().to_string()]);
        fails(&run(command, &grants, &connect), &["the certificate of localhost was not accepted", advice]);
        let mut grants = server.grants();
        grants.extend(["--allow-socket", "db.internal"].map(String::from));
        let ended = run(command, &grants, &format!("{connect},db.internal"));
        fails(&ended, &["the certificate of db.internal was not accepted"]);
    }
}

#[test]
fn a_server_that_does_not_respond_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let grants = ["--allow-socket", "localhost", "--allow-socket-address", "127.0.0.1"].map(String::from);
    for command in COMMANDS {
        let ended = run(command, &grants, &format!("connect=localhost:{port}"));
        fails(&ended, &["the TLS handshake took longer than 5s"]);
    }
}

#[test]
fn a_handshake_without_streams_fails() {
    let ended = run("tls-p3", &["--allow-socket", "localhost"].map(String::from), "early=localhost");
    fails(&ended, &["send() must be called before connect()"]);
}

/// A handshake takes the streams of its socket, and counts as an open file in its place.
#[test]
fn handshakes_count_as_open_files() {
    let server = Echo::start();
    for (limit, expected) in [("9", "8\n"), ("4", "3\n")] {
        let mut grants = server.grants();
        grants.extend(["--max-open-files", limit].map(String::from));
        let ended = run("tls-p2", &grants, &format!("hold=8,{}", server.peer()));
        assert_eq!(ended.stdout, expected, "{ended:?}");
        let hit = format!("tried to open more than {limit} files (limit: --max-open-files)");
        assert_eq!(ended.stderr.contains(&hit), limit == "4", "{ended:?}");
    }
}

/// Each connection reserves its buffers in the budget of the store.
#[test]
fn connections_are_limited_by_the_memory_of_the_host() {
    let server = Echo::start();
    let mut grants = server.grants();
    grants.extend(["--max-host-memory", "1MiB"].map(String::from));
    let ended = run("tls-p2", &grants, &format!("hold=6,{}", server.peer()));
    assert_eq!(ended.succeeded(), "4\n");
}

#[test]
fn a_write_beyond_the_permit_is_a_trap() {
    let server = Echo::start();
    let ended = run("tls-p2", &server.grants(), &format!("large={}", server.peer()));
    assert_eq!(ended.stdout, "", "{ended:?}");
    assert!(ended.stderr.contains("cannot write more than `check-write` permits"), "{ended:?}");
}
