//! Where a request came from.

use std::net::SocketAddr;
use std::sync::Arc;

use protocol::request::RequestHeader;

/// What is known of a connection's listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerContext {
    /// Its name, such as `PLAINTEXT`.
    pub name: String,
    /// What `advertised.listeners` says of it: host and port. `None`: clients are told the address that they dialled.
    pub advertised: Option<(String, u16)>,
}

/// What is known of a connection.
#[derive(Clone, Debug)]
pub struct ConnectionContext {
    /// The listener that accepted it.
    pub listener: Arc<ListenerContext>,
    /// The address that the client dialled, as this end sees it.
    pub dialled: SocketAddr,
    /// The client's address.
    pub peer: SocketAddr,
}

/// What is known of a request besides its body.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The connection.
    pub connection: Arc<ConnectionContext>,
    /// The header.
    pub header: RequestHeader,
}

impl ConnectionContext {
    /// Host and port under which this client reaches this node.
    pub fn own_endpoint(&self) -> (String, i32) {
        match &self.listener.advertised {
            Some((host, port)) => (host.clone(), i32::from(*port)),
            // An IPv4 client on a dual-stack socket is told an IPv4 address.
            None => (self.dialled.ip().to_canonical().to_string(), i32::from(self.dialled.port())),
        }
    }
}
