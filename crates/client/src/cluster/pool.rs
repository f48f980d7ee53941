//! Connections by broker.
//!
//! Invariant: one attempt to connect to a broker at a time, and after a failed one none before its backoff is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::ids::NodeId;
use tokio::time::{Instant, sleep_until};

use super::Backoff;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::options::ClientOptions;

/// Who a slot is for: a broker by its id, the same for fetches only, or a bootstrap server by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Peer {
    Broker(NodeId),
    Fetch(NodeId),
    Bootstrap(usize),
}

#[derive(Debug)]
pub(super) struct Pool {
    slots: Mutex<HashMap<Peer, Arc<Slot>>>,
    backoff: Backoff,
}

#[derive(Debug)]
struct Slot {
    /// What is open now, for those who do not want to wait.
    open: Mutex<Option<Connection>>,
    /// Held while connecting.
    attempt: tokio::sync::Mutex<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    backoff: Backoff,
    not_before: Instant,
}

impl Pool {
    pub(super) fn new(options: &ClientOptions) -> Self {
        let backoff = Backoff::new(options.reconnect_backoff, options.reconnect_backoff_max);
        Self { slots: Mutex::default(), backoff }
    }

    pub(super) async fn connection(
        &self,
        node: NodeId,
        address: &str,
        options: &ClientOptions,
    ) -> Result<Connection> {
        self.slot(Peer::Broker(node)).connect(address, options).await
    }

    pub(super) async fn fetch_connection(
        &self,
        node: NodeId,
        address: &str,
        options: &ClientOptions,
    ) -> Result<Connection> {
        self.slot(Peer::Fetch(node)).connect(address, options).await
    }

    /// The first bootstrap server that can be reached.
    pub(super) async fn bootstrap(&self, options: &ClientOptions) -> Result<Connection> {
        let mut last = Error::Unavailable("no bootstrap server".to_owned());
        for (place, address) in options.bootstrap_servers.iter().enumerate() {
            match self.slot(Peer::Bootstrap(place)).connect(address, options).await {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    tracing::warn!(%error, "bootstrap server does not answer");
                    last = error;
                }
            }
        }
        Err(last)
    }

    /// Any connection that is open; one to a broker rather than one to a bootstrap server.
    pub(super) fn open_one(&self) -> Option<Connection> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let open = |wanted: fn(&Peer) -> bool| {
            slots.iter().filter(|(peer, _)| wanted(peer)).find_map(|(_, slot)| slot.open_now())
        };
        open(|peer| matches!(peer, Peer::Broker(_)))
            .or_else(|| open(|peer| matches!(peer, Peer::Bootstrap(_))))
    }

    fn slot(&self, peer: Peer) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(peer).or_insert_with(|| {
            let attempt = Attempt { backoff: self.backoff.clone(), not_before: Instant::now() };
            Arc::new(Slot { open: Mutex::default(), attempt: tokio::sync::Mutex::new(attempt) })
        });
        slot.clone()
    }
}

impl Slot {
    fn open_now(&self) -> Option<Connection> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().filter(|connection| !connection.is_broken()).cloned()
    }

    fn open_to(&self, address: &str) -> Option<Connection> {
        self.open_now().filter(|connection| connection.address() == address)
    }

    async fn connect(&self, address: &str, options: &ClientOptions) -> Result<Connection> {
        if let Some(open) = self.open_to(address) {
            return Ok(open);
        }
        let mut attempt = self.attempt.lock().await;
        if let Some(open) = self.open_to(address) {
            return Ok(open);
        }
        sleep_until(attempt.not_before).await;
        match Connection::open(address, options).await {
            Ok(connection) => {
                attempt.backoff.reset();
                *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                attempt.not_before = Instant::now() + attempt.backoff.next();
                Err(error)
            }
        }
    }
}
