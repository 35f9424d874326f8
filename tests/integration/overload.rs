//! Overload: 503 with Retry-After, never 500, never a hang.

use std::thread;

use crate::support::{Client, Response, Run, Server, eventually, get, guest, serve_with};

const TIGHT: &[&str] =
    &["--max-requests", "2", "--max-queued-requests", "1", "--queue-timeout", "200ms", "--request-timeout", "10m"];

#[track_caller]
fn is_overloaded(response: &Response) {
    response.is_plain_refusal(503);
    assert_eq!(response.header("retry-after"), Some("1"));
}

/// Connections whose requests never end.
fn occupy(server: &Server, count: usize) -> Vec<Client> {
    let start = |_| {
        let mut client = Client::connect(server.address);
        client.start("GET", "/never", &[]);
        client
    };
    (0..count).map(start).collect()
}

#[test]
fn requests_above_the_limit_are_told_so_and_the_server_recovers() {
    for guest in ["hostile", "hostile-p2"] {
        let server = serve_with(guest, TIGHT);
        let busy = occupy(&server, 2);
        eventually("both places are taken", || (get(server.address, "/").status == 503).then_some(()));
        let refused: Vec<_> = (0..10)
            .map(|_| {
                thread::spawn({
                    let address = server.address;
                    move || get(address, "/")
                })
            })
            .collect();
        for response in refused {
            is_overloaded(&response.join().unwrap());
        }
        drop(busy);
        eventually("the places are free", || (get(server.address, "/").status == 200).then_some(()));
        for _ in 0..10 {
            assert_eq!(get(server.address, "/").status, 200);
        }
    }
}

#[test]
fn a_request_that_waits_gets_the_place_that_becomes_free() {
    let arguments = ["--max-requests", "1", "--max-queued-requests", "8", "--queue-timeout", "20s"];
    let server = serve_with("hostile", &arguments);
    let address = server.address;
    let waiting: Vec<_> = (0..8).map(|_| thread::spawn(move || get(address, "/sleep?ms=50"))).collect();
    for response in waiting {
        assert_eq!(response.join().unwrap().text(), "slept\n");
    }
}

#[test]
fn a_burst_is_answered_with_200_or_503_and_nothing_else() {
    for guest in ["hostile", "hostile-p2"] {
        let server =
            serve_with(guest, &["--max-requests", "4", "--max-queued-requests", "4", "--queue-timeout", "50ms"]);
        let address = server.address;
        let clients: Vec<_> = (0..32)
            .map(|_| {
                thread::spawn(move || {
                    let mut client = Client::connect(address);
                    (0..20).map(|_| client.get("/sleep?ms=10").status).collect::<Vec<_>>()
                })
            })
            .collect();
        let statuses: Vec<u16> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
        assert!(statuses.contains(&200));
        assert_eq!(get(server.address, "/").status, 200);
    }
}

#[test]
fn as_many_requests_as_allowed_run_at_once() {
    let server = serve_with("hostile", &["--max-requests", "64", "--max-queued-requests", "0"]);
    let address = server.address;
    // All of them run concurrently without a refusal, so the pool has a slot for each.
    let clients: Vec<_> = (0..64).map(|_| thread::spawn(move || get(address, "/sleep?ms=500").status)).collect();
    let statuses: Vec<u16> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert_eq!(statuses, [200; 64]);
}

#[test]
fn connections_above_the_limit_are_told_so() {
    let server = serve_with("hostile", &["--max-connections", "2"]);
    let mut open = [Client::connect(server.address), Client::connect(server.address)];
    for client in &mut open {
        assert_eq!(client.get("/").status, 200);
    }
    for _ in 0..3 {
        let mut client = Client::connect(server.address);
        let response = client.get("/");
        is_overloaded(&response);
        assert_eq!(response.header("connection"), Some("close"));
        client.is_closed();
    }
    assert_eq!(open[0].get("/").status, 200, "those that are open go on");
    drop(open);
    eventually("there is room again", || (get(server.address, "/").status == 200).then_some(()));
}

#[test]
fn connections_that_say_nothing_do_not_keep_others_out_for_ever() {
    let server = serve_with("hostile", &["--max-connections", "2", "--header-timeout", "300ms"]);
    let _silent = [Client::connect(server.address), Client::connect(server.address)];
    eventually("the silent ones are closed", || (get(server.address, "/").status == 200).then_some(()));
}

/// Idle instances of one thread leave slots for those of another.
#[test]
fn every_thread_can_serve_when_one_request_may_run() {
    let arguments = ["--http-threads", "8", "--max-requests", "1", "--max-queued-requests", "0"];
    for guest in ["hostile", "hostile-p2"] {
        let server = serve_with(
            guest,
            &[&arguments[..], &["--instance-reuse", "100", "--instance-idle-timeout", "10m"]].concat(),
        );
        let mut clients: Vec<_> = (0..16).map(|_| Client::connect(server.address)).collect();
        for number in 0..48 {
            let client = &mut clients[number % 16];
            eventually("the request before has made room", || (client.get("/").status == 200).then_some(()));
        }
    }
}

#[test]
fn requests_whose_memory_mappings_exceed_the_limit_of_the_system_are_refused() {
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    // On any machine: a pool may not fit into the address space.
    let serve =
        |flags: &[&str]| Run::file(&guest("hello")).args(["--allocation", "on-demand"]).args(flags.iter().copied());
    let many = (limit / 5).to_string();
    for flags in [vec!["--max-requests", &many], vec!["--max-requests", "10", "--max-streams", &many]] {
        let ended = serve(&flags).finish();
        ended
            .failed_in_one_line(78, &[&format!("vm.max_map_count of the system is {limit}; lower --max-requests to ")]);
        let (_, advice) = ended.stderr.split_once("; lower ").unwrap();
        let (advice, _) = advice.split_once(',').unwrap();
        let fit: Vec<_> = advice.split_whitespace().filter(|word| !matches!(*word, "to" | "and")).collect();
        assert_eq!(fit.len(), flags.len(), "{advice}");
        assert_eq!(get(serve(&fit).serve().address, "/").text(), "Hello from Tempo!\n");
    }
}
