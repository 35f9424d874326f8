//! What the entries of a resource table take.

use std::any::Any;
use std::collections::HashSet;

use http::HeaderMap;
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::bindings::http::types::{Method, Scheme};
use wasmtime_wasi_http::p2::body::HostFutureTrailers;
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};
use wasmtime_wasi_http::p3::{Request, Response};

use super::BODY;

/// What a field takes besides its texts in a map that has just grown, rounded up, in bytes.
const FIELD: usize = 256;

/// What a field takes, in bytes.
pub(super) fn field(name: &str, value: usize) -> usize {
    name.len().saturating_add(value).saturating_add(FIELD)
}

/// What a map of fields takes, in bytes.
pub(crate) fn header_bytes(map: &HeaderMap) -> usize {
    map.iter().map(|(name, value)| field(name.as_str(), value.len())).fold(0, usize::saturating_add)
}

/// Where a map of fields is: clones that share one are at the same address.
pub(super) fn address(map: &FieldMap) -> usize {
    let map: &HeaderMap = map;
    std::ptr::from_ref(map).addr()
}

/// What a method takes besides its enum, in bytes.
pub(super) fn method(method: &Method) -> usize {
    if let Method::Other(text) = method { text.len() } else { 0 }
}

/// What a scheme takes besides its enum, in bytes.
pub(super) fn scheme(scheme: Option<&Scheme>) -> usize {
    if let Some(Scheme::Other(text)) = scheme { text.len() } else { 0 }
}

/// What `table` holds for `wasi:http`, in bytes.
pub(super) fn scan(table: &mut ResourceTable) -> usize {
    let mut scan = Scan { seen: HashSet::new(), bytes: 0 };
    table.iter_mut().for_each(|entry| scan.entry(entry));
    scan.bytes
}

struct Scan {
    seen: HashSet<usize>,
    bytes: usize,
}

impl Scan {
    fn entry(&mut self, entry: &(dyn Any + Send)) {
        if let Some(fields) = entry.downcast_ref::<FieldMap>() {
            self.fields(fields);
        } else if let Some(request) = entry.downcast_ref::<Request>() {
            self.fields(&request.headers);
            self.add(request.method.as_str().len());
            self.add(request.scheme.as_ref().map_or(0, |scheme| scheme.as_str().len()));
            self.add(request.authority.as_ref().map_or(0, |authority| authority.as_str().len()));
            self.add(request.path_with_query.as_ref().map_or(0, |path| path.as_str().len()));
        } else if let Some(response) = entry.downcast_ref::<Response>() {
            self.fields(&response.headers);
        } else {
            self.p2_entry(entry);
        }
    }

    fn p2_entry(&mut self, entry: &(dyn Any + Send)) {
        if let Some(request) = entry.downcast_ref::<HostOutgoingRequest>() {
            self.fields(&request.headers);
            self.add(method(&request.method));
            self.add(scheme(request.scheme.as_ref()));
            self.add(request.authority.as_ref().map_or(0, String::len));
            self.add(request.path_with_query.as_ref().map_or(0, String::len));
            self.add(request.body.as_ref().map_or(0, |_| BODY));
        } else if let Some(response) = entry.downcast_ref::<HostOutgoingResponse>() {
            self.fields(&response.headers);
            self.add(response.body.as_ref().map_or(0, |_| BODY));
        } else if let Some(response) = entry.downcast_ref::<HostIncomingResponse>() {
            self.fields(&response.headers);
        } else if let Some(HostFutureIncomingResponse::Ready(Ok((response, _)))) = entry.downcast_ref() {
            self.add(header_bytes(response.headers()));
        } else if let Some(HostFutureTrailers::Done(Ok(Some(trailers)))) = entry.downcast_ref() {
            self.add(header_bytes(trailers));
        }
    }

    fn fields(&mut self, map: &FieldMap) {
        if self.seen.insert(address(map)) {
            self.add(header_bytes(map));
        }
    }

    fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }
}
