//! Makes the host hold resources: header fields, methods of requests, unsent bodies, streams and listings of files.

use wasip2::cli::stdout::get_stdout;
use wasip2::filesystem::types::{ErrorCode, OpenFlags};
use wasip2::http::types::{Fields, Method, OutgoingRequest};

use crate::answer::Target;
use crate::open;

/// Creates up to `handles` fields with a value of `bytes` bytes each, returns the number before one was refused, and
/// drops them.
pub(crate) fn fields(target: &Target) -> String {
    let value = vec![b'v'; amount(target)];
    hold(target, || Fields::from_list(&[("x".to_owned(), value.clone())]))
}

/// As [`fields`], with appended values.
pub(crate) fn appended(target: &Target) -> String {
    let value = vec![b'v'; amount(target)];
    hold(target, || {
        let fields = Fields::new();
        fields.append("x", &value).map(|()| fields)
    })
}

/// As [`fields`], with requests whose method has that many bytes.
pub(crate) fn methods(target: &Target) -> String {
    let method = Method::Other("M".repeat(amount(target)));
    hold(target, || {
        let request = OutgoingRequest::new(Fields::new());
        request.set_method(&method).map(|()| request)
    })
}

/// As [`fields`], with requests whose body is filled as far as the host accepts.
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

/// As [`fields`], with streams of a file, each with buffered data that the guest does not consume.
pub(crate) fn reads(target: &Target) -> String {
    let file = open::file();
    hold(target, || {
        let stream = file.as_ref().map_err(|error| *error)?.read_via_stream(0)?;
        // The first call starts the read.
        let _ = stream.read(1 << 20);
        Ok::<_, ErrorCode>(stream)
    })
}

/// As [`fields`], with streams into a file, each filled as far as the host accepts at once.
pub(crate) fn writes(target: &Target) -> String {
    let file = open::file();
    hold(target, || {
        let stream = file.as_ref().map_err(|error| *error)?.write_via_stream(0)?;
        let room = stream.check_write().unwrap_or(0);
        let _ = stream.write(&vec![b'w'; usize::try_from(room).unwrap_or(0)]);
        Ok::<_, ErrorCode>(stream)
    })
}

/// As [`fields`], with listings of the directory.
pub(crate) fn listings(target: &Target) -> String {
    let directory = open::at(".", OpenFlags::DIRECTORY);
    hold(target, || directory.as_ref().map_err(|error| *error)?.read_directory())
}

/// As [`fields`], with handles of standard output that hold that many bytes of an unfinished line.
pub(crate) fn lines(target: &Target) -> String {
    let line = vec![b'l'; amount(target)];
    hold(target, || {
        let stream = get_stdout();
        stream.write(&line).map(|()| stream)
    })
}

/// Writes `bytes` bytes into a file at once, more than is permitted.
pub(crate) fn overwrite(target: &Target) -> String {
    let written = open::file().and_then(|file| file.write_via_stream(0));
    written.map(|stream| format!("{:?}\n", stream.write(&vec![b'w'; amount(target)]))).unwrap_or_default()
}
