//! Makes the host hold things: header fields, methods of requests, bodies that are not sent.

use wasip2::http::types::{Fields, Method, OutgoingRequest};

use crate::answer::Target;

/// Makes up to `handles` handles of fields with a value of `bytes` bytes each, says how many there were before one was refused,
/// and drops them.
pub(crate) fn fields(target: &Target) -> String {
    let value = vec![b'v'; amount(target)];
    hold(target, || Fields::from_list(&[("x".to_owned(), value.clone())]))
}

/// The same, appended to.
pub(crate) fn appended(target: &Target) -> String {
    let value = vec![b'v'; amount(target)];
    hold(target, || {
        let fields = Fields::new();
        fields.append("x", &value).map(|()| fields)
    })
}

/// The same, of requests with a method of that many bytes.
pub(crate) fn methods(target: &Target) -> String {
    let method = Method::Other("M".repeat(amount(target)));
    hold(target, || {
        let request = OutgoingRequest::new(Fields::new());
        request.set_method(&method).map(|()| request)
    })
}

/// The same, of requests with a body, of which as much is written as is taken.
pub(crate) fn bodies(target: &Target) -> String {
    hold(target, || {
        let request = OutgoingRequest::new(Fields::new());
        let body = request.body()?;
        let stream = body.write()?;
        while let Ok(room @ 1..) = stream.check_write() {
            let _ = stream.write(&vec![b'b'; usize::try_from(room).unwrap_or(0)]);
        }
        Ok::<_, ()>((stream, body, request))
    })
}

fn hold<T, E: std::fmt::Debug>(target: &Target, mut make: impl FnMut() -> Result<T, E>) -> String {
    let mut held = Vec::new();
    while (held.len() as u64) < target.number("handles", 1) {
        match make() {
            Ok(made) => held.push(made),
            Err(error) => return format!("{} held, then {error:?}\n", held.len()),
        }
    }
    format!("{} held\n", held.len())
}

fn amount(target: &Target) -> usize {
    usize::try_from(target.number("bytes", 1)).unwrap_or(usize::MAX)
}
