//! Connections of components to granted names and addresses, over TCP and UDP, through both versions of WASI.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::thread;

use crate::support::{Finished, Run, get, serve_with};

/// Commands of WASI 0.2, with the standard library, and of WASI 0.3.
pub(crate) const COMMANDS: [&str; 2] = ["command", "command-p3"];

fn run(name: &str, grants: &[&str], instruction: &str) -> Finished {
    Run::guest(name).args(grants).args(["--", instruction]).finish()
}

/// Starts a server that sends back what it receives, over TCP and UDP on one port.
fn echo() -> SocketAddr {
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            break (tcp, udp);
        }
    };
    let address = tcp.local_addr().unwrap();
    thread::spawn(move || {
        for stream in tcp.incoming() {
            let (mut stream, mut text) = (stream.unwrap(), Vec::new());
            if stream.read_to_end(&mut text).is_ok() {
                let _ = stream.write_all(&text);
            }
        }
    });
    thread::spawn(move || {
        let mut datagram = [0; 1500];
        while let Ok((length, peer)) = udp.recv_from(&mut datagram) {
            let _ = udp.send_to(&datagram[..length], peer);
        }
    });
    address
}

#[track_caller]
fn is_denied(ended: &Finished, what: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains(what), "no `{what}` in {ended:?}");
}

#[test]
fn a_granted_name_is_resolved_and_connected() {
    let port = echo().port();
    for command in COMMANDS {
        for grant in [format!("localhost:{port}"), "LOCALHOST.".to_owned(), format!("*:{port}")] {
            let grants = ["--allow-socket", &grant, "--allow-socket-address", "127.0.0.0/8"];
            for instruction in ["connect", "send"] {
                let ended = run(command, &grants, &format!("{instruction}=localhost:{port}"));
                assert_eq!(ended.succeeded(), "hello\n", "{command} {grant} {instruction}");
            }
        }
    }
}

#[test]
fn an_address_is_granted_with_its_port() {
    let address = echo();
    for command in COMMANDS {
        for grant in [address.to_string(), "127.0.0.1".to_owned()] {
            for instruction in ["connect", "send"] {
                let ended = run(command, &["--allow-socket", &grant], &format!("{instruction}={address}"));
                assert_eq!(ended.succeeded(), "hello\n", "{command} {grant} {instruction}");
            }
        }
        // A name whose address is granted.
        let grants = ["--allow-socket", &address.to_string(), "--allow-socket", "localhost:1"];
        let ended = run(command, &grants, &format!("connect=localhost:{}", address.port()));
        assert_eq!(ended.succeeded(), "hello\n", "{command}");
    }
}

#[test]
fn another_port_is_denied() {
    let address = echo();
    let port = address.port();
    let grants = ["--allow-socket", "localhost:1", "--allow-socket-address", "127.0.0.1"];
    for command in COMMANDS {
        for instruction in ["connect", "send"] {
            let ended = run(command, &grants, &format!("{instruction}=localhost:{port}"));
            let hint = format!("denied a connection to {address}: to allow it, add `--allow-socket {address}`");
            is_denied(&ended, &hint);
        }
    }
}

#[test]
fn an_address_that_was_not_resolved_is_denied() {
    let address = echo();
    let grants = ["--allow-socket", "localhost", "--allow-socket-address", "127.0.0.1"];
    for command in COMMANDS {
        is_denied(&run(command, &grants, &format!("connect={address}")), "denied a connection to 127.0.0.1:");
    }
    let everything = run("command", &["--allow-socket", "*"], &format!("connect={address}"));
    is_denied(&everything, "the address is loopback; to allow it, add `--allow-socket 127.0.0.1:");
}

#[test]
fn a_name_that_is_not_granted_is_not_resolved() {
    let port = echo().port();
    for command in COMMANDS {
        for grants in [&["--allow-socket", "db.internal"][..], &["--allow-socket", "*.localhost"], &[]] {
            let ended = run(command, grants, &format!("connect=localhost:{port}"));
            is_denied(
                &ended,
                "denied the look-up of localhost: to allow it and connections to it, add `--allow-socket localhost:PORT`",
            );
        }
        let ended = run(command, &[], &format!("connect=127.0.0.1:{port}"));
        is_denied(&ended, "denied a socket: to allow it, add `--allow-socket HOST:PORT`");
    }
}

#[test]
fn a_private_address_needs_a_grant_of_its_own() {
    let port = echo().port();
    for command in COMMANDS {
        for grants in
            [&["--allow-socket", "localhost"][..], &["--allow-socket", "*", "--allow-socket-address", "10.0.0.0/8"]]
        {
            let ended = run(command, grants, &format!("connect=localhost:{port}"));
            is_denied(&ended, "denied the look-up of localhost: its address ");
            is_denied(&ended, "is loopback; to allow it, add `--allow-socket-address ");
        }
    }
}

#[test]
fn look_ups_fail_with_the_codes_of_the_interface() {
    let server = serve_with("hostile-p2", &["--allow-socket", "localhost", "--allow-socket-address", "127.0.0.1"]);
    let resolve = |name: &str| get(server.address, &format!("/resolve?name={name}")).text();
    assert!(resolve("localhost").contains("(127, 0, 0, 1)"), "{}", resolve("localhost"));
    assert_eq!(resolve("example.com"), "access-denied\n");
    assert_eq!(resolve("a..b"), "invalid-argument\n");
    assert!(resolve("10.0.0.1").contains("(10, 0, 0, 1)"));
    let denied = serve_with("hostile-p2", &["--allow-socket", "localhost"]);
    assert_eq!(get(denied.address, "/resolve?name=localhost").text(), "access-denied\n");

    let grants = ["--allow-socket", "localhost", "--allow-socket-address", "127.0.0.1"];
    let p3 = |instruction: &str| run("command-p3", &grants, instruction);
    assert_eq!(p3("resolve=localhost").succeeded(), "127.0.0.1\n");
    assert_eq!(p3("resolve=::1").succeeded(), "::1\n");
    is_denied(&p3("resolve=example.com"), "AccessDenied");
    is_denied(&p3("resolve=a..b"), "InvalidArgument");
}

#[test]
fn a_service_connects_to_a_name() {
    let port = echo().port();
    let grant = format!("localhost:{port}");
    let server = serve_with("hostile", &["--allow-socket", &grant, "--allow-socket-address", "127.0.0.1"]);
    assert_eq!(get(server.address, &format!("/connect?addr=localhost:{port}")).text(), "connected\n");
    assert_eq!(get(server.address, "/connect?addr=localhost:1").status, 403);
}
