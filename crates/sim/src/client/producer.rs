//! A producer: plain with any acks, or idempotent with several batches in flight, retries and reconnects.
//!
//! ```text
//!  batches of one partition:   [seq 0 in flight][seq 3 waiting: must be sent again][seq 5 in flight]   at most five
//! ```
//! Invariant: an idempotent producer sends a batch again with the same id and sequence until it is answered for good, and
//! never gives its records to another id.

use std::collections::{BTreeMap, VecDeque};

use base::error_code::ErrorCode;
use base::ids::{ProducerEpoch, ProducerId, Sequence, TopicId};
use base::time::{MonoTime, Now};
use bytes::Bytes;
use protocol::api::ApiKey;
use protocol::messages::init_producer_id_request::InitProducerIdRequest;
use protocol::messages::init_producer_id_response::InitProducerIdResponse;
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::messages::produce_response::{PartitionProduceResponse, ProduceResponse};
use wire::builder::BatchBuilder;
use wire::compress::{Compression, CompressionType, Compressors};

use super::link::{Link, Received, any_version, read};
use super::topics::{Known, Topics};
use super::{Client, Io};
use crate::event::Event;
use crate::ledger::{Place, ProducerKey};
use crate::network::Network;
use crate::random::Random;
use crate::record::RecordId;

/// Kafka remembers as many batches of a producer.
const WINDOW: usize = 5;

/// What a producer promises and wants to be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The field `Acks`: 0, 1 or -1.
    Plain(i16),
    /// acks=all, and each record once.
    Idempotent,
}

/// A producer.
pub struct Producer {
    name: String,
    kind: Kind,
    link: Link<What>,
    topics: Topics,
    metadata: (ApiKey, i16),
    produce: (ApiKey, i16),
    init: (ApiKey, i16),
    compression: Compression,
    compressors: Compressors,
    /// Creates topics by asking about them.
    creates: bool,
    /// `timeout_ms` of its requests.
    timeout_ms: i32,
    /// Requests in flight at most.
    in_flight: usize,
    id: Option<ProducerKey>,
    partitions: BTreeMap<Place, Partition>,
    next_batch: u64,
    rest_until: MonoTime,
    /// Something else than a produce is not answered yet.
    asked: bool,
    ending: bool,
}

#[derive(Default)]
struct Partition {
    next_sequence: i32,
    batches: VecDeque<Batch>,
}

struct Batch {
    number: u64,
    records: Vec<RecordId>,
    bytes: Bytes,
    /// The life of the node in which it was sent first.
    life: u64,
    in_flight: bool,
}

/// What is remembered of a request.
enum What {
    Metadata,
    Init,
    Produce(Vec<Part>),
}

/// One batch of a produce.
struct Part {
    place: Place,
    topic_id: TopicId,
    number: u64,
    records: Vec<RecordId>,
}

impl Producer {
    /// A producer whose habits are drawn from `random`.
    pub fn new(name: &str, kind: Kind, creates: bool, random: &mut Random) -> Self {
        let produce = any_version(ApiKey::PRODUCE, 0, random);
        let codec = match random.below(10) {
            0 => CompressionType::Lz4,
            1 => CompressionType::Snappy,
            _ => CompressionType::None,
        };
        // Topics have ids from version 10 on, and a produce names them by id from 13 on.
        let metadata = any_version(ApiKey::METADATA, if produce.1 >= 13 { 10 } else { 1 }, random);
        Self {
            name: name.to_owned(),
            kind,
            link: Link::new(name),
            topics: Topics::default(),
            metadata,
            produce,
            init: any_version(ApiKey::INIT_PRODUCER_ID, 0, random),
            compression: Compression::with_default_level(codec),
            compressors: Compressors::new(),
            creates,
            timeout_ms: *random.pick(&[50, 1000, 30_000]),
            in_flight: random.range(1, WINDOW as i64) as usize,
            id: None,
            partitions: BTreeMap::new(),
            next_batch: 0,
            rest_until: MonoTime(0),
            asked: false,
            ending: false,
        }
    }

    fn unanswered(&self) -> usize {
        self.partitions.values().map(|partition| partition.batches.len()).sum()
    }

    fn wants_to_send(&self) -> bool {
        let resend =
            self.partitions.values().any(|partition| partition.batches.iter().any(|batch| !batch.in_flight));
        let asks = self.topics.stale && (!self.ending || self.unanswered() > 0);
        asks || resend || !self.ending
    }

    fn on_lost(&mut self, lost: Vec<What>) {
        self.asked = false;
        self.topics.stale = true;
        for what in lost {
            if let What::Produce(parts) = what {
                parts.iter().for_each(|part| self.requeue(&part.place, part.number));
            }
        }
    }

    /// The batch must be sent again, if this producer does such a thing.
    fn requeue(&mut self, place: &Place, number: u64) {
        if let Some(partition) = self.partitions.get_mut(place)
            && let Some(batch) = partition.batches.iter_mut().find(|batch| batch.number == number)
        {
            batch.in_flight = false;
        }
    }

    fn on_answer(
        &mut self,
        what: What,
        version: i16,
        body: wire::reader::Reader,
        life: u64,
        io: &mut Io<'_>,
    ) {
        match what {
            What::Metadata => {
                self.asked = false;
                let name = self.name.clone();
                self.topics.learn(&name, &read(body, version), version, io);
                self.partitions
                    .retain(|place, _| io.ledger.topic(&place.topic).is_some_and(|topic| !topic.doomed));
                if self.topics.places(io).is_empty() {
                    self.rest_until = io.now.mono.plus_ms(io.random.range(1, 30));
                    self.topics.stale = true;
                }
            }
            What::Init => {
                self.asked = false;
                self.on_id(&read(body, version), io);
            }
            What::Produce(parts) => {
                let response: ProduceResponse = read(body, version);
                for part in parts {
                    let answer = find(&response, &part);
                    let answer = answer.unwrap_or_else(|| panic!("no answer for {}", part.place)).clone();
                    self.on_part(part, &answer, life, io);
                }
            }
        }
    }

    fn on_id(&mut self, response: &InitProducerIdResponse, io: &mut Io<'_>) {
        match response.error_code {
            ErrorCode::NONE => {
                let key = ProducerKey { id: response.producer_id, epoch: response.producer_epoch };
                io.events.push(Event::ProducerId(key.id, key.epoch));
                self.id = Some(key);
            }
            code => {
                self.refused(ApiKey::INIT_PRODUCER_ID, code, io);
                self.rest_until = io.now.mono.plus_ms(io.random.range(1, 20));
            }
        }
    }

    fn refused(&self, api: ApiKey, code: ErrorCode, io: &mut Io<'_>) {
        io.events.push(Event::Refused { client: self.name.clone(), api, code });
    }

    fn on_part(&mut self, part: Part, answer: &PartitionProduceResponse, life: u64, io: &mut Io<'_>) {
        let batches = self.partitions.get_mut(&part.place).map(|partition| &mut partition.batches);
        let index = batches.as_ref().and_then(|all| all.iter().position(|batch| batch.number == part.number));
        match answer.error_code {
            ErrorCode::NONE => {
                if let (Some(batches), Some(index)) = (batches, index) {
                    batches.remove(index);
                }
                let Part { place, records, .. } = part;
                io.events.push(Event::Acked { life, place, base_offset: answer.base_offset, records });
            }
            // An earlier batch was not taken, so this one could not be; or it was given up already.
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER if index != Some(0) => {
                self.requeue(&part.place, part.number);
            }
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER if self.is_older(&part, life) => {
                io.events.push(Event::Forgotten(part.place));
                self.begin_anew();
            }
            code => {
                self.refused(ApiKey::PRODUCE, code, io);
                self.topics.stale = true;
                self.rest_until = io.now.mono.plus_ms(io.random.range(1, 20));
                let lost =
                    matches!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID);
                if lost && index.is_some() {
                    self.begin_anew();
                } else {
                    self.requeue(&part.place, part.number);
                }
            }
        }
    }

    /// Whether a batch was sent before the node's present life.
    fn is_older(&self, part: &Part, life: u64) -> bool {
        let batches = self.partitions.get(&part.place).map(|partition| &partition.batches);
        batches.is_some_and(|all| all.iter().any(|batch| batch.number == part.number && batch.life < life))
    }

    /// What is under way may be in the log or not, nobody can know: another id goes on.
    fn begin_anew(&mut self) {
        self.id = None;
        self.partitions.clear();
    }

    fn ask(&mut self, io: &mut Io<'_>) -> bool {
        if self.topics.stale {
            let request = self.topics.request(self.metadata.1, self.creates && !self.ending, io);
            (self.topics.stale, self.asked) = (false, true);
            self.link.send(io, self.metadata, &request, What::Metadata, true);
            return true;
        }
        if self.kind == Kind::Idempotent && self.id.is_none() {
            if self.asked {
                return true;
            }
            let request = InitProducerIdRequest {
                transactional_id: None,
                transaction_timeout_ms: 60_000,
                ..InitProducerIdRequest::default()
            };
            self.asked = true;
            self.link.send(io, self.init, &request, What::Init, true);
            return true;
        }
        false
    }

    fn send(&mut self, io: &mut Io<'_>) {
        let places = self.topics.places(io);
        let mut batches = Vec::new();
        for _ in 0..io.random.range(1, 3) {
            let Some((place, known)) = self.choose(&places, io) else { break };
            if batches.iter().all(|(part, _): &(Part, Bytes)| part.place != place)
                && let Some((number, records, bytes)) = self.batch(&place, io)
            {
                batches.push((Part { place, topic_id: known.id, number, records }, bytes));
            }
        }
        if batches.is_empty() {
            self.rest_until = io.now.mono.plus_ms(1);
            return;
        }
        let acks = match self.kind {
            Kind::Plain(acks) => acks,
            Kind::Idempotent => -1,
        };
        let topics = batches.iter().map(|(part, bytes)| TopicProduceData {
            name: part.place.topic.to_string(),
            topic_id: part.topic_id.0,
            partition_data: vec![PartitionProduceData {
                index: part.place.partition,
                records: Some(bytes.clone().into()),
            }],
        });
        let request = ProduceRequest {
            transactional_id: None,
            acks,
            timeout_ms: self.timeout_ms,
            topic_data: topics.collect(),
        };
        let parts = batches.into_iter().map(|(part, _)| part).collect();
        self.link.send(io, self.produce, &request, What::Produce(parts), acks != 0);
        if io.random.chance(1, 4) {
            self.rest_until = io.now.mono.plus_ms(io.random.range(0, 5));
        }
    }

    /// A partition that has something to be sent again, or any.
    fn choose(&self, places: &[(Place, Known)], io: &mut Io<'_>) -> Option<(Place, Known)> {
        let resend = self
            .partitions
            .iter()
            .find(|(_, partition)| partition.batches.iter().any(|batch| !batch.in_flight));
        if let Some((place, _)) = resend
            && let Some(known) = self.topics.get(&place.topic)
            && io.random.chance(2, 3)
        {
            return Some((place.clone(), known));
        }
        if places.is_empty() || (self.ending && self.kind == Kind::Idempotent && resend.is_none()) {
            return None;
        }
        Some(io.random.pick(places).clone())
    }

    /// What goes to this partition next: the first batch that must be sent again, or a new one.
    fn batch(&mut self, place: &Place, io: &mut Io<'_>) -> Option<(u64, Vec<RecordId>, Bytes)> {
        let again = self.partitions.get_mut(place);
        if let Some(batch) = again.and_then(|all| all.batches.iter_mut().find(|batch| !batch.in_flight)) {
            batch.in_flight = true;
            return Some((batch.number, batch.records.clone(), batch.bytes.clone()));
        }
        if self.ending {
            return None;
        }
        let partition = self.partitions.entry(place.clone()).or_default();
        if partition.batches.len() == WINDOW {
            return None;
        }
        let count = io.random.range(1, 4) as usize;
        let records: Vec<RecordId> = (0..count).map(|_| io.ledger.record(place)).collect();
        let sequence = partition.next_sequence;
        let producer = (self.kind == Kind::Idempotent).then_some(self.id).flatten();
        let batch = build(&records, producer, sequence, self.compression, io.now);
        let bytes = batch.finish_with(&mut self.compressors);
        let number = self.next_batch;
        self.next_batch += 1;
        let sent = producer.map(|key| (key, sequence));
        io.events.push(Event::Sent { place: place.clone(), records: records.clone(), producer: sent });
        if producer.is_some() {
            partition.next_sequence += count as i32;
            let (records, bytes) = (records.clone(), bytes.clone());
            partition.batches.push_back(Batch {
                number,
                records,
                bytes,
                life: self.link.life(),
                in_flight: true,
            });
        }
        Some((number, records, bytes))
    }
}

fn find<'a>(response: &'a ProduceResponse, part: &Part) -> Option<&'a PartitionProduceResponse> {
    // The topics of a request are told apart by name or by id, whichever the version has.
    let topics = response.responses.iter().filter(|topic| {
        topic.name == *part.place.topic || (topic.name.is_empty() && topic.topic_id == part.topic_id.0)
    });
    let mut partitions = topics.flat_map(|topic| &topic.partition_responses);
    partitions.find(|partition| partition.index == part.place.partition)
}

fn build(
    records: &[RecordId],
    producer: Option<ProducerKey>,
    sequence: i32,
    compression: Compression,
    now: Now,
) -> BatchBuilder {
    let mut builder = BatchBuilder::new(compression);
    if let Some(ProducerKey { id, epoch }) = producer {
        builder = builder.producer(ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    }
    for record in records {
        builder.append(now.wall.0, None, Some(&record.value()), &[]);
    }
    builder
}

impl Client for Producer {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_ready(&self, network: &Network, now: Now) -> bool {
        let rested = self.rest_until <= now.mono;
        let may_send = rested && self.link.open() < self.in_flight && self.wants_to_send();
        match self.link.is_connected() {
            true => self.link.is_ready(network, now) || may_send,
            false => self.link.is_ready(network, now) && rested && self.wants_to_send(),
        }
    }

    fn next_timeout(&self) -> Option<MonoTime> {
        let rest = self.wants_to_send().then_some(self.rest_until);
        let link =
            (self.link.is_connected() || self.wants_to_send()).then(|| self.link.next_timeout()).flatten();
        match self.link.is_connected() {
            true => [rest.filter(|_| self.link.open() < self.in_flight), link].into_iter().flatten().min(),
            false => rest.zip(link).map(|(rest, link)| rest.max(link)),
        }
    }

    fn step(&mut self, io: &mut Io<'_>) {
        match self.link.receive(io) {
            Received::Answer { what, version, body, life } => {
                return self.on_answer(what, version, body, life, io);
            }
            Received::Lost(lost) => return self.on_lost(lost),
            Received::Nothing => {}
        }
        if !self.link.connect(io) || self.link.open() >= self.in_flight || self.rest_until > io.now.mono {
            return;
        }
        if self.link.open() > 0 && io.random.chance(1, 150) {
            let lost = self.link.disconnect(io);
            return self.on_lost(lost);
        }
        if io.random.chance(1, 40) && !self.ending {
            self.topics.stale = true;
        }
        // Some wait for their answers before they ask something else, some do not.
        let asks = self.topics.stale || (self.kind == Kind::Idempotent && self.id.is_none());
        if asks && self.link.open() > 0 && (self.asked || io.random.chance(1, 2)) {
            self.rest_until = io.now.mono.plus_ms(1);
            return;
        }
        if !self.ask(io) {
            self.send(io);
        }
    }

    fn wind_down(&mut self) {
        self.ending = true;
    }

    fn waits_for(&self) -> Option<String> {
        match (self.link.open(), self.unanswered()) {
            (0, 0) => None,
            (open, batches) => {
                Some(format!("{}: {open} requests and {batches} batches are not answered", self.name))
            }
        }
    }
}
