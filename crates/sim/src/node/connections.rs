//! The node's ends of connections: what the roof's connection task does, turn by turn.
//!
//! Invariant: a session is looked at for the same reasons as on the roof (it was woken, a frame may be handed over, a
//! reply left, its time came) and for no other, so a wake-up that is missing there is missing here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base::time::{MonoTime, Now};
use broker::broker::Broker;
use broker::context::{ConnectionContext, ListenerContext};
use broker::session::BrokerSession;
use net::session::{Frame, Session};

use super::Flag;
use crate::network::{ConnectionId, Network};
use crate::random::Random;

/// Replies waiting to be sent beyond which no further request is taken.
const SENDING_LIMIT: usize = 8;

/// All connections that a session serves.
#[derive(Default)]
pub(super) struct Connections(BTreeMap<ConnectionId, Served>);

struct Served {
    session: BrokerSession,
    woken: Flag,
}

impl Connections {
    pub(super) fn busy(&self, network: &Network, now: Now) -> Vec<ConnectionId> {
        let is_busy = |id: &ConnectionId| {
            let pipe = network.get(*id).expect("it is one of the network's");
            let Some(served) = self.0.get(id) else { return pipe.server_open };
            let handed_over =
                !pipe.to_server.is_empty() && served.session.accepts() && pipe.sending.len() < SENDING_LIMIT;
            served.woken.is_set()
                || handed_over
                || !pipe.sending.is_empty()
                || !pipe.client_open
                || served.session.next_timeout().is_some_and(|at| at <= now.mono)
        };
        network.ids().into_iter().filter(is_busy).collect()
    }

    pub(super) fn next_timeout(&self) -> Option<MonoTime> {
        self.0.values().filter_map(|served| served.session.next_timeout()).min()
    }

    pub(super) fn serve(
        &mut self,
        id: ConnectionId,
        broker: &Arc<Broker>,
        network: &mut Network,
        random: &mut Random,
        now: Now,
    ) {
        let served = self.0.entry(id).or_insert_with(|| Served::new(broker, id));
        let Some(pipe) = network.pipe(id) else { return };
        // What a client sent before it closed may be read or not.
        let given_up = !pipe.client_open && (pipe.to_server.is_empty() || random.chance(1, 2));
        if given_up || served.turn(pipe, random, now).is_err() {
            self.0.remove(&id);
            network.close_by_server(id);
        }
    }
}

impl Served {
    fn new(broker: &Arc<Broker>, id: ConnectionId) -> Self {
        let woken = Flag::default();
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let context = ConnectionContext {
            listener: Arc::new(ListenerContext { name: "PLAINTEXT".to_owned(), advertised: None }),
            dialled: address(9092),
            peer: address(10_000 + (id.0 % 50_000) as u16),
        };
        Self { session: BrokerSession::new(broker.clone(), context, woken.waker()), woken }
    }

    /// Err: the connection closes.
    fn turn(&mut self, pipe: &mut crate::network::Pipe, random: &mut Random, now: Now) -> Result<(), ()> {
        self.woken.take();
        self.session.advance(now).map_err(drop)?;
        // As many frames as have come; a client's segments end anywhere.
        let mut readable = random.below(pipe.to_server.len() as u64 + 1) + 1;
        while readable > 0 && self.session.accepts() && pipe.sending.len() < SENDING_LIMIT {
            let Some(bytes) = pipe.to_server.pop_front() else { break };
            self.session.on_frame(Frame { bytes, permit: None }, now).map_err(drop)?;
            readable -= 1;
        }
        self.session.end_of_input(now);
        while let Some(output) = self.session.next_output() {
            pipe.sending.push_back(output.map_err(drop)?);
        }
        let sent = random.below(pipe.sending.len() as u64 + 1);
        for _ in 0..sent {
            let output = pipe.sending.pop_front().expect("there are as many");
            let frame = output.to_bytes().map_err(drop)?;
            let size = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
            assert_eq!(size, i32::try_from(frame.len() - 4).ok(), "a reply is as long as it says");
            pipe.arrived.push_back(frame.slice(4..));
        }
        // The roof looks again when everything left and more may be taken.
        if sent > 0 && pipe.sending.is_empty() && self.session.accepts() {
            self.woken.set();
        }
        Ok(())
    }
}
