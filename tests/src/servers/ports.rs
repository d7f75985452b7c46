//! Ports for servers that come back on the port that they had.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

use super::{Result, ServerError};

/// Below the ports that systems give to outgoing connections (Linux: from 32768). A port from there could be taken by any
/// client while the server is down; and a client that tries again and again would in the end connect to itself.
const PORTS: Range<u16> = 15_000..32_000;

const ATTEMPTS: usize = 1000;

/// A port of the loopback address that nobody listens on now, for what comes back on the port that it had.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16> {
    free_ports().map(|[port]| port)
}

/// `N` ports of the loopback address that nobody listens on now.
///
/// # Errors
/// If there are none.
pub(super) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::new();
    for _ in 0..ATTEMPTS {
        if held.len() == N {
            break;
        }
        let port = rand::random_range(PORTS);
        // Held until all are found, so that no port is given twice.
        held.extend(TcpListener::bind(address(port)).map(|listener| (port, listener)));
    }
    let ports: Vec<_> = held.iter().map(|(port, _)| *port).collect();
    ports.try_into().map_err(|_| {
        ServerError::new(format!("no {N} free ports between {} and {} on 127.0.0.1", PORTS.start, PORTS.end))
    })
}

/// The loopback address with a port.
pub(super) fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Waits until nobody listens on a port, as is so soon after its server was killed; at most `limit`.
pub(super) fn wait_closed(port: u16, limit: Duration) {
    let until = Instant::now() + limit;
    // The kernel tells nobody but the process that is gone when a port is free.
    while TcpStream::connect_timeout(&address(port), Duration::from_millis(200)).is_ok() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}
