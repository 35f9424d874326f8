//! Tests with a real component and engine: the calls to `wasi:otel`, and their order. `cargo xtask build` builds it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod host;

use host::story::{attributes, metrics, spans, story, tree};
use host::{Call, Instance, LogRecord, Record, SpanContext, TraceFlags, outer};

const OUTER: &str = "00f067aa0ba902b7";

/// Calls a fresh instance once.
async fn get(path: &str) -> Call {
    Instance::new(outer(true)).await.get(path).await
}

fn logs(records: &[Record]) -> Vec<&LogRecord> {
    let logs = records.iter().filter_map(|record| match record {
        Record::Log(log) => Some(log),
        _ => None,
    });
    logs.collect()
}

#[tokio::test]
async fn spans_of_tracing_are_nested() {
    let call = get("/tracing").await;
    assert_eq!(tree(&call.records, OUTER), "GET\n  shop {customer=\"Ada\"}\n    price {cents=250}\n");
    let expected = [
        "outer",
        "start GET",
        "start shop",
        "start price",
        "log \"priced\"",
        "end price",
        "end shop",
        "end GET",
        "returned",
    ];
    assert_eq!(story(&call.records), expected);
    let span = spans(&call.records).into_values().find(|span| span.name == "price").unwrap();
    let logs = logs(&call.records);
    assert_eq!(logs[0].span_id.as_deref(), Some(span.span_context.span_id.as_str()));
    assert_eq!(logs[0].trace_id.as_deref(), Some(outer(true).trace_id.as_str()));
    assert_eq!(attributes(logs[0].attributes.as_ref().unwrap()), "{cents=250}");
    assert_eq!((logs[0].severity_number, logs[0].severity_text.as_deref()), (Some(9), Some("INFO")));
    assert_eq!(logs[0].instrumentation_scope.as_ref().unwrap().name, "otel");
}

#[tokio::test]
async fn functions_have_spans() {
    let call = get("/instrument?id=7").await;
    assert_eq!(call.answer, Some((200, "7\n".to_owned())));
    let expected = "GET\n  load {id=\"7\", shop.name=\"tea\"}\n    parse {text=\"7\"}\n";
    assert_eq!(tree(&call.records, OUTER), expected);
    assert_eq!(logs(&call.records).len(), 0);
}

#[tokio::test]
async fn an_error_is_the_status_and_a_log() {
    let call = get("/instrument?id=x").await;
    assert_eq!(call.answer.map(|answer| answer.0), Some(400));
    let error = "invalid digit found in string";
    let whole = format!("{error} (with a password of 8 letters)");
    let expected = format!(
        "GET\n  load {{id=\"x\", shop.name=\"tea\"}} failed: {whole}\n    parse {{text=\"x\"}} failed: {error}\n"
    );
    assert_eq!(tree(&call.records, OUTER), expected);
    let logs = logs(&call.records);
    let texts: Vec<_> = logs.iter().map(|log| attributes(log.attributes.as_ref().unwrap())).collect();
    assert_eq!(texts, [format!("{{error=\"{error}\"}}"), format!("{{error=\"{whole}\"}}")]);
    let spans = spans(&call.records);
    let names: Vec<_> = logs.iter().map(|log| spans[log.span_id.as_deref().unwrap()].name.as_str()).collect();
    assert_eq!(names, ["parse", "load"]);
}

#[tokio::test]
async fn spans_of_both_apis_are_nested_in_each_other() {
    let call = get("/api").await;
    let pack = "pack (SpanKind::Client) {fragile=true, parts=3, weight=1.0, label=\"tea \\\"Assam\\\"\", rooms=[1,2]}";
    let expected = format!("GET\n  order\n    {pack} event sealed {{tape=2}}\n      weigh\n");
    assert_eq!(tree(&call.records, OUTER), expected);
    let spans = spans(&call.records);
    let span = |name| *spans.values().find(|span| span.name == name).unwrap();
    let pack = span("pack");
    assert_eq!(pack.instrumentation_scope.name, "shop");
    assert_eq!(pack.instrumentation_scope.version.as_deref(), Some("1.0"));
    assert_eq!(pack.links.len(), 1);
    assert_eq!(pack.links[0].span_context.span_id, span("order").span_context.span_id);
    assert_eq!(attributes(&pack.links[0].attributes), "{why=\"test\"}");
}

#[tokio::test]
async fn functions_that_run_at_once_keep_their_spans_apart() {
    let call = get("/join").await;
    assert_eq!(tree(&call.records, OUTER), "GET\n  left\n    left.after\n  right\n    right.after\n");
    let story = story(&call.records);
    assert_eq!(story[..4], ["outer", "start GET", "start left", "start right"], "they ran one after the other");
}

#[tokio::test]
async fn metrics_are_exported_when_the_call_ends() {
    let expected = [
        "shop/orders [{order}] Temporality::Delta counter 1{kind=\"tea\"}",
        "shop/baskets Temporality::Delta sum -2{}",
        "shop/temperature [Cel] gauge 21.5",
        "shop/price Temporality::Delta histogram 2 in [1, 1] at [5.0] sum 10.0 min 2.5 max 7.5",
    ];
    let mut instance = Instance::new(outer(true)).await;
    // The second call does not export the measurements of the first one again.
    for _ in 0..2 {
        let call = instance.get("/metrics").await;
        assert_eq!(metrics(&call.records), [expected]);
        assert_eq!(story(&call.records), ["outer", "start GET", "end GET", "metrics", "returned"]);
    }
    let call = instance.get("/tracing").await;
    assert!(metrics(&call.records).is_empty(), "nothing was recorded");
}

#[tokio::test]
async fn metrics_are_exported_before_the_component_waits() {
    let call = get("/wait").await;
    let export = vec!["shop/waits Temporality::Delta counter 1{}".to_owned()];
    assert_eq!(metrics(&call.records), [export.clone(), export]);
    assert_eq!(story(&call.records), ["outer", "start GET", "metrics", "end GET", "metrics", "returned"]);
}

#[tokio::test]
async fn logs_come_by_both_apis() {
    let call = get("/logs").await;
    let logs = logs(&call.records);
    let spans = spans(&call.records);
    let root = spans.values().next().unwrap();
    let severities: Vec<_> = logs.iter().map(|log| log.severity_number).collect();
    assert_eq!(severities, [Some(13), Some(17)]);
    let bodies: Vec<_> = logs.iter().map(|log| log.body.as_deref().unwrap()).collect();
    assert_eq!(bodies, ["\"by tracing\"", "\"by OpenTelemetry\""]);
    let texts: Vec<_> = logs.iter().map(|log| attributes(log.attributes.as_ref().unwrap())).collect();
    assert_eq!(texts, ["{stock=3}", "{parts=[1,{\"ok\":true}]}"]);
    for log in logs {
        assert_eq!(log.span_id.as_deref(), Some(root.span_context.span_id.as_str()));
        assert_eq!(log.trace_flags, Some(TraceFlags::SAMPLED));
        assert!(log.observed_timestamp.is_some() && log.resource.is_none());
    }
}

#[tokio::test]
async fn the_level_can_be_chosen() {
    let mut instance = Instance::new(outer(true)).await;
    let call = instance.get("/level").await;
    assert_eq!(tree(&call.records, OUTER), "GET\n  debugged\n");
    assert_eq!(logs(&call.records).len(), 1);
    // `/tracing` has an event of the level `debug`; it is not recorded once the level is reset.
    assert_eq!(logs(&instance.get("/tracing").await.records).len(), 1);
}

#[tokio::test]
async fn a_request_carries_the_span_on() {
    let call = get("/send?to=http://a/").await;
    assert_eq!(call.answer, Some((200, "204 No Content\n".to_owned())));
    let expected = ["outer", "start GET", "start send", "sent by send", "end send", "end GET", "returned"];
    assert_eq!(story(&call.records), expected);
    let sent = call.records.iter().find_map(|record| match record {
        Record::Sent(parent) => parent.as_deref(),
        _ => None,
    });
    let sent = sent.unwrap();
    assert!(sent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && sent.ends_with("-01"), "{sent}");
}

#[tokio::test]
async fn a_body_that_is_still_written_belongs_to_the_trace() {
    let call = get("/stream").await;
    assert_eq!(call.answer, Some((200, "begun\n".to_owned())));
    assert_eq!(tree(&call.records, OUTER), "GET\n  wrote\n");
    let expected = ["outer", "start GET", "end GET", "returned", "start wrote", "end wrote", "metrics"];
    assert_eq!(story(&call.records), expected);
    assert_eq!(metrics(&call.records), [["shop/written Temporality::Delta counter 1{}"]]);
}

#[tokio::test]
async fn a_panic_loses_nothing() {
    let call = get("/panic").await;
    assert!(call.answer.is_none(), "it did not trap");
    let about = "{exception.type=\"panic\", exception.message=\"on request\"}";
    let expected = format!("GET\n  doomed failed: panicked: on request event exception {about}\n");
    assert_eq!(tree(&call.records, OUTER), expected);
    let expected =
        ["outer", "start GET", "start doomed", "log \"panicked: on request\"", "end doomed", "end GET", "metrics"];
    assert_eq!(story(&call.records), expected);
    assert_eq!(metrics(&call.records), [["shop/panics Temporality::Delta counter 1{}"]]);
}

#[tokio::test]
async fn calls_of_one_instance_do_not_mix() {
    let mut instance = Instance::new(outer(true)).await;
    let mut seen = Vec::new();
    for number in 1..=3 {
        let own = SpanContext {
            trace_id: format!("{number:032x}"),
            span_id: format!("{number:016x}"),
            trace_state: Vec::new(),
            ..outer(true)
        };
        instance.set_outer(own.clone());
        let call = instance.get("/instrument?id=7").await;
        assert_eq!(tree(&call.records, &own.span_id).lines().count(), 3);
        for (id, span) in spans(&call.records) {
            assert_eq!(span.span_context.trace_id, own.trace_id);
            assert!(span.span_context.trace_state.is_empty());
            seen.push(id.to_owned());
        }
        assert_eq!(call.records.iter().filter(|record| matches!(record, Record::Outer)).count(), 1);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9, "a span has the identifier of another");
}

#[tokio::test]
async fn a_span_has_the_state_of_its_trace() {
    let call = get("/tracing").await;
    for span in spans(&call.records).into_values() {
        assert_eq!(span.span_context.trace_state, outer(true).trace_state, "{}", span.name);
    }
}

/// Without sampling the host receives no span, but metrics and logs, and outgoing requests carry the unsampled flag.
#[tokio::test]
async fn a_trace_that_is_not_sampled_costs_no_calls() {
    let mut instance = Instance::new(outer(false)).await;
    for path in ["/tracing", "/instrument?id=7", "/api", "/join", "/stream", "/root"] {
        let call = instance.get(path).await;
        assert!(spans(&call.records).is_empty(), "{path}");
        assert!(!call.records.iter().any(|record| matches!(record, Record::Start(_))), "{path}");
    }
    let call = instance.get("/logs").await;
    assert!(logs(&call.records).iter().all(|log| log.trace_flags == Some(TraceFlags::empty())));
    assert_eq!(logs(&call.records).len(), 2);
    assert_eq!(metrics(&instance.get("/metrics").await.records).len(), 1);
    let call = instance.get("/send?to=http://a/").await;
    let sent = format!("00-{}-{OUTER}-00", outer(false).trace_id);
    assert!(matches!(&call.records[1], Record::Sent(Some(parent)) if *parent == sent), "{:?}", call.records);
}

/// A host without a trace returns IDs of zeros, or empty ones.
#[tokio::test]
async fn a_host_without_a_trace_hears_of_no_span() {
    for (trace_id, span_id) in [("0".repeat(32), "0".repeat(16)), (String::new(), String::new())] {
        let mut instance = Instance::new(SpanContext { trace_id, span_id, ..outer(true) }).await;
        for path in ["/tracing", "/instrument?id=7", "/api", "/join", "/root"] {
            let call = instance.get(path).await;
            assert!(!call.records.iter().any(|record| matches!(record, Record::Start(_) | Record::End(_))), "{path}");
        }
        let call = instance.get("/send?to=http://a/").await;
        assert_eq!(story(&call.records), ["outer", "sent", "returned"]);
        assert_eq!(logs(&instance.get("/logs").await.records).len(), 2);
    }
}

#[tokio::test]
async fn a_component_can_open_a_root_by_itself() {
    let call = get("/root").await;
    assert_eq!(tree(&call.records, OUTER), "GET\nown\n  inside\n");
}

#[tokio::test]
async fn each_of_many_spans_is_sent_at_once() {
    let mut instance = Instance::new(outer(true)).await;
    for _ in 0..2 {
        let call = instance.get("/spans/1000").await;
        let story = story(&call.records);
        assert_eq!(story.len(), 2 * 1000 + 4);
        let steps = &story[2..2002];
        assert!(steps.chunks(2).all(|step| step == ["start step", "end step"]), "a span was delayed");
        let last = spans(&call.records);
        assert!(last.values().any(|span| attributes(&span.attributes) == "{number=999, kind=\"bench\"}"));
    }
}

/// `current-span-context` exists on some hosts only.
#[tokio::test]
async fn the_component_imports_what_every_host_has() {
    let imports = host::imports();
    let functions =
        ["tracing.on-start", "tracing.on-end", "tracing.outer-span-context", "metrics.export", "logs.on-emit"];
    for function in functions {
        let name = format!("wasi:otel/{}", function.replace('.', "@0.2.0-rc.2."));
        assert!(imports.contains(&name), "{name}: {imports:?}");
    }
    assert!(!imports.iter().any(|name| name.ends_with("current-span-context")));
}
