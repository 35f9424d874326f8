//! `/readyz` and `/livez` of real programs whose servers stop and restart.

use crate::apps::{app, manifest};
use crate::support::admin::Admin;
use crate::support::nats::Nats;
use crate::support::{Run, eventually};

const PASSWORD: &str = "pAssw0rd-9e1f";

/// Waits until `/readyz` has this status, and returns its body.
fn readyz(admin: &Admin, status: u16) -> String {
    eventually(&format!("/readyz is {status}"), || {
        let response = admin.get("/readyz");
        (response.status == status).then(|| response.text())
    })
}

#[test]
fn a_runtime_is_not_ready_while_its_server_is_away() {
    let mut nats = Nats::start_with(&format!("authorization {{ user: app, password: {PASSWORD:?} }}"));
    let (keyvalue, messaging) = (
        format!("nats://app:{PASSWORD}@{}/kv", nats.address),
        // Another service on the same server, which is unreachable once.
        format!("nats://app:{PASSWORD}@{}", nats.address),
    );
    let run = Run::guest("fan-out").args(["--keyvalue", &keyvalue, "--messaging", &messaging]);
    let server = run.args(["--admin", "127.0.0.1:0"]).serve();
    let admin = Admin::of(&server);
    assert_eq!(readyz(&admin, 200), "ready\n");
    for _ in 0..2 {
        nats.kill();
        assert_eq!(readyz(&admin, 503), format!("nats://{} is not connected\n", nats.address));
        // A restart of the runtime would not bring the server back.
        assert_eq!(admin.get("/livez").status, 200);
        nats.restart();
        assert_eq!(readyz(&admin, 200), "ready\n");
    }
}

#[test]
fn the_components_of_an_app_are_named() {
    let mut nats = Nats::start();
    let store = format!("keyvalue = \"nats://{}/kv\"", nats.address);
    let components = [
        ("a", "keyvalue", format!("route = \"a.test/*\"\n{store}")),
        ("b", "keyvalue", format!("route = \"b.test/*\"\n{store}")),
        ("c", "hello", "route = \"c.test/*\"".to_owned()),
    ];
    let text = manifest("", &components.each_ref().map(|(name, guest, lines)| (*name, *guest, lines.as_str())));
    let server = app(&text).args(["--admin", "127.0.0.1:0"]).serve();
    let admin = Admin::of(&server);
    assert_eq!(readyz(&admin, 200), "ready\n");
    nats.kill();
    let away = format!("nats://{} is not connected", nats.address);
    assert_eq!(readyz(&admin, 503), format!("a: {away}\nb: {away}\n"));
}
