//! A minimal HTTP/1.1 response parser: the status, connection reuse, and the length of the body.

use anyhow::{Result, bail, ensure};

/// The maximum length of a head, in bytes.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 64;

/// A complete response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// True if the server closes the connection after it.
    pub(crate) close: bool,
    /// The length of the body in bytes.
    pub(crate) body: u64,
}

/// Reads one response after another.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    head: Vec<u8>,
    current: Option<(Response, Body)>,
}

/// The missing part of a body.
#[derive(Clone, Copy, Debug)]
enum Body {
    Length(u64),
    Chunked(Chunk),
    UntilClose,
}

/// The position in a chunked body.
#[derive(Clone, Copy, Debug)]
enum Chunk {
    Size(u64),
    Extension(u64),
    Data(u64),
    DataEnd,
    Trailer { empty: bool },
}

impl Parser {
    /// Parses the received bytes. Returns `Some` when they complete the response.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<Option<Response>> {
        if self.current.is_none() {
            let Some(used) = self.read_head(bytes)? else { return Ok(None) };
            bytes = bytes.get(used..).unwrap_or_default();
        }
        let Some((mut response, body)) = self.current.take() else { return Ok(None) };
        let rest = match body {
            Body::UntilClose => {
                response.body += bytes.len() as u64;
                Some(Body::UntilClose)
            }
            Body::Length(left) => {
                let left = left.checked_sub(bytes.len() as u64);
                let Some(left) = left else { bail!("bytes after the end of a response") };
                response.body += bytes.len() as u64;
                (left > 0).then_some(Body::Length(left))
            }
            Body::Chunked(chunk) => read_chunks(chunk, bytes, &mut response.body)?.map(Body::Chunked),
        };
        match rest {
            Some(rest) => {
                self.current = Some((response, rest));
                Ok(None)
            }
            None => Ok(Some(response)),
        }
    }

    /// Handles the end of the connection. Returns the response if that completes it.
    pub(crate) fn end(&mut self) -> Option<Response> {
        self.head.clear();
        match self.current.take() {
            Some((response, Body::UntilClose)) => Some(response),
            _ => None,
        }
    }

    /// Returns the number of `bytes` that belong to the head; `None` while it is incomplete.
    fn read_head(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        // The usual case, a complete head, is parsed in place.
        let before = self.head.len();
        let parsed = if before == 0 {
            parse_head(bytes)?
        } else {
            self.head.extend_from_slice(bytes);
            parse_head(&self.head)?
        };
        let Some((length, response, body)) = parsed else {
            if before == 0 {
                self.head.extend_from_slice(bytes);
            }
            ensure!(self.head.len() <= MAX_HEAD, "a head of more than {MAX_HEAD} bytes");
            return Ok(None);
        };
        self.head.clear();
        let used = length.saturating_sub(before);
        if (100..200).contains(&response.status) {
            let rest = bytes.get(used..).unwrap_or_default();
            return Ok(self.read_head(rest)?.map(|more| used + more));
        }
        self.current = Some((response, body));
        Ok(Some(used))
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Response, Body)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes)? else { return Ok(None) };
    let status = head.code.unwrap_or_default();
    let mut close = head.version == Some(0);
    let mut body = Body::UntilClose;
    for header in head.headers.iter() {
        let value = header.value.trim_ascii();
        if header.name.eq_ignore_ascii_case("content-length") {
            body = Body::Length(std::str::from_utf8(value)?.parse()?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            body = Body::Chunked(Chunk::Size(0));
        } else if header.name.eq_ignore_ascii_case("connection") {
            close |= value.eq_ignore_ascii_case(b"close");
        }
    }
    if matches!(status, 204 | 304 | 100..200) {
        body = Body::Length(0);
    }
    close |= matches!(body, Body::UntilClose);
    Ok(Some((length, Response { status, close, body: 0 }, body)))
}

/// Continues a chunked body. Returns the position, or `None` at its end.
fn read_chunks(mut chunk: Chunk, mut bytes: &[u8], body: &mut u64) -> Result<Option<Chunk>> {
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = rest;
        chunk = match (chunk, byte) {
            (Chunk::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                ensure!(size >> 60 == 0, "a chunk longer than there is memory");
                Chunk::Size((size << 4) | u64::from(digit))
            }
            (Chunk::Size(0) | Chunk::Extension(0), b'\n') => Chunk::Trailer { empty: true },
            (Chunk::Size(size) | Chunk::Extension(size), b'\n') => Chunk::Data(size),
            (Chunk::Size(size), b';' | b'\r' | b' ') | (Chunk::Extension(size), _) => Chunk::Extension(size),
            (Chunk::Size(_), _) => bail!("a chunk's size is not hexadecimal"),
            (Chunk::Data(left), _) => {
                let more = usize::try_from(left - 1).unwrap_or(usize::MAX).min(rest.len());
                bytes = rest.get(more..).unwrap_or_default();
                let taken = more as u64 + 1;
                *body += taken;
                if taken == left { Chunk::DataEnd } else { Chunk::Data(left - taken) }
            }
            (Chunk::DataEnd, b'\r') => Chunk::DataEnd,
            (Chunk::DataEnd, b'\n') => Chunk::Size(0),
            (Chunk::DataEnd, _) => bail!("a chunk is longer than its size"),
            (Chunk::Trailer { empty: true }, b'\n') => {
                ensure!(bytes.is_empty(), "bytes after the end of a response");
                return Ok(None);
            }
            (Chunk::Trailer { .. }, b'\n') => Chunk::Trailer { empty: true },
            (Chunk::Trailer { empty }, b'\r') => Chunk::Trailer { empty },
            (Chunk::Trailer { .. }, _) => Chunk::Trailer { empty: false },
        };
    }
    Ok(Some(chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that the end is found at the last byte, for every split of the bytes.
    fn check(text: &str, expected: Response) {
        let bytes = text.as_bytes();
        for cut in 1..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            let mut parser = Parser::default();
            assert_eq!(parser.feed(first).unwrap(), None, "{text:?} cut at {cut}");
            assert_eq!(parser.feed(second).unwrap(), Some(expected), "{text:?} cut at {cut}");
        }
        let mut parser = Parser::default();
        assert_eq!(parser.feed(bytes).unwrap(), Some(expected), "{text:?}");
        assert_eq!(parser.feed(bytes).unwrap(), Some(expected), "{text:?} again");
    }

    #[test]
    fn length() {
        let expected = Response { status: 200, close: false, body: 5 };
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", expected);
    }

    #[test]
    fn no_body() {
        check("HTTP/1.1 204 No Content\r\n\r\n", Response { status: 204, close: false, body: 0 });
    }

    #[test]
    fn informational_first() {
        let expected = Response { status: 503, close: true, body: 0 };
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            expected,
        );
    }

    #[test]
    fn chunked() {
        let expected = Response { status: 200, close: false, body: 19 };
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        check(&format!("{head}3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\n\r\n"), expected);
        check(&format!("{head}13\r\n0123456789012345678\r\n0\r\nchecksum: 1\r\nother: 2\r\n\r\n"), expected);
    }

    #[test]
    fn until_close() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"HTTP/1.0 200 OK\r\n\r\nhel").unwrap(), None);
        assert_eq!(parser.feed(b"lo").unwrap(), None);
        assert_eq!(parser.end(), Some(Response { status: 200, close: true, body: 5 }));
    }

    #[test]
    fn a_cut_response_is_none() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel").unwrap(), None);
        assert_eq!(parser.end(), None);
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for bytes in [
            "SSH-2.0-x\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc",
        ] {
            assert!(Parser::default().feed(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }
}
