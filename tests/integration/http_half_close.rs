//! Clients that close their sending side: with a whole request they get the response, and a reset ends the guest at once.

use std::net::{Shutdown, TcpStream};

use crate::support::admin::Admin;
use crate::support::h2_frames::Frames;
use crate::support::tls::Certificate;
use crate::support::{Client, Run, Server, eventually, get, serve_with};

/// A server on which a withheld end would last for longer than a test, and whose instances serve one request each.
struct Patient {
    server: Server,
    admin: Admin,
}

impl Patient {
    fn serve(arguments: &[&str]) -> Self {
        let grace =
            if arguments.contains(&"--half-close-grace") { [].as_slice() } else { &["--half-close-grace", "10m"] };
        let limits = ["--request-timeout", "10m", "--instance-reuse", "1", "--admin", "127.0.0.1:0"];
        let server = Run::guest("hostile").args(grace).args(limits).args(arguments).serve();
        let admin = Admin::of(&server);
        Self { server, admin }
    }

    /// Waits until `count` guests run.
    #[track_caller]
    fn runs(&self, what: &str, count: u32) {
        let line = format!(" {count}");
        eventually(what, || {
            let metrics = self.admin.get("/metrics").text();
            let alive = metrics.lines().find(|line| line.starts_with("tempo_instances_alive"));
            alive.map_or(count == 0, |alive| alive.ends_with(&line)).then_some(())
        });
    }

    /// Starts a request whose response never comes.
    fn never(&self) -> Client {
        let mut client = Client::connect(self.server.address);
        client.start("GET", "/never", &[]);
        client
    }
}

fn half_close(client: &Client) {
    client.stream.shutdown(Shutdown::Write).unwrap();
}

fn reset(client: Client) {
    socket2::SockRef::from(&client.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop::<TcpStream>(client.stream);
}

#[test]
fn a_whole_request_before_the_end_is_answered() {
    for guest in ["hostile", "hostile-p2"] {
        let server = serve_with(guest, &[]);
        for head in ["GET /sleep?ms=300 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /sleep?ms=300 HTTP/1.0\r\n\r\n"] {
            let mut client = Client::connect(server.address);
            client.send(head);
            half_close(&client);
            assert_eq!(client.response().text(), "slept\n", "{guest}");
            client.is_closed();
        }
        for body in ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"] {
            let mut client = Client::connect(server.address);
            client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{body}"));
            half_close(&client);
            assert_eq!(client.response().text(), "hello", "{guest}");
            client.is_closed();
        }
        let mut client = Client::connect(server.address);
        client.send("GET /sleep?ms=100 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2));
        half_close(&client);
        assert_eq!((client.response().text(), client.response().text()), ("slept\n".into(), "slept\n".into()));
        client.is_closed();
    }
}

#[test]
fn a_guest_that_takes_too_long_after_the_end_is_ended() {
    for (grace, target) in [("300ms", "/never"), ("300ms", "/big?mib=100000"), ("0s", "/never")] {
        let limits = ["--half-close-grace", grace, "--request-timeout", "10m", "--send-timeout", "10m"];
        let server = serve_with("hostile", &limits);
        let mut client = Client::connect(server.address);
        client.start("GET", target, &[]);
        half_close(&client);
        client.rest().unwrap();
    }
}

#[test]
fn a_reset_ends_the_guest_at_once() {
    let patient = Patient::serve(&[]);
    let client = patient.never();
    half_close(&client);
    patient.runs("the guest continues", 1);
    reset(client);
    patient.runs("the guest is ended", 0);
    let client = patient.never();
    patient.runs("a guest runs", 1);
    reset(client);
    patient.runs("the guest is ended", 0);
}

#[test]
fn the_end_of_a_tls_or_http2_connection_ends_its_guests_at_once() {
    let patient = Patient::serve(&[]);
    let mut frames = Frames::connect(patient.server.address, 100);
    frames.get(1, "/never", &[]);
    patient.runs("a guest runs", 1);
    frames.half_close();
    patient.runs("the guest is ended", 0);

    let certificate = Certificate::new();
    let (cert, key) = (certificate.cert(), certificate.key());
    let patient = Patient::serve(&["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]);
    let (mut client, _) = certificate.connect(&patient.server, &["http/1.1"]);
    client.start("GET", "/never", &[]);
    patient.runs("a guest runs", 1);
    client.stream.conn.send_close_notify();
    client.stream.conn.complete_io(&mut client.stream.sock).unwrap();
    patient.runs("the guest is ended", 0);
}

#[test]
fn an_end_within_a_request_is_an_error() {
    let patient = Patient::serve(&["--half-close-grace", "300ms"]);
    let mut client = Client::connect(patient.server.address);
    client.start("POST", "/echo", &["Content-Length: 100"]);
    client.send("half");
    patient.runs("a guest runs", 1);
    half_close(&client);
    patient.runs("the guest is ended", 0);
}

#[test]
fn many_clients_that_go_away_leave_half_of_the_permits_to_others() {
    let patient = Patient::serve(&["--max-requests", "8"]);
    for _ in 0..1000 {
        patient.never().disconnect();
    }
    patient.runs("only half of the guests continue", 4);
    for _ in 0..20 {
        assert_eq!(get(patient.server.address, "/").status, 200);
    }
}
