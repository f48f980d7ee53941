//! The sockets that clients dial.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use base::config::{Listener, NodeConfig};
use broker::broker::Broker;
use broker::context::{ConnectionContext, ListenerContext};
use broker::session::BrokerSession;
use net::clock::SystemClock;
use net::connection::{Closed, Limits, serve};
use net::listener::{Connections, accept, bind};
use tokio::net::{TcpListener, TcpStream};

/// A bound socket that nobody is served on yet.
pub struct Bound {
    /// The socket.
    pub socket: TcpListener,
    /// What its connections know of it.
    pub context: Arc<ListenerContext>,
}

/// What every connection gets.
#[derive(Clone)]
pub struct Service {
    /// Answers.
    pub broker: Arc<Broker>,
    /// Bounds.
    pub limits: Limits,
    /// Time.
    pub clock: SystemClock,
}

/// Binds every listener for clients.
///
/// # Errors
/// One sentence that names the listener and says what to do.
pub fn bind_all(config: &NodeConfig) -> Result<Vec<Bound>, String> {
    let backlog = u32::try_from(config.broker.socket_listen_backlog_size).unwrap_or(50);
    let mut all = Vec::new();
    for listener in config.broker_listeners() {
        let address = resolve(listener)?;
        let socket = bind(address, backlog).map_err(|error| why_not(listener, address, &error))?;
        let advertised = config.advertised_listeners.iter().flatten();
        let advertised = advertised
            .filter(|advertised| advertised.name == listener.name)
            .find_map(|advertised| advertised.host.clone().map(|host| (host, advertised.port)));
        let context = Arc::new(ListenerContext { name: listener.name.clone(), advertised });
        all.push(Bound { socket, context });
    }
    Ok(all)
}

/// Serves every connection of a listener, until the task is aborted.
pub async fn serve_all(bound: Bound, connections: Connections, service: Service) {
    let context = bound.context;
    accept(bound.socket, connections, move |stream, peer, counted| {
        let (context, service) = (context.clone(), service.clone());
        tokio::spawn(async move {
            let closed = serve_one(stream, peer, context, service).await;
            tracing::debug!(%peer, reason = %closed, "connection closed");
            drop(counted);
        });
    })
    .await;
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    listener: Arc<ListenerContext>,
    service: Service,
) -> Closed {
    let dialled = match stream.local_addr() {
        Ok(dialled) => dialled,
        Err(error) => return error.into(),
    };
    let context = ConnectionContext { listener, dialled, peer };
    let broker = service.broker;
    serve(stream, service.limits, service.clock, |waker| BrokerSession::new(broker, context, waker)).await
}

fn resolve(listener: &Listener) -> Result<SocketAddr, String> {
    let Some(host) = &listener.host else {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), listener.port));
    };
    let unknown =
        |why: String| format!("listener {}: the host '{host}' cannot be resolved: {why}", listener.name);
    let mut addresses =
        (host.as_str(), listener.port).to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
    addresses.next().ok_or_else(|| unknown("it has no address".to_owned()))
}

fn why_not(listener: &Listener, address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there: stop it or choose another port in `listeners`"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges: choose another one in `listeners`"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: correct `listeners`",
        _ => "correct `listeners`",
    };
    format!("listener {} cannot take {address}: {error}; {advice}", listener.name)
}
