//! Metrics of a guest's calls to the host and of outgoing requests, as Prometheus reads them.

use std::sync::{Mutex, mpsc};

use crate::support::admin::Admin;
use crate::support::upstream::Upstream;
use crate::support::{Client, Run, eventually, get};

/// Returns the value of the series of `name` with all of `labels`, if there is one.
fn series(metrics: &str, name: &str, labels: &[&str]) -> Option<String> {
    let mut lines = metrics.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let line = lines.find(|line| labels.iter().all(|label| line.contains(label)))?;
    line.rsplit(' ').next().map(str::to_owned)
}

#[test]
fn requests_of_a_guest_are_active_until_their_response_begins() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let (came, coming) = mpsc::channel();
    let second = Upstream::start(move |exchange| {
        let _ = came.send(());
        let _ = gone.lock().unwrap().recv();
        exchange.answer("200 OK", &[], "seen");
    });
    let url = second.url("/");
    let front = Run::guest("hostile-p2").args(["--allow-http", &url, "--admin", "127.0.0.1:0"]).serve();
    let admin = Admin::of(&front);
    let labels = ["http_request_method=\"GET\"", "server_address=\"127.0.0.1\""];
    let active = || series(&admin.get("/metrics").text(), "http_client_active_requests", &labels);
    assert_eq!(active(), None);
    let mut client = Client::connect(front.address);
    client.start("GET", &format!("/fetch?url={url}"), &[]);
    coming.recv().unwrap();
    assert_eq!(active().as_deref(), Some("1"));
    go.send(()).unwrap();
    assert_eq!(client.response().status, 200);
    assert_eq!(active().as_deref(), Some("0"));
    // An operation that the guest's end cancels is no longer active either.
    client.start("GET", &format!("/fetch?url={url}"), &[]);
    coming.recv().unwrap();
    drop(client);
    eventually("nothing is active", || (active().as_deref() == Some("0")).then_some(()));
}

#[test]
fn short_calls_have_durations() {
    let run = Run::guest("config-only").args(["--config", "GREETING=Hello", "--admin", "127.0.0.1:0"]);
    let front = run.serve();
    let admin = Admin::of(&front);
    for _ in 0..3 {
        assert_eq!(get(front.address, "/GREETING").text(), "Hello\n");
    }
    let metrics = admin.get("/metrics").text();
    let labels = ["tempo_service=\"config\"", "tempo_operation=\"get\""];
    let count = series(&metrics, "tempo_host_call_duration_seconds_count", &labels);
    assert_eq!(count.as_deref(), Some("3"), "{metrics}");
    assert!(!metrics.contains("tempo_host_calls"), "{metrics}");
}

#[test]
fn operations_on_stores_have_the_names_of_the_guests_functions() {
    let run = Run::guest("keyvalue-conformance").args(["--keyvalue", "memory:", "--admin", "127.0.0.1:0"]);
    let front = run.serve();
    for check in ["batch", "delete", "increment"] {
        assert_eq!(get(front.address, &format!("/check/{check}")).text(), "ok\n", "{check}");
    }
    let metrics = Admin::of(&front).get("/metrics").text();
    let count = |operation: &str| {
        let labels =
            ["db_system_name=\"memory\"", "db_namespace=\"default\"", &format!("db_operation_name=\"{operation}\"")];
        let count = series(&metrics, "db_client_operation_duration_seconds_count", &labels);
        count.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    // The check `batch` calls it twice, with four keys and with none.
    assert_eq!(count("get-many"), 2, "{metrics}");
    for operation in ["get", "set", "delete", "exists", "list-keys", "set-many", "delete-many", "increment"] {
        assert!(count(operation) > 0, "no {operation} in {metrics}");
    }
    assert_eq!(count("keys"), 0, "the backend's function is measured: {metrics}");
}
