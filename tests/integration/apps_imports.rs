//! Interfaces that one component of an app imports and another exports.

use crate::apps::{app, manifest};
use crate::support::{Client, Finished, Run, Server, eventually, get, guest, key};

const IMPORTS: &str = "imports = { \"acme:pricing/quote\" = \"pricing\" }";

/// An app in which `caller` imports the interface of `callee`, with `lines` in the declarations of the two.
fn linked(caller: &str, callee: &str, of_caller: &str, of_callee: &str) -> String {
    let of_caller = format!("route = \"/*\"\n{IMPORTS}\n{of_caller}");
    manifest("", &[("shop", caller, &of_caller), ("pricing", callee, of_callee)])
}

fn serve(caller: &str, callee: &str) -> Server {
    app(&linked(caller, callee, "", "")).serve()
}

#[test]
fn sync_and_async_functions_are_called_with_all_kinds_of_values() {
    let server = serve("checkout", "pricing");
    let answer = |target: &str| {
        let response = get(server.address, target);
        (response.status, response.text())
    };
    assert_eq!(answer("/price/tea"), (200, "350\n".to_owned()));
    assert_eq!(answer("/price/gold"), (404, "there is no gold\n".to_owned()));
    assert_eq!(answer("/?tea=2&coffee=1"), (200, "2 tea: 700\n1 coffee: 420\n".to_owned()));
    assert_eq!(answer("/?tea=101"), (409, "at most 100 pieces\n".to_owned()));
}

#[test]
fn a_component_of_wasi_0_2_calls_one_of_0_3() {
    let server = serve("checkout-p2", "pricing");
    assert_eq!(get(server.address, "/coffee").text(), "Ok(420)\n");
    assert_eq!(get(server.address, "/gold").text(), "Err(Error::UnknownItem(\"gold\"))\n");
}

#[test]
fn instances_of_the_exporter_are_reused_within_its_limits() {
    let text = linked("checkout", "pricing-hostile", "", "instance-reuse = 2");
    let server = app(&text).serve();
    let counts = [(); 3].map(|()| get(server.address, "/price/count").text());
    assert_eq!(counts, ["1\n", "2\n", "1\n"]);
}

#[track_caller]
fn logs(server: &Server, part: &str) {
    eventually(part, || (server.log.count(part) > 0).then_some(()));
}

#[test]
fn a_trap_of_the_exporter_fails_one_call_and_names_it() {
    for caller in ["checkout", "checkout-p2"] {
        let server = serve(caller, "pricing-hostile");
        let (trap, count) = if caller == "checkout" { ("/price/trap", "/price/count") } else { ("/trap", "/count") };
        assert_eq!(get(server.address, trap).status, 500);
        logs(&server, "the call of `acme:pricing/quote@1.0.0.price` in the component `pricing`");
        assert_eq!(get(server.address, count).status, 200);
    }
    let server = serve("checkout", "pricing-hostile");
    assert_eq!(get(server.address, "/?trap=1").status, 500);
    logs(&server, "the call of `acme:pricing/quote@1.0.0.quote` in the component `pricing`");
}

#[test]
fn the_processor_time_of_a_call_is_that_of_the_exporter() {
    let text = linked("checkout", "pricing-hostile", "cpu-timeout = \"10m\"", "cpu-timeout = \"100ms\"");
    let server = app(&text).serve();
    assert_eq!(get(server.address, "/price/spin").status, 500);
    logs(&server, "--cpu-timeout");
    assert_eq!(get(server.address, "/price/count").status, 200);
}

#[test]
fn large_results_are_limited() {
    let server = serve("checkout", "pricing-hostile");
    assert_eq!(get(server.address, "/?bytes=1000").status, 200);
    assert_eq!(get(server.address, "/?bytes=2000000").status, 500);
    assert_eq!(get(server.address, "/?bytes=1000").status, 200);
}

#[test]
fn an_overloaded_exporter_is_an_overloaded_caller() {
    let patient = "cpu-timeout = \"10m\"\nrequest-timeout = \"10m\"";
    let one_at_once = format!("{patient}\nmax-requests = 1\nmax-queued-requests = 0");
    let server = app(&linked("checkout", "pricing-hostile", patient, &one_at_once)).serve();
    let mut spinning = Vec::new();
    let refused = eventually("the permit is taken", || {
        // One that comes while the permit is taken for `count` is refused.
        let mut client = Client::connect(server.address);
        client.send("GET /price/spin HTTP/1.1\r\nHost: a.test\r\n\r\n");
        spinning.push(client);
        let response = get(server.address, "/price/count");
        (response.status != 200).then_some(response)
    });
    refused.is_plain_refusal(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[test]
fn full_permits_do_not_deadlock() {
    let text = linked("checkout", "pricing", "", "").replacen("\n", "\nmax-requests = 1\n", 1);
    let server = app(&text).serve();
    let clients = (0..8).map(|_| {
        let address = server.address;
        std::thread::spawn(move || get(address, "/price/tea").status)
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), 200);
    }
}

fn failed(text: &str) -> Finished {
    app(text).finish()
}

#[test]
fn imports_that_cannot_be_linked_are_errors_at_start() {
    let imports = |value: &str| {
        manifest("", &[("shop", "checkout", &format!("route = \"/*\"\nimports = {value}")), ("pricing", "pricing", "")])
    };
    for (value, expected) in [
        ("\"pricing\"", "component.shop.imports: expected { \"PACKAGE/INTERFACE\" = \"COMPONENT\" } (tempo.toml:6)"),
        ("{ \"acme:pricing/quote\" = 1 }", "component.shop.imports: expected a component, or"),
        ("{ \"acme:pricing/quote\" = { link = \"isolated\" } }", "component.shop.imports: `component` is missing"),
        (
            "{ \"acme:pricing/quote\" = { component = \"pricing\", link = \"direct\" } }",
            "component.shop.imports: link: expected \"isolated\" or \"composed\" (tempo.toml:6)",
        ),
        (
            "{ \"acme:pricing/quote\" = { component = \"pricing\", on-failure = \"retry\" } }",
            "component.shop.imports: on-failure: expected \"trap\" or \"error\" (tempo.toml:6)",
        ),
        (
            "{ \"acme:pricing/quote\" = \"prices\" }",
            "component.shop.imports: there is no component `prices`; the app has pricing, shop (tempo.toml:6)",
        ),
        ("{ \"acme:pricing/quote\" = \"shop\" }", "the imports form a cycle: shop -> shop; remove one of them"),
    ] {
        failed(&imports(value)).failed(78, &[expected]);
    }
    for (value, expected) in [
        ("{ \"acme:pricing/discount\" = \"pricing\" }", "it does not import `acme:pricing/discount`; remove the line"),
        ("{ \"acme:pricing/quote@2.0.0\" = \"pricing\" }", "it does not import `acme:pricing/quote@2.0.0`"),
        (
            "{ \"acme:pricing/quote\" = { component = \"pricing\", on-failure = \"error\" } }",
            "on-failure of `acme:pricing/quote@1.0.0`: the results of `price`, `quote` cannot be such an error",
        ),
        ("{ \"wasi:http/types\" = \"pricing\" }", "`pricing` does not export `wasi:http/types@0.3"),
    ] {
        failed(&imports(value)).failed(65, &[expected, "component.shop (tempo.toml:3)"]);
    }
    let twice = "{ \"acme:pricing/quote\" = \"pricing\", \"acme:pricing/quote@1.0.0\" = \"pricing\" }";
    failed(&imports(twice)).failed(78, &["`acme:pricing/quote@1.0.0` is linked twice; remove one of the lines"]);
    let unlinked = manifest("", &[("shop", "checkout", "route = \"/*\"")]);
    failed(&unlinked).failed(65, &["by `imports = { \"acme:pricing/quote\" = \"NAME\" }`"]);
}

#[test]
fn inspect_shows_who_is_linked_to_whom() {
    let text = linked("checkout", "pricing", "", "");
    let run = |arguments: &[&str]| {
        Run::tempo(arguments)
            .env("TEMPO_KEY_FILE", key())
            .with_file("tempo.toml", &text)
            .finish()
            .succeeded()
            .to_owned()
    };
    let shown = run(&["inspect"]);
    assert!(shown.contains("acme:pricing/quote@1.0.0") && shown.contains("the component pricing"), "{shown}");
    assert!(shown.contains("the component shop") && !shown.contains("MISSING"), "{shown}");
    assert!(run(&["inspect", "--json"]).contains("\"satisfied_by\": \"the component pricing\""));
}

/// The component of `cargo xtask bench links` makes as many calls as it is asked for, by each kind of link.
#[test]
fn the_calls_that_are_measured_succeed() {
    let caller = format!("route = \"/*\"\n{IMPORTS}\nallow-http = \"http://hello.tempo.internal\"");
    let text = manifest("", &[("bench", "links-bench", &caller), ("pricing", "pricing", ""), ("hello", "hello", "")]);
    let server = app(&text).serve();
    let status = |query: &str| get(server.address, &format!("/?{query}")).status;
    for query in ["calls=0", "how=own&calls=1000", "how=sync&calls=20", "how=async&calls=20"] {
        assert_eq!(status(query), 200, "{query}");
    }
    assert_eq!(status("how=fetch&calls=3&url=http://hello.tempo.internal/"), 200);
    assert_eq!(status("how=fetch&calls=3&url=http://pricing.tempo.internal/"), 502);
}

/// A component that only others call has no trigger.
#[test]
fn an_exporter_alone_is_refused() {
    let alone = Run::tempo(["run"]).args([guest("pricing").display().to_string().as_str()]).finish();
    alone.failed(65, &["exports none of"]);
    let ended = failed(&manifest("", &[("pricing", "pricing", "")]));
    ended.failed(65, &["component.pricing", "exports none of"]);
}
