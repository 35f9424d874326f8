//! Sizes of the entries of a resource table.

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

use super::P2_BODY_BYTES;

/// Upper bound of a field's overhead besides its text, in a map that has just grown, in bytes.
const FIELD_OVERHEAD: usize = 256;

/// Returns the size of a field, in bytes.
pub(super) fn field_bytes(name: &str, value: usize) -> usize {
    name.len().saturating_add(value).saturating_add(FIELD_OVERHEAD)
}

/// Returns the size of a map of fields, in bytes.
pub(crate) fn header_bytes(map: &HeaderMap) -> usize {
    map.iter().map(|(name, value)| field_bytes(name.as_str(), value.len())).fold(0, usize::saturating_add)
}

/// Returns the address of a map of fields: clones that share it have the same address.
pub(super) fn address(map: &FieldMap) -> usize {
    let map: &HeaderMap = map;
    std::ptr::from_ref(map).addr()
}

/// Returns the heap size of a method, in bytes.
fn method_bytes(method: &Method) -> usize {
    if let Method::Other(text) = method { text.len() } else { 0 }
}

/// Returns the heap size of a scheme, in bytes.
fn scheme_bytes(scheme: Option<&Scheme>) -> usize {
    if let Some(Scheme::Other(text)) = scheme { text.len() } else { 0 }
}

/// Returns the bytes that `table` holds for `wasi:http`.
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
            self.add(method_bytes(&request.method));
            self.add(scheme_bytes(request.scheme.as_ref()));
            self.add(request.authority.as_ref().map_or(0, String::len));
            self.add(request.path_with_query.as_ref().map_or(0, String::len));
            self.add(request.body.as_ref().map_or(0, |_| P2_BODY_BYTES));
        } else if let Some(response) = entry.downcast_ref::<HostOutgoingResponse>() {
            self.fields(&response.headers);
            self.add(response.body.as_ref().map_or(0, |_| P2_BODY_BYTES));
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
