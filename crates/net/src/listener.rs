//! One listening socket: accepts, counts, and gives each connection its task.
//!
//! Invariant: a connection that exceeds a limit is closed before a byte of it is read.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// What bounds the connections of one listener.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// `max.connections` of the whole node, counted over all its listeners.
    pub max_connections: usize,
    /// `max.connections.per.ip`.
    pub max_connections_per_ip: usize,
    /// `max.connections.per.ip.overrides`: addresses with a limit of their own.
    pub per_ip_overrides: HashMap<IpAddr, usize>,
}

/// Connections open at the moment, shared by the listeners of a node.
#[derive(Clone, Debug)]
pub struct Connections {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug)]
struct Open {
    limits: ConnectionLimits,
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// One counted connection; uncounted when dropped.
#[derive(Debug)]
pub struct Counted {
    connections: Connections,
    ip: IpAddr,
}

impl Connections {
    /// None open yet.
    pub fn new(limits: ConnectionLimits) -> Self {
        let open = Open { limits, total: 0, by_ip: HashMap::new() };
        Self { open: Arc::new(Mutex::new(open)) }
    }

    /// Other limits count for connections from now on; those that are open stay.
    pub fn set_limits(&self, limits: ConnectionLimits) {
        self.open().limits = limits;
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections open at the moment.
    pub fn total(&self) -> usize {
        self.open().total
    }

    /// Counts a connection from `ip`, unless a limit is reached.
    pub fn count(&self, ip: IpAddr) -> Option<Counted> {
        let mut open = self.open();
        let from_ip = open.by_ip.get(&ip).copied().unwrap_or(0);
        let own_limit = open.limits.per_ip_overrides.get(&ip.to_canonical()).copied();
        let per_ip = own_limit.unwrap_or(open.limits.max_connections_per_ip);
        if open.total >= open.limits.max_connections || from_ip >= per_ip {
            return None;
        }
        open.total += 1;
        open.by_ip.insert(ip, from_ip + 1);
        Some(Counted { connections: self.clone(), ip })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.total -= 1;
        if let Some(from_ip) = open.by_ip.get_mut(&self.ip) {
            *from_ip -= 1;
            if *from_ip == 0 {
                open.by_ip.remove(&self.ip);
            }
        }
    }
}

/// Binds `address`. `backlog` is `socket.listen.backlog.size`.
///
/// # Errors
/// The operating system's, for example that the port is in use.
pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

/// Accepts for ever; `serve` gets each connection together with its count.
pub async fn accept(
    listener: TcpListener,
    connections: Connections,
    serve: impl Fn(TcpStream, SocketAddr, Counted),
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match connections.count(peer.ip()) {
                Some(counted) => {
                    // Replies are written whole, so waiting for more would only delay them.
                    let _ = stream.set_nodelay(true);
                    serve(stream, peer, counted);
                }
                None => tracing::info!(%peer, "connection refused: too many connections"),
            },
            // Out of descriptors or memory: others may close in the meantime.
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_in_all_and_per_address() {
        let limits = ConnectionLimits {
            max_connections: 3,
            max_connections_per_ip: 2,
            per_ip_overrides: HashMap::new(),
        };
        let connections = Connections::new(limits.clone());
        let [a, b]: [IpAddr; 2] = [[127, 0, 0, 1].into(), [127, 0, 0, 2].into()];
        let first = connections.count(a).expect("room");
        let _second = connections.count(a).expect("room");
        assert!(connections.count(a).is_none(), "per address");
        let _third = connections.count(b).expect("room");
        assert!(connections.count(b).is_none(), "in all");
        drop(first);
        let _fourth = connections.count(b).expect("room");
        let overrides = HashMap::from([(a, 1), (b, 3)]);
        connections.set_limits(ConnectionLimits {
            max_connections: 9,
            per_ip_overrides: overrides,
            ..limits
        });
        assert!(connections.count(a).is_none(), "its own limit");
        let _fifth = connections.count(b).expect("its own limit");
        assert_eq!(connections.total(), 4);
    }
}
