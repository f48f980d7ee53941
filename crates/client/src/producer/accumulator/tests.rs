use super::*;
use base::ids::ProducerId;
use protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use std::time::Duration;

const LEADER: NodeId = NodeId(1);

/// An accumulator with a topic `t` of two partitions, all led by one node, and a clock.
struct Bench {
    accumulator: Accumulator,
    metadata: Metadata,
    now: Instant,
    start: Instant,
}

impl Bench {
    fn new(idempotent: bool) -> Self {
        let settings = Settings {
            batch_size: 200,
            linger: Duration::from_millis(5),
            compression: Compression::None,
            delivery_timeout: Duration::from_secs(10),
            max_request_size: 1000,
            idempotent,
        };
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: LEADER.0,
            ..Default::default()
        };
        let metadata = Metadata::default().with(MetadataResponse {
            brokers: vec![MetadataResponseBroker { node_id: LEADER.0, ..Default::default() }],
            topics: vec![MetadataResponseTopic {
                name: Some("t".to_owned()),
                partitions: vec![partition(0), partition(1)],
                ..Default::default()
            }],
            ..Default::default()
        });
        let start = Instant::now();
        let mut accumulator = Accumulator::new(settings, Random::from_seed(3));
        accumulator.identify(identity(0));
        Self { accumulator, metadata, now: start, start }
    }

    fn append(&mut self, partition: i32, value: usize) -> bool {
        let record = Record::new("t").partition(partition).value(vec![b'x'; value]);
        let topic = self.metadata.topics["t"].clone();
        self.accumulator.append(&record, &topic, value, (self.now, 0), None).map(|done| done.wake).unwrap()
    }

    fn at(&mut self, ms: u64) -> &mut Self {
        self.now = self.start + Duration::from_millis(ms);
        self
    }

    /// The batches that are due: partition, number, epoch and sequence.
    fn drain(&mut self) -> (Vec<Batch>, Plan) {
        let mut plan = self.accumulator.drain(self.now, &self.metadata, false, |_| Capacity::Free);
        let mut batches: Vec<_> = std::mem::take(&mut plan.requests).into_values().flatten().collect();
        batches.sort_by_key(|batch| batch.number);
        (batches, plan)
    }

    fn wake_ms(&self, plan: &Plan) -> Option<u128> {
        plan.wake.map(|wake| (wake - self.start).as_millis())
    }
}

fn identity(epoch: i16) -> Identity {
    Identity { id: ProducerId(9), epoch: ProducerEpoch(epoch) }
}

fn numbers(batches: &[Batch]) -> Vec<u64> {
    batches.iter().map(|batch| batch.number.begun).collect()
}

fn stamps(batches: &[Batch]) -> Vec<(i16, i32)> {
    batches
        .iter()
        .filter_map(|batch| batch.stamped)
        .map(|(identity, sequence)| (identity.epoch.0, sequence.0))
        .collect()
}

#[test]
fn a_batch_goes_when_it_is_full_or_has_lingered() {
    let mut bench = Bench::new(false);
    assert!(bench.append(0, 20), "a new batch sets a timer");
    assert!(!bench.append(0, 20), "more of it does not");
    let (batches, plan) = bench.drain();
    assert_eq!((numbers(&batches), bench.wake_ms(&plan)), (vec![], Some(5)));
    let (batches, _) = bench.at(5).drain();
    assert_eq!(numbers(&batches), [1]);
    assert_eq!(batches[0].record_count(), 2);

    assert!(bench.append(0, 100));
    assert!(bench.append(0, 100), "the second does not fit into the first batch");
    assert_eq!(numbers(&bench.drain().0), [2], "the first is closed, the second still open");
    assert_eq!(numbers(&bench.at(10).drain().0), [3]);
}

#[test]
fn a_record_larger_than_a_batch_has_a_batch_of_its_own() {
    let mut bench = Bench::new(false);
    bench.append(0, 10);
    assert!(bench.append(0, 500));
    assert_eq!(numbers(&bench.drain().0), [1]);
    assert_eq!(numbers(&bench.drain().0), [2]);
}

#[test]
fn a_request_has_one_batch_of_each_partition_and_is_bounded() {
    let mut bench = Bench::new(false);
    for _ in 0..3 {
        bench.append(0, 150);
        bench.append(1, 150);
    }
    assert_eq!(numbers(&bench.drain().0), [1, 2]);
    assert_eq!(numbers(&bench.drain().0), [3, 4]);
    bench.append(0, 600);
    bench.append(1, 600);
    bench.at(50);
    assert_eq!(numbers(&bench.drain().0), [5, 6]);
    assert_eq!(bench.drain().0.len(), 1, "600 + 600 bytes are more than a request takes");
}

#[test]
fn retries_keep_the_order() {
    let mut bench = Bench::new(true);
    for _ in 0..4 {
        bench.append(0, 150);
    }
    bench.at(5);
    let mut sent: Vec<Batch> = Vec::new();
    for _ in 0..3 {
        sent.extend(bench.drain().0);
    }
    assert_eq!(stamps(&sent), [(0, 0), (0, 1), (0, 2)]);
    // The second fails first, and must wait for the first, which is still in flight; so must the fourth, behind it.
    let now = bench.now;
    bench.accumulator.requeue(sent.remove(1), now);
    assert_eq!(numbers(&bench.drain().0), [0u64; 0]);
    bench.accumulator.requeue(sent.remove(0), now);
    let again = bench.drain().0;
    assert_eq!((numbers(&again), stamps(&again)), (vec![1], vec![(0, 0)]));
    assert_eq!(numbers(&bench.drain().0), [0u64; 0]);
    bench.accumulator.finish(&again[0]);
    assert_eq!(numbers(&bench.drain().0), [2]);
    assert_eq!(stamps(&bench.drain().0), [(0, 3)], "the fourth follows with the next sequence");
}

#[test]
fn a_retry_waits_for_its_backoff() {
    let mut bench = Bench::new(false);
    bench.append(0, 10);
    let batch = bench.at(5).drain().0.remove(0);
    let at = bench.now + Duration::from_millis(100);
    bench.accumulator.requeue(batch, at);
    let (batches, plan) = bench.drain();
    assert_eq!((numbers(&batches), bench.wake_ms(&plan)), (vec![], Some(105)));
    assert_eq!(numbers(&bench.at(105).drain().0), [1]);
}

#[test]
fn a_new_epoch_starts_when_nothing_is_in_flight() {
    let mut bench = Bench::new(true);
    for _ in 0..3 {
        bench.append(0, 150);
    }
    let first = bench.drain().0;
    let second = bench.drain().0;
    bench.accumulator.bump_epoch(&first[0].partition.clone());
    bench.accumulator.finish(&first[0]);
    bench.at(5);
    assert_eq!(numbers(&bench.drain().0), [0u64; 0], "the second may still be appended under the old epoch");
    let now = bench.now;
    bench.accumulator.requeue(second.into_iter().next().unwrap(), now);
    let again = bench.drain().0;
    assert_eq!((numbers(&again), stamps(&again)), (vec![2], vec![(1, 0)]));
    assert_eq!(stamps(&bench.drain().0), [(1, 1)]);
    // The other partition begins under the epoch that is current now.
    bench.append(1, 150);
    assert_eq!(stamps(&bench.at(10).drain().0), [(1, 0)]);
}

#[test]
fn nothing_goes_without_a_producer_id_or_a_leader() {
    let mut bench = Bench::new(true);
    bench.accumulator.identity = None;
    bench.append(0, 150);
    let (batches, plan) = bench.at(5).drain();
    assert!(batches.is_empty() && plan.identify);
    let mut bench = Bench::new(false);
    bench.metadata.brokers.clear();
    bench.append(0, 150);
    let (batches, plan) = bench.at(5).drain();
    assert!(batches.is_empty() && plan.leaderless);
}

#[test]
fn batches_expire() {
    let mut bench = Bench::new(true);
    bench.append(0, 10);
    let sent = bench.at(5).drain().0;
    bench.append(0, 10);
    let (batches, plan) = bench.at(10_005).drain();
    assert_eq!((numbers(&batches), numbers(&plan.expired)), (vec![], vec![2]));
    // Its outcome is unknown once it was sent: the partition goes on under a new epoch.
    let now = bench.now;
    bench.accumulator.requeue(sent.into_iter().next().unwrap(), now);
    assert_eq!(numbers(&bench.drain().1.expired), [1]);
    bench.append(0, 150);
    assert_eq!(stamps(&bench.at(10_010).drain().0), [(1, 0)]);
}

#[test]
fn a_flush_hurries_and_closing_refuses() {
    let mut bench = Bench::new(false);
    bench.append(0, 10);
    let last = bench.accumulator.begin_flush();
    assert!(bench.accumulator.unfinished_up_to(last).is_some());
    let sent = bench.drain().0;
    assert_eq!(numbers(&sent), [1]);
    bench.accumulator.finish(&sent[0]);
    assert!(bench.accumulator.unfinished_up_to(last).is_none());
    bench.accumulator.end_flush();
    assert!(bench.accumulator.is_empty());
    bench.accumulator.close();
    let topic = bench.metadata.topics["t"].clone();
    let refused = bench.accumulator.append(&Record::new("t"), &topic, 0, (bench.now, 0), None);
    assert!(matches!(refused.map(|_| ()), Err(Error::Closed)));
}

#[test]
fn an_unknown_partition_is_refused() {
    let mut bench = Bench::new(false);
    let topic = bench.metadata.topics["t"].clone();
    let record = Record::new("t").partition(2);
    let refused = bench.accumulator.append(&record, &topic, 0, (bench.now, 0), None);
    assert!(matches!(refused.map(|_| ()), Err(Error::Invalid(_))));
}

#[test]
fn a_batch_that_is_too_large_goes_again_in_halves() {
    let mut bench = Bench::new(true);
    for _ in 0..4 {
        bench.append(0, 20);
    }
    let mut whole = bench.at(5).drain().0.remove(0);
    let _ = whole.bytes(&mut wire::compress::Compressors::new());
    bench.append(0, 150);
    let behind = bench.at(10).drain().0;
    assert_eq!(stamps(&behind), [(0, 4)]);
    let (number, now) = (whole.number, bench.now);
    let halves = whole.halves(Compression::None, &mut wire::compress::Decompressors::new());
    bench.accumulator.replace(number, halves, now);
    // What is behind them failed as it had to, and goes after them.
    bench.accumulator.requeue(behind.into_iter().next().unwrap(), now);
    let mut order = Vec::new();
    for _ in 0..3 {
        let sent = bench.drain().0;
        order.extend(stamps(&sent));
        assert!(bench.drain().0.is_empty(), "one after the other");
        bench.accumulator.finish(&sent[0]);
    }
    assert_eq!(order, [(0, 0), (0, 2), (0, 4)]);
    assert!(bench.accumulator.is_empty());
}
