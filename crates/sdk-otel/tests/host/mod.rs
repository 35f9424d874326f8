//! A host that records the calls to `wasi:otel`, in order.
#![allow(dead_code, reason = "the tests and the measurement use different parts")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};
use wasmtime_wasi_http::{
    Error, FieldMap, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView, p3,
};

wasmtime::component::bindgen!({ path: "wit", world: "imports" });

pub(crate) mod story;

pub(crate) use wasi::otel::logs::LogRecord;
pub(crate) use wasi::otel::metrics::{MetricData, MetricNumber, ResourceMetrics};
pub(crate) use wasi::otel::tracing::{SpanContext, SpanData, SpanKind, Status, TraceFlags};
pub(crate) use wasi::otel::types::KeyValue;

/// A call or an event of the component.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// A request of the host's span.
    Outer,
    Start(SpanContext),
    End(SpanData),
    Metrics(ResourceMetrics),
    Log(LogRecord),
    /// An outgoing request, with its `traceparent`.
    Sent(Option<String>),
    /// The handler returned.
    Returned,
}

/// The host's replies, and the recorded calls.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub outer: SpanContext,
    pub records: Vec<Record>,
    /// Stops recording, for measurements.
    pub idle: bool,
}

pub(crate) struct Data {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    hooks: Hooks,
    recorder: Arc<Mutex<Recorder>>,
}

struct Hooks(Arc<Mutex<Recorder>>);

fn push_record(recorder: &Mutex<Recorder>, record: Record) {
    let mut recorder = recorder.lock().unwrap();
    if !recorder.idle {
        recorder.records.push(record);
    }
}

impl wasi::otel::types::Host for Data {}

impl wasi::otel::tracing::Host for Data {
    fn on_start(&mut self, context: SpanContext) {
        push_record(&self.recorder, Record::Start(context));
    }

    fn on_end(&mut self, span: SpanData) {
        push_record(&self.recorder, Record::End(span));
    }

    fn outer_span_context(&mut self) -> SpanContext {
        push_record(&self.recorder, Record::Outer);
        self.recorder.lock().unwrap().outer.clone()
    }

    fn current_span_context(&mut self) -> SpanContext {
        panic!("not every host has it")
    }
}

impl wasi::otel::metrics::Host for Data {
    fn export(&mut self, metrics: ResourceMetrics) -> Result<(), String> {
        push_record(&self.recorder, Record::Metrics(metrics));
        Ok(())
    }
}

impl wasi::otel::logs::Host for Data {
    fn on_emit(&mut self, record: LogRecord) {
        push_record(&self.recorder, Record::Log(record));
    }
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Data {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Hooks {
    /// Responds to every request with 204.
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let parent = request.headers().get("traceparent").map(|value| value.to_str().unwrap().to_owned());
        push_record(&self.0, Record::Sent(parent));
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let mut response = http::Response::new(body);
        *response.status_mut() = http::StatusCode::NO_CONTENT;
        Box::new(async move { Ok((response, Box::new(async { Ok(()) }) as Box<_>)) })
    }
}

/// The engine and the linked component, compiled once per process.
static SERVICE: LazyLock<ServicePre<Data>> = LazyLock::new(|| {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::from_file(&engine, guest()).unwrap();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    wasmtime_wasi::p3::add_to_linker(&mut linker).unwrap();
    p3::add_to_linker(&mut linker).unwrap();
    wasi::otel::types::add_to_linker::<_, HasSelf<Data>>(&mut linker, |data| data).unwrap();
    wasi::otel::tracing::add_to_linker::<_, HasSelf<Data>>(&mut linker, |data| data).unwrap();
    wasi::otel::metrics::add_to_linker::<_, HasSelf<Data>>(&mut linker, |data| data).unwrap();
    wasi::otel::logs::add_to_linker::<_, HasSelf<Data>>(&mut linker, |data| data).unwrap();
    ServicePre::new(linker.instantiate_pre(&component).unwrap()).unwrap()
});

/// Returns the path of `guests/otel`, as `cargo xtask build` leaves it.
fn guest() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let guest = target.join("wasm32-wasip2/guest/otel.wasm");
    assert!(guest.exists(), "{} does not exist: run `cargo xtask build` first", guest.display());
    guest
}

/// Returns the component's imports, as `instance` or `instance.function`.
pub(crate) fn imports() -> Vec<String> {
    use wasmtime::component::types::ComponentItem;
    let engine = SERVICE.engine();
    let component = SERVICE.instance_pre().component();
    let mut names = Vec::new();
    for (name, item) in component.component_type().imports(engine) {
        names.push(name.to_owned());
        if let ComponentItem::ComponentInstance(instance) = item.ty {
            names.extend(instance.exports(engine).map(|(function, _)| format!("{name}.{function}")));
        }
    }
    names
}

/// Creates a host span for the component's calls.
pub(crate) fn outer(sampled: bool) -> SpanContext {
    SpanContext {
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        span_id: "00f067aa0ba902b7".to_owned(),
        trace_flags: if sampled { TraceFlags::SAMPLED } else { TraceFlags::empty() },
        is_remote: false,
        trace_state: vec![("vendor".to_owned(), "1".to_owned()), ("other".to_owned(), "2".to_owned())],
    }
}

/// An instance that is reused for several calls, as hosts do.
pub(crate) struct Instance {
    store: Store<Data>,
    service: Service,
    recorder: Arc<Mutex<Recorder>>,
}

/// The response and the records of one call, including its tasks.
pub(crate) struct Call {
    /// `None` if the instance trapped.
    pub answer: Option<(u16, String)>,
    pub records: Vec<Record>,
}

impl Instance {
    pub(crate) async fn new(outer: SpanContext) -> Self {
        let recorder = Arc::new(Mutex::new(Recorder { outer, records: Vec::new(), idle: false }));
        let data = Data {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
            http: WasiHttpCtx::new(),
            hooks: Hooks(recorder.clone()),
            recorder: recorder.clone(),
        };
        let mut store = Store::new(SERVICE.engine(), data);
        let service = SERVICE.instantiate_async(&mut store).await.unwrap();
        Self { store, service, recorder }
    }

    /// Stops recording.
    pub(crate) fn idle(&self) {
        self.recorder.lock().unwrap().idle = true;
    }

    /// Sets the host's span for the next calls.
    pub(crate) fn set_outer(&self, outer: SpanContext) {
        self.recorder.lock().unwrap().outer = outer;
    }

    /// Sends a `GET` for `path`, and waits until the call and its tasks have ended.
    pub(crate) async fn get(&mut self, path: &str) -> Call {
        self.recorder.lock().unwrap().records.clear();
        let (service, recorder) = (&self.service, self.recorder.clone());
        let uri: http::Uri = path.parse().unwrap();
        let called = self.store.run_concurrent(async move |accessor| -> wasmtime::Result<(u16, String)> {
            let (request, sent) = accessor.with(|mut access| {
                let headers = FieldMap::new_immutable(access.get().http().hooks, http::HeaderMap::new());
                let target = uri.into_parts().path_and_query;
                let body = Empty::<Bytes>::new().map_err(|never| -> Error { match never {} });
                let scheme = Some(http::uri::Scheme::HTTP);
                let host = Some(http::uri::Authority::from_static("test"));
                p3::Request::new(http::Method::GET, scheme, host, target, headers, None, body)
            });
            let response = service.handle(accessor, request).await??;
            push_record(&recorder, Record::Returned);
            let response = accessor.with(|mut access| response.into_http_with_getter(&mut access, sent, Data::http))?;
            let (head, mut body) = response.into_parts();
            let mut text = Vec::new();
            while let Some(frame) = body.frame().await {
                text.extend_from_slice(&frame?.into_data().unwrap_or_default());
            }
            std::future::poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            Ok((head.status.as_u16(), String::from_utf8(text)?))
        });
        let answer = called.await.and_then(|answer| answer).ok();
        Call { answer, records: self.recorder.lock().unwrap().records.clone() }
    }
}
