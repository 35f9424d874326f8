//! HTTP/2 frame by frame, for sequences that no client library sends.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const END_HEADERS: u8 = 4;
const END_STREAM_AND_HEADERS: u8 = 5;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// A frame from the server.
#[derive(Debug)]
pub(crate) struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A connection.
pub(crate) struct Frames(TcpStream);

impl Frames {
    /// Opens a connection whose streams have this window.
    pub(crate) fn connect(address: SocketAddr, window: u32) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut frames = Self(stream);
        frames.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        frames.send(SETTINGS, 0, 0, &[&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()].concat());
        frames
    }

    /// Sends a POST whose body goes on after `data`.
    pub(crate) fn post(&mut self, stream: u32, target: &str, data: &[u8]) {
        // `:method: POST` and `:scheme: http` are in HPACK's static table.
        let mut block = vec![0x83, 0x86];
        for (name, value) in [(":path", target), (":authority", "example.test")] {
            block.push(0);
            text(&mut block, name);
            text(&mut block, value);
        }
        self.send(HEADERS, END_HEADERS, stream, &block);
        self.send(DATA, 0, stream, data);
    }

    /// Resets `stream`, as a client does that has lost its interest.
    pub(crate) fn reset(&mut self, stream: u32) {
        self.try_reset(stream).unwrap();
    }

    pub(crate) fn try_reset(&mut self, stream: u32) -> Result<()> {
        const CANCEL: u32 = 8;
        self.try_send(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
    }

    /// Sends a GET.
    pub(crate) fn try_get(&mut self, stream: u32, target: &str) -> Result<()> {
        self.try_send(HEADERS, END_STREAM_AND_HEADERS, stream, &get_block(target, &[]))
    }

    /// Sends a GET with additional fields.
    pub(crate) fn get(&mut self, stream: u32, target: &str, fields: &[(&str, &str)]) {
        self.send(HEADERS, END_STREAM_AND_HEADERS, stream, &get_block(target, fields));
    }

    /// Increases the window of `stream`.
    pub(crate) fn open_window(&mut self, stream: u32, by: u32) {
        self.send(WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    }

    /// Closes the sending side of the connection.
    pub(crate) fn half_close(&self) {
        self.0.shutdown(std::net::Shutdown::Write).unwrap();
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.try_send(kind, flags, stream, payload).unwrap();
    }

    fn try_send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.0.write_all(&[&head[..], payload].concat())
    }

    /// Returns the next frame; `None` if the connection has ended.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], stream, payload })
    }

    /// Reads until one of `streams` is reset. Returns it with the number of data bytes on any stream meanwhile.
    pub(crate) fn until_reset(&mut self, streams: &[u32]) -> (u32, usize) {
        let mut data = 0;
        loop {
            let frame = self.next().expect("the connection stays open");
            match frame.kind {
                RST_STREAM if streams.contains(&frame.stream) => return (frame.stream, data),
                DATA => data += frame.payload.len(),
                _ => {}
            }
        }
    }

    /// Reads until data arrives on `stream`.
    pub(crate) fn data(&mut self, stream: u32) -> Vec<u8> {
        loop {
            let frame = self.next().expect("the connection stays open");
            if (frame.kind, frame.stream) == (DATA, stream) {
                return frame.payload;
            }
        }
    }
}

/// Returns the fields of a GET, encoded.
fn get_block(target: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    // `:method: GET` and `:scheme: http` are in HPACK's static table.
    let mut block = vec![0x82, 0x86];
    for (name, value) in [(":path", target), (":authority", "example.test")].iter().chain(fields) {
        block.push(0);
        text(&mut block, name);
        text(&mut block, value);
    }
    block
}

/// Appends a literal HPACK string.
fn text(block: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    if length < 127 {
        block.push(length as u8);
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push((length % 128) as u8 | 128);
            length /= 128;
        }
        block.push(length as u8);
    }
    block.extend_from_slice(text.as_bytes());
}
