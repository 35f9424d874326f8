//! A cluster of three NATS servers with three replicas of everything: an acknowledged message survives the loss of one
//! server.

use std::net::SocketAddr;

use super::nats::{Nats, free_address};

/// The number of attempts to choose ports.
const MAX_ATTEMPTS: u32 = 10;

/// A running cluster. Dropping it kills the servers.
pub(crate) struct Cluster {
    servers: Vec<Nats>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        (0..MAX_ATTEMPTS).find_map(|_| Self::try_start()).expect("ports are free")
    }

    fn try_start() -> Option<Self> {
        let routes: Vec<SocketAddr> = (0..3).map(|_| free_address()).collect();
        let listed: Vec<String> = routes.iter().map(|route| format!("\"nats://{route}\"")).collect();
        let listed = listed.join(", ");
        let start = |(index, route): (usize, &SocketAddr)| {
            let cluster = format!("cluster {{ name: tests, listen: \"{route}\", routes: [{listed}] }}");
            Nats::try_start(free_address(), &format!("server_name: {}\n{cluster}\n", name(index))).ok()
        };
        let servers: Option<Vec<Nats>> = routes.iter().enumerate().map(start).collect();
        servers.map(|servers| Self { servers })
    }

    /// Returns the addresses of all servers, as in a URL.
    pub(crate) fn addresses(&self) -> String {
        self.servers.iter().map(|server| server.address.to_string()).collect::<Vec<_>>().join(",")
    }

    /// Kills the server of this name.
    pub(crate) fn kill(&mut self, named: &str) {
        self.named(named).kill();
    }

    /// Restarts the server.
    pub(crate) fn restart(&mut self, named: &str) {
        self.named(named).restart();
    }

    fn named(&mut self, named: &str) -> &mut Nats {
        let index = (0..self.servers.len()).find(|index| name(*index) == named).expect("there is such a server");
        &mut self.servers[index]
    }
}

fn name(index: usize) -> String {
    format!("server-{index}")
}
