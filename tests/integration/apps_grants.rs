//! A component of an app never reaches those that it is not granted: generated apps, and every kind of link.

mod model;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use self::model::{App, COMPONENTS, MIDDLEWARE, Reached, apps};
use crate::apps::app;
use crate::support::admin::Admin;
use crate::support::{Client, Response, Server, eventually, slow};

proptest! {
    // A case is a process of its own, so few are generated, and failures are hardly shrunk.
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(13), cases: if slow() { 60 } else { 6 }, max_shrink_iters: 12, ..<_>::default()
    })]

    #[test]
    fn only_granted_components_are_reached(generated in apps()) {
        let server = app(&generated.manifest()).serve();
        let mut reached = Reached::new();
        for caller in generated.entries() {
            by_name(&server, &generated, caller, &mut reached);
            outside_of_the_app(&server, &generated, caller, &mut reached);
            is_reached(&server, &reached);
        }
        as_the_host(&server);
        is_reached(&server, &reached);
        by_import(&server, &generated);
    }
}

fn get_from(server: &Server, host: &str, target: &str) -> Response {
    let mut client = Client::connect(server.address);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    client.response()
}

/// `caller` sends a request to `url`. Returns its response if the client's request reached it.
fn fetch(server: &Server, app: &App, caller: usize, url: &str, reached: &mut Reached) -> Option<Response> {
    let response = get_from(server, &format!("c{caller}.test"), &format!("/fetch?url={url}"));
    app.send(caller, reached).then_some(response)
}

/// Requests to each component by its names, granted or not.
fn by_name(server: &Server, app: &App, caller: usize, reached: &mut Reached) {
    for target in 0..COMPONENTS {
        for host in [format!("c{target}.tempo.internal"), format!("C{target}.spin.internal:80")] {
            for path in ["/", "/granted/head"] {
                let url = format!("http://{host}{path}");
                let Some(response) = fetch(server, app, caller, &url, reached) else { continue };
                if app.grants(caller, target, path) {
                    app.send(target, reached);
                    assert_ne!(response.status, 502, "c{caller} is granted {url}: {}", response.text());
                } else {
                    is_denied(&response, &format!("c{caller} is not granted {url}"));
                }
            }
        }
    }
    for index in 0..MIDDLEWARE {
        let url = format!("http://m{index}.tempo.internal/");
        if !app.grants_all(caller, "/")
            && let Some(response) = fetch(server, app, caller, &url, reached)
        {
            is_denied(&response, &format!("c{caller} is not granted {url}"));
        }
    }
}

/// Requests that no grant of a component covers: by other schemes and ports, to those without a handler, and to the listener.
fn outside_of_the_app(server: &Server, app: &App, caller: usize, reached: &mut Reached) {
    let target = (caller + 1) % COMPONENTS;
    for url in [
        format!("https://c{target}.tempo.internal/"),
        format!("http://c{target}.tempo.internal:8080/"),
        format!("http://x.c{target}.tempo.internal/"),
        "http://p0.tempo.internal/".to_owned(),
        "http://absent.tempo.internal/".to_owned(),
        format!("http://{}/", server.address),
    ] {
        if let Some(response) = fetch(server, app, caller, &url, reached) {
            is_denied(&response, &format!("c{caller} asks {url}"));
        }
    }
}

/// A request that a policy has refused, or that reached nothing: no component, no listener.
#[track_caller]
fn is_denied(response: &Response, what: &str) {
    assert_eq!(response.status, 502, "{what}: {}", response.text());
}

/// Clients name components as the host.
fn as_the_host(server: &Server) {
    for index in 0..COMPONENTS {
        for host in [format!("c{index}.tempo.internal"), format!("c{index}.spin.internal.")] {
            get_from(server, &host, "/").is_plain_refusal(400);
            get_from(server, "c0.test", &format!("http://{host}/")).is_plain_refusal(400);
        }
    }
}

/// The import of an interface leads to the component of the manifest.
fn by_import(server: &Server, app: &App) {
    assert_eq!(get_from(server, "shop.test", "/price/tea").status, 200);
    let metrics = Admin::of(server).get("/metrics").text();
    let created = |index: usize| sum(&metrics, "tempo_instances_created_total{", &format!("p{index}"));
    assert_eq!((created(app.pricing), created(1 - app.pricing)), (1, 0), "the shop imports p{}", app.pricing);
}

/// Asserts that these are the requests of each component: no more, and no fewer as soon as all are counted.
fn is_reached(server: &Server, expected: &Reached) {
    let admin = Admin::of(server);
    eventually("all requests are counted", || {
        let metrics = admin.get("/metrics").text();
        let names = (0..COMPONENTS).map(|index| format!("c{index}"));
        let names = names.chain((0..MIDDLEWARE).map(|index| format!("m{index}")));
        let counts: Vec<bool> = names
            .map(|name| {
                let count = sum(&metrics, "http_server_request_duration_seconds_count{", &name);
                let most = expected.get(&name).copied().unwrap_or(0);
                assert!(count <= most, "{name} was reached {count} times, which is more than {most}");
                count == most
            })
            .collect();
        counts.into_iter().all(|is_equal| is_equal).then_some(())
    });
}

/// Returns the sum of a metric over the lines of one component.
fn sum(metrics: &str, start: &str, component: &str) -> u64 {
    let label = format!("tempo_component=\"{component}\"");
    let lines = metrics.lines().filter(|line| line.starts_with(start) && line.contains(&label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
