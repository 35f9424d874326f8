//! `--allow-listen`: components that accept connections and datagrams.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;

use crate::sockets::COMMANDS;
use crate::support::{Process, Run, eventually, get, serve_with};

fn start(name: &str, flags: &[&str], instructions: &[&str]) -> Process {
    Run::guest(name).args(flags).args(["--"]).args(instructions).start()
}

/// Returns the address that the guest has bound.
fn bound(process: &Process) -> SocketAddr {
    let line = process.log.wait_for("bound to ");
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

fn exchange(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"from a client")?;
    stream.shutdown(Shutdown::Write)?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Returns an address of 127.0.0.1 with a free port.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn connections_are_accepted_on_granted_addresses() {
    for command in COMMANDS {
        let address = free();
        let any_of_the_port = format!("0.0.0.0:{}", address.port());
        for (grant, listen) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("127.0.0.1:0", &address.to_string()),
            (&address.to_string(), &address.to_string()),
            (&any_of_the_port, &address.to_string()),
        ] {
            let mut process = start(command, &["--allow-listen", grant], &[&format!("listen={listen}")]);
            assert_eq!(exchange(bound(&process)).unwrap(), "from a client", "{command} {grant} {listen}");
            assert_eq!(process.exit_code(), Some(0), "{}", process.log.text());
        }
    }
}

#[test]
fn a_service_accepts_a_connection() {
    let address = free();
    let server = serve_with("hostile", &["--allow-listen", &address.to_string()]);
    let call = server.address;
    let response = thread::spawn(move || get(call, &format!("/listen?addr={address}")));
    let mut stream = eventually("the guest listens", || TcpStream::connect(address).ok());
    stream.write_all(b"from a client").unwrap();
    drop(stream);
    assert_eq!(response.join().unwrap().text(), "from a client");
    assert_eq!(get(server.address, "/listen?addr=127.0.0.1:1").status, 403);
}

#[test]
fn datagrams_are_received_and_answered_on_granted_addresses() {
    for command in COMMANDS {
        let mut process = start(command, &["--allow-listen", "127.0.0.1:0"], &["receive=127.0.0.1:0"]);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"datagram", bound(&process)).unwrap();
        let mut answer = [0; 100];
        let length = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..length], b"datagram", "{command}");
        assert_eq!(process.exit_code(), Some(0), "{}", process.log.text());
    }
}

#[test]
fn other_addresses_and_ports_are_denied() {
    let granted = free().to_string();
    for command in COMMANDS {
        for (flags, addresses) in [
            (["--allow-listen", granted.as_str()], &["127.0.0.1:1", "127.0.0.1:0", "0.0.0.0:9"][..]),
            (["--allow-socket", "127.0.0.1"], &["127.0.0.1:1"]),
        ] {
            for instruction in ["listen", "receive"] {
                for address in addresses {
                    let mut process = start(command, &flags, &[&format!("{instruction}={address}")]);
                    process
                        .log
                        .wait_for(&format!("denied binding to {address}: to allow it, add `--allow-listen {address}`"));
                    assert_eq!(process.exit_code(), Some(1), "{command} {flags:?} {instruction} {address}");
                }
            }
        }
    }
}

#[test]
fn a_socket_that_connects_does_not_listen() {
    // Binding to the unspecified address is part of connecting.
    for command in COMMANDS {
        let mut process = start(command, &["--allow-socket", "127.0.0.1"], &["listen=0.0.0.0:0"]);
        process.log.wait_for("denied binding to 0.0.0.0:");
        assert_eq!(process.exit_code(), Some(1), "{command}");
    }
}

#[test]
fn accepted_connections_are_open_files() {
    for command in COMMANDS {
        let flags = |limit| ["--allow-listen", "127.0.0.1:0", "--max-open-files", limit];
        // The listener, and a connection: both are closed before the next begins.
        let address = free();
        let twice = format!("listen={address}");
        for limit in ["2", "3"] {
            let mut process = start(command, &flags(limit), &[&twice, &twice]);
            for _ in 0..2 {
                let exchanged = eventually("the guest listens", || exchange(address).ok());
                assert_eq!(exchanged, "from a client", "{command}");
            }
            assert_eq!(process.exit_code(), Some(0), "{}", process.log.text());
        }
        let process = start(command, &flags("1"), &["listen=127.0.0.1:0"]);
        let refused = exchange(bound(&process));
        assert!(refused.as_ref().map_or(true, String::is_empty), "{command}: {refused:?}");
        process.log.wait_for("an instance tried to open more than 1 files (limit: --max-open-files)");
    }
}
