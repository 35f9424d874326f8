//! Decodes an OTLP request in parts. Decoding a request of 4 MiB at once can take a gigabyte: an empty element has two
//! bytes on the wire, and hundreds in memory.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::{DecodeError, Message};

use crate::field::read_field;

/// Maximum size of a part: a resource, a scope, a span or a log record, in bytes.
pub(crate) const MESSAGE: usize = 64 << 10;

/// The request is not valid OTLP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Malformed;

impl From<DecodeError> for Malformed {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

/// Field numbers of requests, the same for traces and logs.
const RESOURCE_ITEMS: u64 = 1;
const RESOURCE: u64 = 1;
const SCOPE_ITEMS: u64 = 2;
const SCOPE: u64 = 1;
const ITEMS: u64 = 2;

/// Calls `each` with every span or log record of `request`, its scope, and the value that `sender` returns for its
/// resource. Items whose resource maps to `None`, and items that are too large, are skipped.
///
/// # Errors
///
/// The request is not valid OTLP. Earlier items have been passed to `each`.
pub(crate) fn walk<M: Message + Default, S>(
    request: &[u8],
    sender: impl Fn(&Resource) -> Option<S>,
    mut each: impl FnMut(&S, &InstrumentationScope, &M),
) -> Result<(), Malformed> {
    fields(request, |field, group| {
        if field != RESOURCE_ITEMS {
            return Ok(());
        }
        let resource: Resource = merged(group, RESOURCE)?;
        let Some(sender) = sender(&resource) else { return Ok(()) };
        fields(group, |field, library| {
            if field != SCOPE_ITEMS {
                return Ok(());
            }
            let scope: InstrumentationScope = merged(library, SCOPE)?;
            fields(library, |field, item| {
                if field == ITEMS && item.len() <= MESSAGE {
                    each(&sender, &scope, &M::decode(item)?);
                }
                Ok(())
            })
        })
    })
}

/// Decodes a nested message. Repeated occurrences of its field are merged.
fn merged<M: Message + Default>(message: &[u8], wanted: u64) -> Result<M, Malformed> {
    let (mut merged, mut room) = (M::default(), MESSAGE);
    fields(message, |field, content| {
        if field == wanted
            && let Some(left) = room.checked_sub(content.len())
        {
            room = left;
            merged.merge(content)?;
        }
        Ok(())
    })?;
    Ok(merged)
}

/// Calls `each` with the number and content of every length-delimited field.
fn fields(mut message: &[u8], mut each: impl FnMut(u64, &[u8]) -> Result<(), Malformed>) -> Result<(), Malformed> {
    while !message.is_empty() {
        let (field, content) = read_field(&mut message).ok_or(Malformed)?;
        if let Some(content) = content {
            each(field, content)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    use super::*;

    fn names(request: &[u8]) -> Result<Vec<String>, Malformed> {
        let mut names = Vec::new();
        walk(request, |_| Some(()), |(), scope, span: &Span| names.push(format!("{}/{}", scope.name, span.name)))?;
        Ok(names)
    }

    fn request(spans: Vec<Span>) -> Vec<u8> {
        let scope = Some(InstrumentationScope { name: "library".to_owned(), ..Default::default() });
        let scope_spans = vec![ScopeSpans { scope, spans, schema_url: String::new() }];
        let resource_spans = vec![ResourceSpans { resource: None, scope_spans, schema_url: String::new() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    #[test]
    fn every_span_is_read_with_its_library() {
        let named = |name: &str| Span { name: name.to_owned(), ..Span::default() };
        assert_eq!(names(&request(vec![named("a"), named("b")])).unwrap(), ["library/a", "library/b"]);
    }

    #[test]
    fn what_is_too_large_is_left_out() {
        let sized = |length: usize| Span { name: "x".repeat(length), ..Span::default() };
        let head = sized(MESSAGE).encoded_len() - MESSAGE;
        for (length, read) in [(MESSAGE - 1, true), (MESSAGE, true), (MESSAGE + 1, false)] {
            let spans = names(&request(vec![sized(length - head)])).unwrap();
            assert_eq!(spans.len() == 1, read, "{length}");
        }
    }

    #[test]
    fn what_is_broken_off_is_an_error() {
        let whole = request(vec![Span { name: "span".to_owned(), ..Span::default() }]);
        for length in 1..whole.len() {
            assert!(names(&whole[..length]).is_err(), "{length}");
        }
        assert!(names(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").is_err());
    }

    /// Two million empty elements: each is decoded and dropped before the next.
    #[test]
    fn empty_elements_take_no_memory() {
        let empty = [0x0a, 0x00].repeat(2 << 20);
        assert!(names(&empty).unwrap().is_empty());
    }
}
