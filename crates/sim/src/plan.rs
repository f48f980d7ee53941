//! What a seed decides before a run begins: the node's shape, the clients, what may go wrong and how often.
//!
//! Each run differs from others in kind and not only in its draws (one has slow syncs, another many crashes), because
//! what every run does a little of, none does enough of.

use crate::ledger::Intent;
use crate::random::Random;

/// What topics promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `flush.messages=1` everywhere: an ack means that a crash changes nothing.
    Durable,
    /// Kafka's defaults: a loss of power may cut the ends of logs.
    Default,
}

/// What is asked of a run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The seed.
    pub seed: u64,
    /// The mode; `None` lets the seed say.
    pub mode: Option<Mode>,
    /// Steps before the run is brought to its end.
    pub steps: u64,
    /// Print every line as it comes.
    pub trace: bool,
}

/// The decisions.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What topics promise.
    pub mode: Mode,
    /// In durable mode: topics say so, and not the node's own config.
    pub by_topic: bool,
    /// Log directories.
    pub dirs: usize,
    /// Shards of each.
    pub shards: usize,
    /// Topics at a time.
    pub topics: usize,
    /// Producers may create topics by asking about them.
    pub creates: bool,
    /// Topics are deleted.
    pub deletes: bool,
    /// Producers without an id, and with one.
    pub producers: (usize, usize),
    /// Consumers.
    pub consumers: usize,
    /// Somebody sends nonsense.
    pub vandal: bool,
    /// Segments are this long, about.
    pub segment_bytes: i64,
    /// A crash about every so many steps.
    pub crash_every: u64,
    /// The disk fails about every so many steps; `None`: never.
    pub fault_every: Option<u64>,
    /// The wall clock jumps about every so many steps.
    pub jump_every: u64,
    /// How often each kind of action is taken, in the order of [`crate::world::Kind`].
    pub weights: [u32; 6],
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(options: &Options, random: &mut Random) -> Self {
        let drawn = if random.chance(1, 2) { Mode::Durable } else { Mode::Default };
        let mode = options.mode.unwrap_or(drawn);
        let by_topic = random.chance(1, 2);
        let creates = random.chance(1, 3) && (mode == Mode::Default || !by_topic);
        let any_weight = |random: &mut Random| *random.pick(&[1, 4, 4, 10]);
        Self {
            mode,
            by_topic,
            dirs: random.range(1, 2) as usize,
            shards: random.range(1, 2) as usize,
            topics: random.range(1, 4) as usize,
            creates,
            // A topic that somebody may make anew by asking about it cannot be expected to stay deleted.
            deletes: !creates && random.chance(1, 2),
            producers: (random.below(3) as usize, random.range(1, 3) as usize),
            consumers: random.below(4) as usize,
            vandal: random.chance(1, 4),
            // The largest batch must fit.
            segment_bytes: *random.pick(&[2600, 2600, 8000, 1 << 20]),
            crash_every: *random.pick(&[50, 150, 400, 1000]),
            fault_every: random.chance(1, 4).then(|| *random.pick(&[200, 600])),
            jump_every: *random.pick(&[200, 5000]),
            weights: std::array::from_fn(|_| any_weight(random)),
        }
    }

    /// Whether an ack means that the record is on disk.
    pub fn is_durable(&self) -> bool {
        self.mode == Mode::Durable
    }

    /// What a new topic is to be like.
    pub fn intent(&self, random: &mut Random) -> Intent {
        let mut configs = vec![("internal.segment.bytes".to_owned(), self.segment_bytes.to_string())];
        let mut set = |name: &str, value: &str| configs.push((name.to_owned(), value.to_owned()));
        if random.chance(1, 2) {
            set("index.interval.bytes", "100");
        }
        match self.mode {
            Mode::Durable if self.by_topic => set("flush.messages", "1"),
            Mode::Durable => {}
            Mode::Default if random.chance(1, 4) => set("flush.ms", "20"),
            Mode::Default if random.chance(1, 4) => set("flush.messages", "10"),
            Mode::Default => {}
        }
        if random.chance(1, 5) {
            let (name, value) = *random.pick(&[
                ("compression.type", "lz4"),
                ("compression.type", "zstd"),
                ("compression.type", "uncompressed"),
                ("message.timestamp.type", "LogAppendTime"),
            ]);
            set(name, value);
        }
        let retained = random.chance(1, 8);
        if retained {
            set("retention.bytes", "6000");
            set("file.delete.delay.ms", "100");
        }
        let partitions = random.chance(3, 4).then(|| random.range(1, 3) as i32);
        Intent { partitions, configs, retained, doomed: false }
    }

    /// The node's `server.properties`.
    pub fn properties(&self) -> Vec<(String, String)> {
        let dirs: Vec<String> = (0..self.dirs).map(|index| format!("/data/{index}")).collect();
        let mut set = vec![
            ("process.roles", "broker,controller".to_owned()),
            ("node.id", "1".to_owned()),
            ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093".to_owned()),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("controller.quorum.bootstrap.servers", "127.0.0.1:9093".to_owned()),
            ("log.dirs", dirs.join(",")),
            ("num.partitions", "2".to_owned()),
            ("default.replication.factor", "1".to_owned()),
            ("auto.create.topics.enable", self.creates.to_string()),
        ];
        if self.is_durable() && !self.by_topic {
            set.push(("log.flush.interval.messages", "1".to_owned()));
        }
        set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
