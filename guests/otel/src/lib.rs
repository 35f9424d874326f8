//! Traces, metrics and logs with both APIs: `tracing` with `#[instrument]`, and OpenTelemetry's own. `tempo-sdk-otel`
//! creates the request's span, the parent of all others, with the method's name.
//!
//! | path | spans (indented below their parents), logs and metrics |
//! |---|---|
//! | `/tracing` | `shop` {customer: "Ada"}, `price` {cents: 250} in it, and in that the log "priced" {cents: 250} |
//! | `/instrument?id=7` | `load` {id: 7, shop.name: "tea"}, `parse` {text: "7"} in it. With an `id` that is no number both fail: status, and a log of each |
//! | `/api` | `order` by tracing, `pack` (client, scope `shop` 1.0, attributes of every kind, an event, a link to `order`) by OpenTelemetry in it, `weigh` by tracing in that |
//! | `/join` | `left` and `right`, which run at once; in each, after it has waited, `left.after` or `right.after` |
//! | `/metrics` | the counter `orders` (1, {kind: "tea"}), the up-down counter `baskets` (-2), the gauge `temperature` (21.5), the histogram `price` (2.5 and 7.5) of the scope `shop` |
//! | `/logs` | "by tracing" (warn, {stock: 3}) and "by OpenTelemetry" (error, {parts: [1, {"ok": true}]}) |
//! | `/level` | `debugged`, and the log "debugged", of the level `debug`, which is recorded for this once |
//! | `/wait` | 1 on the counter `waits` before and after it has waited, exported each time |
//! | `/root` | `own`, which is not below the request's span but beside it, and `inside` in it |
//! | `/send?to=URL` | `send`, and the request to the URL with its `traceparent`. The answer is the status |
//! | `/stream` | `wrote`, and 1 on the counter `written`, when the response has begun and the request's span has ended |
//! | `/panic` | `doomed`, 1 on the counter `panics`, and a log: the instance traps, and all of it arrives |
//! | `/spans/{count}` | `count` times `step` {number: .., kind: "bench"} |

use std::time::Duration;

use futures::join;
use tempo_sdk_http::{Body, Error, ErrorKind, IntoResponse, Request, Response, Router, StatusCode, get, sleep, spawn};
use tempo_sdk_otel::opentelemetry::logs::{AnyValue, LogRecord, Logger, Severity};
use tempo_sdk_otel::opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt, Tracer};
use tempo_sdk_otel::opentelemetry::{Array, Context, InstrumentationScope, Key, KeyValue, Value, global};
use tempo_sdk_otel::tracing::level_filters::LevelFilter;
use tempo_sdk_otel::tracing::{Instrument, debug, debug_span, info, info_span, warn};
use tempo_sdk_otel::{instrument, logger};

static ROUTES: std::sync::LazyLock<Router> = std::sync::LazyLock::new(|| {
    Router::new()
        .get("/tracing", by_tracing)
        .get("/instrument", by_attribute)
        .get("/api", by_api)
        .get("/join", at_once)
        .get("/metrics", metrics)
        .get("/logs", logs)
        .get("/level", level)
        .get("/wait", wait)
        .get("/root", root)
        .get("/send", send)
        .get("/stream", stream)
        .get("/panic", panics)
        .get("/spans/{count}", spans)
});

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}

async fn by_tracing(_: Request) -> StatusCode {
    let shop = info_span!("shop", customer = "Ada");
    async {
        info_span!("price", cents = 250).in_scope(|| info!(cents = 250, "priced"));
        debug!("not recorded");
    }
    .instrument(shop)
    .await;
    StatusCode::OK
}

async fn by_attribute(request: Request) -> Result<String, Error> {
    let id = request.query_value("id").unwrap_or_default();
    load(&id, "a secret").await.map(|id| format!("{id}\n"))
}

/// The fields distinguish the span from others; the password is not one of them.
#[instrument(skip(password), fields(shop.name = "tea"), err)]
async fn load(id: &str, password: &str) -> Result<u64, Error> {
    sleep(Duration::from_millis(1)).await;
    parse(id).map_err(|error| {
        Error::new(ErrorKind::BadRequest, format!("{error} (with a password of {} letters)", password.len()))
    })
}

#[instrument(level = "info", err)]
fn parse(text: &str) -> Result<u64, std::num::ParseIntError> {
    text.parse()
}

async fn by_api(_: Request) -> StatusCode {
    async {
        let order = Context::current();
        let scope = InstrumentationScope::builder("shop").with_version("1.0").build();
        let tracer = global::tracer_with_scope(scope);
        let attributes = vec![
            KeyValue::new("fragile", true),
            KeyValue::new("parts", 3),
            KeyValue::new("weight", 1.0),
            KeyValue::new("label", "tea \"Assam\""),
            KeyValue::new("rooms", Value::Array(Array::I64(vec![1, 2]))),
        ];
        let pack = tracer.span_builder("pack").with_kind(SpanKind::Client).with_attributes(attributes).start(&tracer);
        let pack = Context::current_with_span(pack);
        pack.span().add_link(order.span().span_context().clone(), vec![KeyValue::new("why", "test")]);
        async {
            sleep(Duration::from_millis(1)).await;
            Context::current().span().add_event("sealed", vec![KeyValue::new("tape", 2)]);
            drop(info_span!("weigh"));
        }
        .with_context(pack)
        .await;
    }
    .instrument(info_span!("order"))
    .await;
    StatusCode::OK
}

async fn at_once(_: Request) -> StatusCode {
    join!(side("left", 4), side("right", 2));
    StatusCode::OK
}

#[instrument(skip_all, fields(otel.name = name))]
async fn side(name: &str, milliseconds: u64) {
    sleep(Duration::from_millis(milliseconds)).await;
    drop(info_span!("after", otel.name = format!("{name}.after")));
}

async fn metrics(_: Request) -> StatusCode {
    let shop = global::meter("shop");
    shop.u64_counter("orders").with_unit("{order}").build().add(1, &[KeyValue::new("kind", "tea")]);
    shop.i64_up_down_counter("baskets").build().add(-2, &[]);
    shop.f64_gauge("temperature").with_unit("Cel").build().record(21.5, &[]);
    let price = shop.f64_histogram("price").with_description("What was paid").with_boundaries(vec![5.0]).build();
    price.record(2.5, &[]);
    price.record(7.5, &[]);
    StatusCode::OK
}

async fn logs(_: Request) -> StatusCode {
    warn!(stock = 3, "by tracing");
    let logger = logger("shop");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Error);
    record.set_body("by OpenTelemetry".into());
    let ok = [(Key::new("ok"), AnyValue::Boolean(true))].into_iter().collect();
    record.add_attribute("parts", AnyValue::ListAny(Box::new(vec![AnyValue::Int(1), AnyValue::Map(Box::new(ok))])));
    logger.emit(record);
    StatusCode::OK
}

async fn level(_: Request) -> StatusCode {
    tempo_sdk_otel::init(LevelFilter::DEBUG);
    debug_span!("debugged").in_scope(|| debug!("debugged"));
    tempo_sdk_otel::init(LevelFilter::INFO);
    StatusCode::OK
}

async fn wait(_: Request) -> StatusCode {
    let waits = global::meter("shop").u64_counter("waits").build();
    waits.add(1, &[]);
    sleep(Duration::from_millis(1)).await;
    waits.add(1, &[]);
    StatusCode::OK
}

async fn root(_: Request) -> StatusCode {
    tempo_sdk_otel::root("own", async { drop(info_span!("inside")) }).await;
    StatusCode::OK
}

#[instrument(name = "send", skip_all)]
async fn send(request: Request) -> Result<String, Error> {
    let to = request.query_value("to").unwrap_or_default();
    Ok(format!("{}\n", get(to).await?.status()))
}

async fn stream(_: Request) -> Response {
    let (mut sender, body) = Body::channel();
    spawn(async move {
        if sender.send("begun\n").await.is_err() {
            return; // the client disconnected
        }
        sleep(Duration::from_millis(1)).await;
        drop(info_span!("wrote"));
        global::meter("shop").u64_counter("written").build().add(1, &[]);
    });
    Response::new(body)
}

#[instrument(name = "doomed", skip_all)]
async fn panics(_: Request) -> StatusCode {
    global::meter("shop").u64_counter("panics").build().add(1, &[]);
    panic!("on request")
}

async fn spans(request: Request) -> Result<StatusCode, Error> {
    let count = request.parameter("count").and_then(|count| count.parse().ok());
    let count: u64 = count.ok_or_else(|| Error::new(ErrorKind::BadRequest, "how many spans?"))?;
    (0..count).for_each(|number| step(number, "bench"));
    Ok(StatusCode::OK)
}

#[instrument]
fn step(number: u64, kind: &str) {
    std::hint::black_box((number, kind));
}
