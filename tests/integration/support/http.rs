//! A small HTTP/1.1 client with control over the wire: it sends exactly the bytes of the test.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// A connection.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) stream: S,
    buffer: Vec<u8>,
}

/// A response; only its head while the body is empty.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The minor version: `HTTP/1.0` or `HTTP/1.1`.
    pub(crate) version: u8,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Returns the only value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} comes twice in {self:?}");
        value
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Asserts that this is a short plain text of the server, without internals.
    #[track_caller]
    pub(crate) fn is_plain_refusal(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("text/plain; charset=utf-8"));
        let text = self.text();
        assert!(text.len() < 80 && text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
        for internal in ["wasm", "panick", "xyzzy", "src/", ".rs", "0x", "guest", "unreachable"] {
            assert!(!text.contains(internal), "{text:?} says `{internal}`");
        }
    }
}

/// Sends one GET on a new connection.
pub(crate) fn get(address: SocketAddr, target: &str) -> Response {
    Client::connect(address).get(target)
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub(crate) fn try_connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// Disconnects without closing TLS or finishing a request.
    pub(crate) fn disconnect(self) {
        drop(self);
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Sends a request without a body; the connection stays open.
    pub(crate) fn start(&mut self, method: &str, target: &str, headers: &[&str]) {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: example.test\r\n{headers}\r\n"));
    }

    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.start("GET", target, &[]);
        self.response()
    }

    pub(crate) fn post(&mut self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.try_request("POST", target, body).unwrap()
    }

    pub(crate) fn put(&mut self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.try_request("PUT", target, body).unwrap()
    }

    pub(crate) fn delete(&mut self, target: &str) -> Response {
        self.start("DELETE", target, &[]);
        self.response()
    }

    /// Sends a request with a body and returns the response.
    pub(crate) fn try_request(&mut self, method: &str, target: &str, body: impl AsRef<[u8]>) -> Result<Response> {
        let body = body.as_ref();
        let length = body.len();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: example.test\r\nContent-Length: {length}\r\n\r\n");
        // One write: a server that answers the head alone may close the connection before the body is sent.
        self.try_send([head.as_bytes(), body].concat())?;
        self.try_response()
    }

    /// Sends one chunk of a request's body; an empty one ends it.
    pub(crate) fn send_chunk(&mut self, data: impl AsRef<[u8]>) {
        let data = data.as_ref();
        self.send([format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat());
    }

    #[track_caller]
    pub(crate) fn response(&mut self) -> Response {
        self.try_response().unwrap()
    }

    /// Reads the next response with its whole body.
    pub(crate) fn try_response(&mut self) -> Result<Response> {
        let mut response = self.try_head()?;
        if response.status == 204 || response.status == 304 {
            return Ok(response);
        }
        if response.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk()? {
                response.body.extend(chunk);
            }
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().unwrap();
            response.body = self.take(length)?;
        } else {
            response.body = self.rest()?;
        }
        Ok(response)
    }

    /// Reads the next head only, including that of an interim response or of a response to HEAD.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Response {
        self.try_head().unwrap()
    }

    pub(crate) fn try_head(&mut self) -> Result<Response> {
        loop {
            if let Some((length, head)) = parse_head(&self.buffer)? {
                self.buffer.drain(..length);
                return Ok(head);
            }
            self.fill()?;
        }
    }

    /// Reads the next chunk of a body; `None` at its end.
    pub(crate) fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let length = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16)
            .map_err(|_| Error::new(ErrorKind::InvalidData, format!("not a chunk: {line:?}")))?;
        if length == 0 {
            while !self.line()?.is_empty() {}
            return Ok(None);
        }
        let data = self.take(length)?;
        self.take(2)?;
        Ok(Some(data))
    }

    /// Sends a GET whose response is aborted: a 500 if nothing was sent yet, which depends on the load of the machine,
    /// and otherwise a connection that ends in the middle.
    #[track_caller]
    pub(crate) fn breaks_off(&mut self, target: &str) {
        self.start("GET", target, &[]);
        match self.try_response() {
            Ok(response) => response.is_plain_refusal(500),
            Err(error) => {
                let cut = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
                assert!(cut, "{target}: {error}");
            }
        }
    }

    /// Reads until the server closes the connection.
    pub(crate) fn rest(&mut self) -> Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.buffer);
        match self.stream.read_to_end(&mut rest) {
            // A server that closes with unread data in its receive buffer resets the connection.
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
            _ => Ok(rest),
        }
    }

    /// Asserts that the server closes the connection without a further byte.
    #[track_caller]
    pub(crate) fn is_closed(&mut self) {
        let rest = self.rest().unwrap();
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(end)?;
                self.take(2)?;
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<()> {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            length => {
                self.buffer.extend_from_slice(&piece[..length]);
                Ok(())
            }
        }
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Response)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let invalid = |error| Error::new(ErrorKind::InvalidData, format!("{error}: {}", String::from_utf8_lossy(bytes)));
    let httparse::Status::Complete(length) = head.parse(bytes).map_err(invalid)? else { return Ok(None) };
    let pair =
        |header: &httparse::Header<'_>| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned());
    let response = Response {
        status: head.code.unwrap_or_default(),
        version: head.version.unwrap_or_default(),
        headers: head.headers.iter().map(pair).collect(),
        body: Vec::new(),
    };
    Ok(Some((length, response)))
}
