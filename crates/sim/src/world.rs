//! A node, its disk and its clients, and the scheduler that picks from the seed who goes next.
//!
//! ```text
//!  loop: something is ready ─► pick its kind by weight, then one of the kind ─► it does one step ─► checks look
//!        nothing is ready   ─► time passes until somebody's timer
//!        now and then       ─► a crash, a clean stop, a failing disk, a jump of the wall clock
//! ```
//! Invariant: all chance is drawn here or from streams forked here, so a seed is a run.

mod crash;

use std::path::Path;

use base::time::Now;
use storage::disk::memory::{Fault, MemoryDisk};

use crate::check::{Checks, Violation};
use crate::client::admin::{Admin, first_topics};
use crate::client::consumer::Consumer;
use crate::client::producer::{Kind as ProducerKind, Producer};
use crate::client::vandal::Vandal;
use crate::client::{Client, Io};
use crate::clock::Clock;
use crate::event::{Ending, Event};
use crate::ledger::Ledger;
use crate::network::{ConnectionId, Network};
use crate::node::Node;
use crate::plan::{Options, Plan};
use crate::random::Random;
use crate::transcript::Transcript;

/// What kind of thing goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client's step.
    Client,
    /// A turn of the node's end of a connection.
    Connection,
    /// A run of a shard.
    Shard,
    /// A sync of a partition's log.
    Sync,
    /// A run of the controller.
    Controller,
    /// A sync of the metadata log.
    ControllerSync,
}

const KINDS: [Kind; 6] =
    [Kind::Client, Kind::Connection, Kind::Shard, Kind::Sync, Kind::Controller, Kind::ControllerSync];

/// Steps that a run may take to come to its end before it counts as stuck.
const ENDING_STEPS: u64 = 200_000;

/// A disk that takes as much as anybody writes.
const NO_FAULT: Fault = Fault::Full { left: usize::MAX };
const EVERYWHERE: &str = "";

/// Everything of a run.
pub struct World {
    plan: Plan,
    steps: u64,
    random: Random,
    clock: Clock,
    disk: MemoryDisk,
    /// How the disk was told to fail since the node's last start, if it was, and below which directory.
    fault: Option<(Fault, &'static str)>,
    /// No more of what goes wrong.
    ending: bool,
    node: Option<Node>,
    /// Serving was noted in this life.
    noted: bool,
    network: Network,
    ledger: Ledger,
    clients: Vec<(Box<dyn Client>, Random)>,
    checks: Checks,
    events: Vec<Event>,
    /// What happened.
    pub transcript: Transcript,
    /// How often.
    pub counts: Counts,
}

/// How often things happened in a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Steps of anybody.
    pub steps: u64,
    /// Ends of the node, the clean ones too.
    pub endings: u64,
    /// Records that clients were told are in.
    pub acked: u64,
    /// Records that consumers got.
    pub fetched: u64,
    /// Batches that were not remembered after a restart.
    pub forgotten: u64,
    /// Times that the disk was told to fail.
    pub faults: u64,
}

impl World {
    /// The world of a seed, before anything happened.
    pub fn new(options: &Options) -> Self {
        let mut random = Random::new(options.seed);
        let plan = Plan::draw(options, &mut random);
        let mut ledger = Ledger::default();
        first_topics(&plan, &mut ledger, &mut random);
        let clients = clients(&plan, &ledger, &mut random);
        Self {
            checks: Checks::new(plan.is_durable()),
            steps: options.steps,
            random,
            clock: Clock::new(),
            disk: MemoryDisk::new(),
            fault: None,
            ending: false,
            node: None,
            noted: false,
            network: Network::default(),
            ledger,
            clients,
            events: Vec::new(),
            transcript: Transcript::new(options.trace),
            counts: Counts::default(),
            plan,
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn run(&mut self) -> Result<(), Violation> {
        let plan = format!("{:?}", self.plan);
        self.transcript.line(format_args!("{plan}"));
        self.start_node()?;
        while self.counts.steps < self.steps {
            self.disturb()?;
            self.step()?;
        }
        self.bring_to_end()
    }

    /// Everybody finishes what was begun; then the node stops or crashes once more, and is looked at a last time.
    fn bring_to_end(&mut self) -> Result<(), Violation> {
        self.transcript.line(format_args!("winding down"));
        self.ending = true;
        if self.fault.is_some() {
            self.crash(Ending::Killed)?;
        }
        for (client, _) in &mut self.clients {
            client.wind_down();
        }
        let last = self.counts.steps + ENDING_STEPS;
        while let Some(who) = self.waiting() {
            if self.counts.steps == last {
                self.note(Event::Stuck(format!("after {ENDING_STEPS} steps: {who}")))?;
            }
            if self.node.is_none() {
                self.start_node()?;
            }
            self.step()?;
        }
        while self.is_busy() {
            self.step()?;
        }
        self.note_settled()?;
        let ending = *self.random.pick(&[Ending::Clean, Ending::Killed, Ending::PowerLost]);
        self.crash(ending)?;
        self.start_node()?;
        while !self.noted || self.is_busy() {
            self.step()?;
        }
        self.note_settled()
    }

    /// Whether the node has anything to do at once.
    fn is_busy(&self) -> bool {
        let ready = Ready::of(self, self.clock.now());
        KINDS.iter().any(|kind| *kind != Kind::Client && ready.has(*kind))
    }

    fn note_settled(&mut self) -> Result<(), Violation> {
        let logs = self.node.as_ref().map_or_else(Vec::new, Node::logs);
        self.note(Event::Settled(logs))
    }

    fn waiting(&self) -> Option<String> {
        if !self.noted {
            return Some("the node does not serve".to_owned());
        }
        self.clients.iter().find_map(|(client, _)| client.waits_for())
    }

    /// Lets one of those who are ready go on; when nobody is, time passes.
    fn step(&mut self) -> Result<(), Violation> {
        self.counts.steps += 1;
        self.clock.pass_ns(1000 + self.random.below(100_000));
        self.disk.set_wall(self.clock.now().wall);
        let now = self.clock.now();
        let ready = Ready::of(self, now);
        let weights: Vec<u32> = KINDS
            .iter()
            .zip(self.plan.weights)
            .map(|(kind, weight)| weight * u32::from(ready.has(*kind)))
            .collect();
        if weights.iter().all(|weight| *weight == 0) {
            self.pass_time()?;
        } else {
            let kind = KINDS[self.random.weighted(&weights)];
            self.act(kind, &ready, now)?;
        }
        self.note_serving()?;
        self.show_events()
    }

    fn act(&mut self, kind: Kind, ready: &Ready, now: Now) -> Result<(), Violation> {
        match kind {
            Kind::Client => {
                let index = *self.random.pick(&ready.clients);
                let (client, random) = &mut self.clients[index];
                let (network, ledger, events) = (&mut self.network, &mut self.ledger, &mut self.events);
                client.step(&mut Io { now, random, network, ledger, events });
            }
            Kind::Connection => {
                let id = *self.random.pick(&ready.connections);
                self.transcript.line(format_args!("turn of {id}"));
                if let Some(node) = &mut self.node {
                    node.serve(id, &mut self.network, &mut self.random, now);
                }
            }
            Kind::Shard => {
                let index = *self.random.pick(&ready.shards);
                self.transcript.line(format_args!("run of shard {index}"));
                if let Some(node) = &mut self.node {
                    node.run_shard(index, now, &mut self.events);
                }
            }
            Kind::Sync => {
                let index = self.random.below(ready.syncs as u64) as usize;
                self.transcript.line(format_args!("sync {index} of {}", ready.syncs));
                if let Some(node) = &mut self.node {
                    node.run_sync(index);
                }
            }
            Kind::Controller => {
                self.transcript.line(format_args!("run of the controller"));
                let result = self.node.as_mut().map_or(Ok(()), |node| node.run_controller(now));
                self.on_halt(result)?;
            }
            Kind::ControllerSync => {
                self.transcript.line(format_args!("sync of the metadata log"));
                let result = self.node.as_mut().map_or(Ok(()), |node| node.run_controller_sync(now));
                self.on_halt(result)?;
            }
        }
        Ok(())
    }

    /// Nobody can do anything now.
    fn pass_time(&mut self) -> Result<(), Violation> {
        if let Some(asleep) = self.asleep() {
            self.note(Event::Stuck(asleep))?;
        }
        let clients = self.clients.iter().filter_map(|(client, _)| client.next_timeout());
        let node = self.node.as_ref().and_then(Node::next_timeout);
        match clients.chain(node).min() {
            Some(at) => {
                self.clock.pass_until(at);
                let mono = self.clock.now().mono;
                self.transcript.line(format_args!("time passes to {}", mono.0));
                Ok(())
            }
            None => self.note(Event::Stuck("nothing will ever happen".to_owned())),
        }
    }

    /// A fetch that waits although there is something that it may read: the append that brought it should have woken it.
    fn asleep(&self) -> Option<String> {
        let node = self.node.as_ref()?;
        let fetches = self.clients.iter().flat_map(|(client, _)| {
            client.fetching().into_iter().map(move |(place, offset)| (client.name(), place, offset))
        });
        let mut readable = fetches.filter_map(|(name, place, offset)| {
            let ends = node.ends(&place)?;
            let is_there = ends.log_start.0 <= offset && offset < ends.high_watermark.0;
            is_there.then(|| format!("{name} sleeps at offset {offset} of {place}, which has {ends:?}"))
        });
        readable.next()
    }

    /// The node serves: what it found is noted, and clients may connect.
    fn note_serving(&mut self) -> Result<(), Violation> {
        let Some(node) = self.node.as_ref().filter(|node| node.is_serving() && !self.noted) else {
            return Ok(());
        };
        // What is there is looked at without the fault.
        self.disk.plan(NO_FAULT);
        let (logs, topics, away) = (node.logs(), node.topics(), node.away());
        let (fault, below) = self.fault.unwrap_or((NO_FAULT, EVERYWHERE));
        self.disk.plan_below(fault, Path::new(below));
        self.noted = true;
        self.network.accepting = true;
        self.note(Event::Started { logs, topics, away })
    }

    fn show_events(&mut self) -> Result<(), Violation> {
        for event in std::mem::take(&mut self.events) {
            self.note(event)?;
        }
        Ok(())
    }

    fn note(&mut self, event: Event) -> Result<(), Violation> {
        self.transcript.line(format_args!("  {event}"));
        match &event {
            Event::Forgotten(_) => self.counts.forgotten += 1,
            Event::Acked { records, .. } => self.counts.acked += records.len() as u64,
            Event::Fetched { records: Ok(records), .. } => self.counts.fetched += records.len() as u64,
            _ => {}
        }
        // A patient client gives up in the end, which only matters when the node could have answered.
        if matches!(event, Event::Stuck(_)) && self.fault.is_some() {
            return Ok(());
        }
        self.checks.on(&event, &self.ledger)
    }
}

/// Who could go on.
struct Ready {
    clients: Vec<usize>,
    connections: Vec<ConnectionId>,
    shards: Vec<usize>,
    syncs: usize,
    controller: bool,
    controller_sync: bool,
}

impl Ready {
    fn of(world: &World, now: Now) -> Self {
        let clients = world.clients.iter().enumerate();
        let clients = clients.filter(|(_, (client, _))| client.is_ready(&world.network, now));
        let node = world.node.as_ref();
        Self {
            clients: clients.map(|(index, _)| index).collect(),
            connections: node.map_or_else(Vec::new, |node| node.busy_connections(&world.network, now)),
            shards: node.map_or_else(Vec::new, |node| node.busy_shards(now)),
            syncs: node.map_or(0, Node::pending_syncs),
            controller: node.is_some_and(|node| node.is_controller_busy(now)),
            controller_sync: node.is_some_and(Node::has_controller_sync),
        }
    }

    fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Client => !self.clients.is_empty(),
            Kind::Connection => !self.connections.is_empty(),
            Kind::Shard => !self.shards.is_empty(),
            Kind::Sync => self.syncs > 0,
            Kind::Controller => self.controller,
            Kind::ControllerSync => self.controller_sync,
        }
    }
}

fn clients(plan: &Plan, ledger: &Ledger, random: &mut Random) -> Vec<(Box<dyn Client>, Random)> {
    let mut clients: Vec<Box<dyn Client>> =
        vec![Box::new(Admin::new("admin", plan.clone(), ledger.living()))];
    let (plain, idempotent) = plan.producers;
    for index in 0..plain {
        let kind = ProducerKind::Plain(*random.pick(&[0, 1, -1]));
        clients.push(Box::new(Producer::new(&format!("plain{index}"), kind, plan.creates, random)));
    }
    for index in 0..idempotent {
        let name = format!("idempotent{index}");
        clients.push(Box::new(Producer::new(&name, ProducerKind::Idempotent, plan.creates, random)));
    }
    for index in 0..plan.consumers {
        clients.push(Box::new(Consumer::new(&format!("consumer{index}"), random)));
    }
    if plan.vandal {
        clients.push(Box::new(Vandal::new("vandal")));
    }
    clients.into_iter().map(|client| (client, random.fork())).collect()
}
