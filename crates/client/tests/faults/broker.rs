//! A broker in memory: one topic `t` of two partitions, idempotent producers as Kafka keeps them, and faults by chance.
//!
//! Invariant: a batch of a producer that is known is appended only behind the one with the sequence before; one of the last
//! five batches that comes again is acknowledged and not appended.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::error_code::ErrorCode;
use base::ids::{ProducerEpoch, ProducerId, Sequence};
use base::uuid::Uuid;
use bytes::Bytes;
use protocol::Message;
use protocol::api::ApiKey;
use protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use protocol::messages::init_producer_id_response::InitProducerIdResponse;
use protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest};
use protocol::messages::produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use protocol::request::{RequestHeader, encode_response_header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use wire::batch::Batch;
use wire::compress::Decompressors;
use wire::output::Output;
use wire::reader::Reader;
use wire::record::Records;

/// What may happen to a Produce request instead of the right thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A retriable error, nothing appended.
    Refuse,
    /// An error that is final, nothing appended.
    RefuseForGood,
    /// The connection is closed before anything is appended.
    DropBefore,
    /// The connection is closed after the append, without an answer.
    DropAfter,
    /// The broker loses its producers' state, then goes on. It lets an unknown producer begin anywhere (KIP-360).
    Forget,
    /// The same in a broker from before that: an unknown producer begins with sequence 0.
    ForgetStrictly,
    /// No answer, ever.
    Silence,
}

pub(crate) struct Broker {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    random: u64,
    faults: Vec<Fault>,
    /// What happens to the next requests, before chance decides.
    script: VecDeque<Option<Fault>>,
    fault_count: usize,
    partitions: [Partition; 2],
    producers: i64,
    port: u16,
}

#[derive(Default)]
struct Partition {
    values: Vec<String>,
    producers: HashMap<ProducerId, Producer>,
    highest_epoch: i16,
}

/// What a partition knows of a producer.
struct Producer {
    epoch: ProducerEpoch,
    /// Its last batches of that epoch: first and last sequence, first offset.
    batches: VecDeque<(Sequence, Sequence, i64)>,
}

const TOPIC_ID: Uuid = Uuid::from_u128(7777);

impl Broker {
    pub(crate) async fn start(seed: u64, faults: &[Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            random: seed,
            faults: faults.to_vec(),
            script: VecDeque::new(),
            fault_count: 0,
            partitions: Default::default(),
            producers: 0,
            port,
        }));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Otherwise an answer behind another waits for the client's acknowledgement: 40 ms.
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { port, state }
    }

    /// One that meets these faults, at these requests, and no other.
    pub(crate) async fn scripted(faults: &[(usize, Fault)]) -> Self {
        let broker = Self::start(0, &[]).await;
        let fault_at = |n: usize| faults.iter().find(|(at, _)| *at == n).map(|(_, fault)| *fault);
        let last = faults.iter().map(|(at, _)| *at).max().unwrap_or(0);
        broker.state.lock().unwrap().script = (0..=last).map(fault_at).collect();
        broker
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn values(&self, partition: usize) -> Vec<String> {
        self.state.lock().unwrap().partitions[partition].values.clone()
    }

    pub(crate) fn faults(&self) -> usize {
        self.state.lock().unwrap().fault_count
    }

    pub(crate) fn highest_epoch(&self) -> i16 {
        let state = self.state.lock().unwrap();
        state.partitions.iter().map(|partition| partition.highest_epoch).max().unwrap_or(0)
    }
}

/// How long an answer is on its way: meanwhile a producer sends what it has, up to its limit of requests in flight.
const LATENCY: Duration = Duration::from_millis(1);

/// Answers requests until the connection is dropped, by either side. Answers that are on their way then are lost.
async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let (mut input, mut output) = stream.into_split();
    let (answers, mut on_their_way) = mpsc::unbounded_channel::<(Instant, Bytes)>();
    let write = tokio::spawn(async move {
        while let Some((arrives, bytes)) = on_their_way.recv().await {
            sleep_until(arrives).await;
            if output.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    while let Ok(size) = input.read_i32().await {
        let mut frame = vec![0; size as usize];
        if input.read_exact(&mut frame).await.is_err() {
            break;
        }
        let answer = state.lock().unwrap().answer(Bytes::from(frame));
        match answer {
            Answer::Bytes(bytes) => answers.send((Instant::now() + LATENCY, bytes)).unwrap_or(()),
            Answer::Drop => break,
            Answer::Nothing => {}
        }
    }
    write.abort();
}

enum Answer {
    Bytes(Bytes),
    Drop,
    Nothing,
}

impl State {
    fn answer(&mut self, frame: Bytes) -> Answer {
        let mut input = Reader::new(frame);
        let header = RequestHeader::decode(&mut input).unwrap();
        match header.api_key {
            ApiKey::API_VERSIONS => respond(&header, &versions()),
            ApiKey::METADATA => respond(&header, &self.metadata()),
            ApiKey::INIT_PRODUCER_ID => {
                self.producers += 1;
                let answer = InitProducerIdResponse { producer_id: self.producers, ..Default::default() };
                respond(&header, &answer)
            }
            ApiKey::PRODUCE => {
                let request = ProduceRequest::decode(&mut input, header.api_version).unwrap();
                self.produce(&header, &request)
            }
            other => panic!("{other} is not served"),
        }
    }

    fn metadata(&self) -> MetadataResponse {
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: 1,
            leader_epoch: 0,
            replica_nodes: vec![1],
            isr_nodes: vec![1],
            ..Default::default()
        };
        MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: 1,
                host: "127.0.0.1".to_owned(),
                port: self.port.into(),
                rack: None,
            }],
            controller_id: 1,
            topics: vec![MetadataResponseTopic {
                name: Some("t".to_owned()),
                topic_id: TOPIC_ID,
                partitions: vec![partition(0), partition(1)],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    /// One request in five meets a fault, if there are any.
    fn fault(&mut self) -> Option<Fault> {
        if self.faults.is_empty() {
            return self.script.pop_front().flatten();
        }
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = (self.random >> 33) as usize;
        let silent = self.faults.contains(&Fault::Silence);
        let fault = (silent || draw.is_multiple_of(5)).then(|| self.faults[draw / 5 % self.faults.len()]);
        self.fault_count += usize::from(fault.is_some());
        fault
    }

    fn produce(&mut self, header: &RequestHeader, request: &ProduceRequest) -> Answer {
        let fault = self.fault();
        match fault {
            Some(Fault::DropBefore) => return Answer::Drop,
            Some(Fault::Silence) => return Answer::Nothing,
            Some(Fault::Forget | Fault::ForgetStrictly) => {
                self.partitions.iter_mut().for_each(|one| one.producers.clear())
            }
            _ => {}
        }
        let topics = request.topic_data.iter().map(|topic| TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: topic.partition_data.iter().map(|data| self.row(data, fault)).collect(),
        });
        let topics = topics.collect();
        if fault == Some(Fault::DropAfter) {
            return Answer::Drop;
        }
        respond(header, &ProduceResponse { responses: topics, ..Default::default() })
    }

    fn row(&mut self, data: &PartitionProduceData, fault: Option<Fault>) -> PartitionProduceResponse {
        let strict = self.faults.contains(&Fault::ForgetStrictly);
        let appended = match fault {
            Some(Fault::Refuse) => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            Some(Fault::RefuseForGood) => Err(ErrorCode::INVALID_RECORD),
            _ => {
                let bytes = data.records.as_ref().unwrap().to_bytes().unwrap();
                self.partitions[data.index as usize].append(&bytes, strict)
            }
        };
        PartitionProduceResponse {
            index: data.index,
            error_code: appended.err().unwrap_or(ErrorCode::NONE),
            base_offset: appended.unwrap_or(-1),
            ..Default::default()
        }
    }
}

impl Partition {
    /// Appends a batch, or finds that it stands here; gives its first offset.
    fn append(&mut self, bytes: &Bytes, strict: bool) -> Result<i64, ErrorCode> {
        let batch = Batch::parse(bytes).unwrap();
        assert!(batch.is_crc_valid());
        let offset = self.values.len() as i64;
        if batch.has_producer_id() {
            if let Some(offset) = self.check(&batch, strict)? {
                return Ok(offset);
            }
            let epoch = batch.producer_epoch();
            self.highest_epoch = self.highest_epoch.max(epoch.0);
            let begins = || Producer { epoch, batches: VecDeque::new() };
            let known = self.producers.entry(batch.producer_id()).or_insert_with(begins);
            if known.epoch != epoch {
                *known = begins();
            }
            known.batches.push_back((batch.base_sequence(), batch.last_sequence(), offset));
            let forgotten = known.batches.len().saturating_sub(5);
            known.batches.drain(..forgotten);
        }
        for record in Records::new(bytes, &mut Decompressors::new(), 1 << 20).unwrap() {
            let value = record.unwrap().value.unwrap();
            self.values.push(std::str::from_utf8(&value).unwrap().to_owned());
        }
        Ok(offset)
    }

    /// Whether the batch may follow; where it stands already when it comes again.
    fn check(&self, batch: &Batch<'_>, strict: bool) -> Result<Option<i64>, ErrorCode> {
        let (first, last) = (batch.base_sequence(), batch.last_sequence());
        let Some(Producer { epoch, batches }) = self.producers.get(&batch.producer_id()) else {
            let begins = first == Sequence(0) || !strict;
            return if begins { Ok(None) } else { Err(ErrorCode::UNKNOWN_PRODUCER_ID) };
        };
        if batch.producer_epoch() < *epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        let same = batch.producer_epoch() == *epoch;
        let again = batches.iter().find(|(a, b, _)| same && (*a, *b) == (first, last));
        if let Some((_, _, offset)) = again {
            return Ok(Some(*offset));
        }
        let expected = match batches.back() {
            Some((_, last, _)) if same => last.advanced(1),
            _ => Sequence(0),
        };
        if first == expected { Ok(None) } else { Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) }
    }
}

fn versions() -> ApiVersionsResponse {
    let served = [ApiKey::PRODUCE, ApiKey::METADATA, ApiKey::API_VERSIONS, ApiKey::INIT_PRODUCER_ID];
    let rows = served.map(|key| {
        let api = key.api().unwrap();
        ApiVersion { api_key: key.0, min_version: api.min, max_version: api.max }
    });
    ApiVersionsResponse { api_keys: rows.to_vec(), ..Default::default() }
}

fn respond<M: Message>(header: &RequestHeader, message: &M) -> Answer {
    let mut out = Output::new();
    out.put_i32(0);
    encode_response_header(header.api_key, header.api_version, header.correlation_id, &mut out);
    message.encode(header.api_version, &mut out).unwrap();
    out.patch_i32(0, out.len() as i32 - 4);
    Answer::Bytes(out.to_bytes().unwrap())
}
