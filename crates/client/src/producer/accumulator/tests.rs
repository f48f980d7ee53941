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

    /// One with a producer that the broker knows in partition 0: batch 1 with sequence 0 was delivered.
    fn known() -> Self {
        let mut bench = Self::new(true);
        bench.append(0, 10);
        let first = bench.at(5).drain().0.remove(0);
        bench.accumulator.finish(&first, true);
        bench
    }

    /// Sends so many batches of one record to partition 0 as far as they may go.
    fn send(&mut self, count: usize) -> Vec<Batch> {
        for _ in 0..count {
            self.append(0, 150);
        }
        let now = self.now + self.accumulator.settings.linger;
        self.now = now;
        let mut sent = Vec::new();
        loop {
            match self.drain().0 {
                batches if batches.is_empty() => return sent,
                batches => sent.extend(batches),
            }
        }
    }

    fn requeue(&mut self, batch: Batch) {
        self.accumulator.requeue(batch, self.now);
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
    let mut bench = Bench::known();
    let mut sent = bench.send(3);
    assert_eq!(stamps(&sent), [(0, 1), (0, 2), (0, 3)]);
    bench.append(0, 150);
    // The second fails first, and must wait for the first, which is still in flight; so must the fourth, behind it.
    bench.requeue(sent.remove(1));
    assert_eq!(numbers(&bench.drain().0), [0u64; 0]);
    bench.requeue(sent.remove(0));
    let again = bench.drain().0;
    assert_eq!((numbers(&again), stamps(&again)), (vec![2], vec![(0, 1)]));
    assert_eq!(numbers(&bench.drain().0), [0u64; 0]);
    bench.accumulator.finish(&again[0], true);
    assert_eq!(numbers(&bench.drain().0), [3]);
    assert_eq!(stamps(&bench.at(50).drain().0), [(0, 4)], "the fourth follows with the next sequence");
}

#[test]
fn nothing_follows_a_producers_first_batch_until_the_broker_has_it() {
    let mut bench = Bench::new(true);
    let first = bench.send(3);
    assert_eq!(stamps(&first), [(0, 0)], "without it the broker would take the second");
    bench.accumulator.finish(&first[0], true);
    assert_eq!(stamps(&bench.send(0)), [(0, 1), (0, 2)]);
    assert_eq!(Bench::new(false).send(3).len(), 3);
}

#[test]
fn what_may_be_sent_again_stays_among_the_last_five() {
    let mut bench = Bench::known();
    let mut sent = bench.send(7);
    assert_eq!(stamps(&sent), [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
    // The broker has all, but the first one's answer is lost.
    let oldest = sent.remove(0);
    sent.iter().for_each(|batch| bench.accumulator.finish(batch, true));
    bench.requeue(oldest);
    let again = bench.send(0);
    assert_eq!(stamps(&again), [(0, 1)], "a sixth would make the broker forget it");
    assert!(
        !bench.accumulator.bump_epoch_for(&again[0]),
        "the broker has what is behind it, hence itself too"
    );
    bench.accumulator.finish(&again[0], true);
    assert_eq!(stamps(&bench.send(0)), [(0, 6), (0, 7)]);
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
    let mut bench = Bench::known();
    let mut sent = bench.send(3);
    assert!(!bench.accumulator.bump_epoch_for(&sent[1]), "the one before it may still arrive");
    assert!(bench.accumulator.bump_epoch_for(&sent[0]));
    assert!(!bench.accumulator.bump_epoch_for(&sent[0]), "once");
    bench.requeue(sent.remove(0));
    bench.requeue(sent.remove(0));
    assert!(bench.send(0).is_empty(), "the third may still be appended under the old epoch");
    bench.requeue(sent.remove(0));
    let again = bench.send(0);
    assert_eq!((numbers(&again), stamps(&again)), (vec![2], vec![(1, 0)]));
    bench.accumulator.finish(&again[0], true);
    let again = bench.drain().0;
    assert_eq!((numbers(&again), stamps(&again)), (vec![3], vec![(1, 1)]));
    // The other partition begins under the epoch that is current now.
    bench.append(1, 150);
    assert_eq!(stamps(&bench.at(100).drain().0), [(1, 0)]);
}

#[test]
fn behind_a_lost_batch_the_others_keep_their_sequences_until_the_broker_misses_it() {
    for broker_has_it in [true, false] {
        let mut bench = Bench::known();
        let mut sent = bench.send(2);
        bench.accumulator.finish(&sent.remove(0), false);
        bench.requeue(sent.remove(0));
        let mut again = bench.send(1);
        assert_eq!(stamps(&again), [(0, 2)], "nothing new goes before it is known what the broker expects");
        if !broker_has_it {
            assert!(bench.accumulator.bump_epoch_for(&again[0]));
            bench.requeue(again.remove(0));
            again = bench.send(0);
            assert_eq!(stamps(&again), [(1, 0)]);
        }
        bench.accumulator.finish(&again[0], true);
        let expect = if broker_has_it { (0, 3) } else { (1, 1) };
        assert_eq!(stamps(&bench.send(0)), [expect]);
    }
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
    let mut bench = Bench::known();
    let sent = bench.send(1);
    bench.append(0, 10);
    let (batches, plan) = bench.at(10_015).drain();
    assert_eq!((numbers(&batches), numbers(&plan.expired)), (vec![], vec![3]));
    // Its outcome is unknown once it was sent: the partition goes on under a new epoch.
    bench.requeue(sent.into_iter().next().unwrap());
    assert_eq!(numbers(&bench.drain().1.expired), [2]);
    assert_eq!(stamps(&bench.send(1)), [(1, 0)]);
}

#[test]
fn a_flush_hurries_and_closing_refuses() {
    let mut bench = Bench::new(false);
    bench.append(0, 10);
    let last = bench.accumulator.begin_flush();
    assert!(bench.accumulator.unfinished_up_to(last).is_some());
    let sent = bench.drain().0;
    assert_eq!(numbers(&sent), [1]);
    bench.accumulator.finish(&sent[0], true);
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
    let mut bench = Bench::known();
    for _ in 0..4 {
        bench.append(0, 20);
    }
    let mut whole = bench.at(10).drain().0.remove(0);
    let _ = whole.bytes(&mut wire::compress::Compressors::new());
    let behind = bench.send(1).remove(0);
    assert_eq!(behind.stamped.map(|(_, sequence)| sequence.0), Some(5));
    let (number, now) = (whole.number, bench.now);
    let halves = whole.halves(Compression::None, &mut wire::compress::Decompressors::new());
    bench.accumulator.replace(number, halves, now);
    // What is behind them failed as it had to, and goes after them without holding them up.
    let later = bench.now + Duration::from_secs(1);
    bench.accumulator.requeue(behind, later);
    let mut order = Vec::new();
    for _ in 0..3 {
        let sent = bench.drain().0;
        order.extend(stamps(&sent));
        assert!(bench.drain().0.is_empty(), "one after the other");
        bench.accumulator.finish(&sent[0], true);
    }
    assert_eq!(order, [(0, 1), (0, 3), (0, 5)]);
    assert!(bench.accumulator.is_empty());
}

#[test]
fn a_half_has_its_sequences_and_takes_no_more_records() {
    let mut bench = Bench::known();
    bench.append(0, 20);
    bench.append(0, 20);
    let mut whole = bench.at(10).drain().0.remove(0);
    let _ = whole.bytes(&mut wire::compress::Compressors::new());
    let (number, now) = (whole.number, bench.now);
    let halves = whole.halves(Compression::None, &mut wire::compress::Decompressors::new());
    bench.accumulator.replace(number, halves, now);
    assert!(bench.append(0, 20), "a new batch is begun");
    let first = bench.drain().0;
    bench.accumulator.finish(&first[0], true);
    let second = bench.drain().0;
    assert_eq!(stamps(&second), [(0, 2)]);
    assert!(bench.accumulator.bump_epoch_for(&second[0]), "it is the oldest that is out");
}
