//! Traces through guests: with the SDK's telemetry and without, of WASI 0.2 and 0.3, over requests and messages.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::support::collector::{Collector, hex};
use crate::support::messaging::Broker;
use crate::support::{Client, Run};
use crate::telemetry::{CARRIED, PARENT, TRACE, fan_out, witness};

#[test]
fn a_handler_of_messages_is_part_of_the_trace_and_hands_it_on() {
    let collector = Collector::start();
    let broker = Broker::jetstream();
    let (second, _heads) = witness();
    let url = second.url("/");
    let checking = Run::worker("messaging-otel").args(["--messaging", &broker.url, "--subscribe", "work.done"]);
    let checking = collector.configure(checking, "checking").work();
    let checked = collector.configure(broker.worker("work.checked"), "checked").work();
    let front = collector.configure(broker.run("fan-out").args(["--allow-http", &url]), "front").serve();
    assert_eq!(fan_out(front.address, &url, true).status, 200);
    let expected = [
        "front: GET (server)",
        "  front: set default (client)",
        "  front: get default (client)",
        "  front: GET (client)",
        "  front: publish work.done (producer)",
        "    checking: process work.done (consumer)",
        "      checking: process work.done (internal)",
        "        checking: check (internal)",
        "          checking: publish work.checked (producer)",
        "            checked: process work.checked (consumer)",
        "              checked: increment default (client)",
    ];
    let tree = collector.tree(TRACE, expected.len());
    assert_eq!(tree, expected, "{tree:#?}");
    drop((checking, checked));
}

/// Asserts the trace headers of `guest`'s outgoing request for a request to `target` followed by a URL: all of the
/// client's, in the trace of `count` spans and below the runtime's span of that request.
#[track_caller]
fn hands_on(guest: &str, target: &str, count: usize) {
    let collector = Collector::start();
    let (second, heads) = witness();
    let url = second.url("/");
    let front = collector.configure(Run::guest(guest).args(["--allow-http", &url]), "front").serve();
    let mut client = Client::connect(front.address);
    let [tracestate, baggage] = CARRIED;
    let traceparent = format!("traceparent: 00-{TRACE}-{PARENT}-01");
    client.start("GET", &format!("{target}{url}"), &[&traceparent, tracestate, baggage]);
    assert_eq!(client.response().status, 200);
    let head = heads.recv().unwrap();
    let values = |name: &str| -> Vec<&str> {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(header, _)| *header == name).map(|(_, value)| value).collect()
    };
    assert_eq!((values("tracestate"), values("baggage")), (vec!["vendor=1"], vec!["user=7"]), "{head}");
    let tree = collector.tree(TRACE, count);
    let spans = collector.spans();
    let sent = spans.iter().find(|(_, span)| span.kind() == SpanKind::Client).expect("a span of the request");
    let expected = format!("00-{TRACE}-{}-01", hex(&sent.1.span_id));
    assert_eq!(values("traceparent"), [expected], "{tree:#?}");
}

#[test]
fn a_guest_of_wasi_0_2_stays_in_the_trace_of_its_request() {
    hands_on("hostile-p2", "/fetch?url=", 2);
}

#[test]
fn a_guest_with_telemetry_of_its_own_hands_all_of_the_trace_on() {
    hands_on("otel", "/send?to=", 4);
}
