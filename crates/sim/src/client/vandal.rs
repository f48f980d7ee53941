//! A client that sends nonsense: the node must close the connection or answer, and go on serving others.

use base::time::{MonoTime, Now};
use base::uuid::Uuid;
use bytes::Bytes;
use protocol::Message;
use protocol::api::ApiKey;
use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::request::RequestHeader;
use wire::builder::BatchBuilder;
use wire::compress::Compression;
use wire::output::Output;

use super::link::any_version;
use super::{Client, Io};
use crate::network::{ConnectionId, Network};

/// A vandal.
pub struct Vandal {
    name: String,
    connection: Option<ConnectionId>,
    rest_until: MonoTime,
    ending: bool,
}

impl Vandal {
    /// One.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), connection: None, rest_until: MonoTime(0), ending: false }
    }

    fn nonsense(&self, io: &mut Io<'_>) -> Bytes {
        match io.random.below(4) {
            0 => {
                let length = io.random.below(40);
                (0..length).map(|_| io.random.draw() as u8).collect()
            }
            1 => self.damaged_produce(io),
            2 => self.damaged_fetch(io, true),
            _ => self.damaged_fetch(io, false),
        }
    }

    /// A produce whose batch does not match its checksum.
    fn damaged_produce(&self, io: &mut Io<'_>) -> Bytes {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(io.now.wall.0, None, Some(b"what a vandal writes"), &[]);
        let mut batch = builder.finish().to_vec();
        let place = 21 + io.random.below(batch.len() as u64 - 21) as usize;
        batch[place] ^= 1 << io.random.below(8);
        let living = io.ledger.living();
        let topic = living.first().map_or("t0", |name| name);
        let request = ProduceRequest {
            transactional_id: None,
            acks: io.random.range(-1, 1) as i16,
            timeout_ms: 100,
            topic_data: vec![TopicProduceData {
                name: topic.to_owned(),
                topic_id: Uuid::ZERO,
                partition_data: vec![PartitionProduceData {
                    index: 0,
                    records: Some(Bytes::from(batch).into()),
                }],
            }],
        };
        let (key, version) = any_version(ApiKey::PRODUCE, 0, io.random);
        self.frame(key, version.min(12), &request)
    }

    /// A fetch that asks for strange things, or whose bytes are not what they were.
    fn damaged_fetch(&self, io: &mut Io<'_>, damage: bool) -> Bytes {
        let living = io.ledger.living();
        let topic = living.first().map_or("t0", |name| name);
        let any = [-1, 0, 1, i32::MAX, i32::MIN];
        let request = FetchRequest {
            max_wait_ms: *io.random.pick(&[-1, 0, 100]),
            min_bytes: *io.random.pick(&any),
            max_bytes: *io.random.pick(&any),
            session_id: *io.random.pick(&any),
            session_epoch: *io.random.pick(&any),
            topics: vec![FetchTopic {
                topic: topic.to_owned(),
                partitions: vec![FetchPartition {
                    partition: *io.random.pick(&any),
                    fetch_offset: *io.random.pick(&[-5, 0, 1, i64::MAX]),
                    partition_max_bytes: *io.random.pick(&any),
                    ..FetchPartition::default()
                }],
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        let (key, version) = any_version(ApiKey::FETCH, 7, io.random);
        let frame = self.frame(key, version, &request);
        if !damage {
            return frame;
        }
        let mut bytes = frame.to_vec();
        // Not the key: another request might say something that makes sense.
        let place = 4 + io.random.below(bytes.len() as u64 - 4) as usize;
        bytes[place] = io.random.draw() as u8;
        bytes.truncate(bytes.len() - io.random.below(3) as usize);
        bytes.into()
    }

    fn frame<M: Message>(&self, api_key: ApiKey, api_version: i16, request: &M) -> Bytes {
        let client_id = Some(self.name.clone());
        let header = RequestHeader { api_key, api_version, correlation_id: 0, client_id };
        let mut output = Output::new();
        header.encode(&mut output).expect("the name is short");
        request.encode(api_version, &mut output).expect("the version can say it");
        output.to_bytes().expect("a request is in memory")
    }
}

impl Client for Vandal {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_ready(&self, network: &Network, now: Now) -> bool {
        let readable = self.connection.is_some_and(|connection| network.readable(connection));
        readable || (!self.ending && self.rest_until <= now.mono)
    }

    fn next_timeout(&self) -> Option<MonoTime> {
        (!self.ending).then_some(self.rest_until)
    }

    fn step(&mut self, io: &mut Io<'_>) {
        if let Some(connection) = self.connection {
            if io.network.receive(connection).is_some() {
                return;
            }
            if io.network.readable(connection) || io.random.chance(1, 10) {
                io.network.close_by_client(connection);
                self.connection = None;
            }
        }
        if self.ending || self.rest_until > io.now.mono {
            return;
        }
        self.rest_until = io.now.mono.plus_ms(io.random.range(1, 30));
        self.connection = self.connection.or_else(|| io.network.connect());
        if let Some(connection) = self.connection {
            let frame = self.nonsense(io);
            io.network.send(connection, frame);
        }
    }

    fn wind_down(&mut self) {
        self.ending = true;
    }

    fn waits_for(&self) -> Option<String> {
        None
    }
}
