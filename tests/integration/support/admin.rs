//! A client of the `--admin` pages, as an operator's machines read them.

use std::net::SocketAddr;

use super::{Client, Response, Server};

/// The pages of a runtime with `--admin 127.0.0.1:0`.
pub(crate) struct Admin(SocketAddr);

impl Admin {
    pub(crate) fn of(server: &Server) -> Self {
        let line = server.log.wait_for("metrics and health on http://");
        Self(line.rsplit('/').next().unwrap().parse().unwrap())
    }

    /// Requests a page, with a host name of this machine.
    pub(crate) fn get(&self, page: &str) -> Response {
        let mut client = Client::connect(self.0);
        client.send(format!("GET {page} HTTP/1.1\r\nHost: {}\r\n\r\n", self.0));
        client.response()
    }
}
