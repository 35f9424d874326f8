//! File descriptors: how many the process uses, and its behaviour without free ones.

use std::net::{SocketAddr, TcpStream};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::support::{Client, Run, Server, eventually, get};

fn limits(server: &Server) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    let server = Run::guest("hello").file_limit("-S", 300).serve();
    let (soft, hard) = limits(&server);
    assert_eq!(soft, hard);
    assert_ne!(soft, "300");
}

#[test]
fn more_connections_than_files_are_refused_with_the_number_that_fits() {
    let run = || Run::guest("hello").file_limit("-H", 512);
    run().args(["--max-connections", "257"]).finish().failed(78, &["--max-connections", "(ulimit -n) allows 256"]);
    let server = run().args(["--max-connections", "256"]).serve();
    assert_eq!(get(server.address, "/").status, 200);
    drop(server);
    let server = run().serve();
    server.log.wait_for("--max-connections is 256");
}

#[test]
fn without_a_descriptor_the_log_is_short_and_health_is_answered() {
    let server = Run::guest("hello").args(["--admin", "127.0.0.1:0"]).serve();
    let admin = server.log.wait_for("metrics and health on ");
    let admin: SocketAddr = admin.rsplit_once('/').unwrap().1.parse().unwrap();
    assert_eq!(get(server.address, "/").status, 200);
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap();
    let highest = open.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse::<u64>().unwrap()).max().unwrap();
    let few = Rlimit { current: Some(highest + 3), maximum: Some(highest + 3) };
    prlimit(Pid::from_raw(i32::try_from(server.id()).unwrap()), Resource::Nofile, few).unwrap();
    let mut open = Vec::new();
    let counted = eventually("the errors of more than a second", || {
        open.push(TcpStream::connect(server.address).unwrap());
        let log = server.log.text();
        let lines = log.lines().filter(|line| line.contains("a connection cannot be accepted"));
        let more = lines.filter_map(|line| line.rsplit_once("more=")?.1.split_whitespace().next()?.parse::<u64>().ok());
        more.max().filter(|more| *more > 0)
    });
    assert!(counted > 1, "{counted}");
    // `get` sends another host name, which the page rejects.
    let mut client = Client::connect(admin);
    client.send(format!("GET /livez HTTP/1.1\r\nHost: {admin}\r\n\r\n"));
    assert_eq!(client.response().status, 200);
}
