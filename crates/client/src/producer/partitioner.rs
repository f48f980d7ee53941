//! Which partition a record goes to.
//!
//! With a key: the hash that every Kafka client uses, so that all of them put equal keys into the same partition.
//! Without: one partition for about `batch.size` bytes, then another one, chosen so that brokers which fall behind get
//! less (KIP-480, KIP-794).

use base::ids::PartitionIndex;

use crate::random::Random;

/// Kafka's murmur2, seed 0x9747b28c.
pub fn murmur2(bytes: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ bytes.len() as u32;
    let mut chunks = bytes.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ hash >> 15) as i32
}

/// The partition of a key, among all partitions of the topic whether or not they have a leader now.
pub fn partition_of_key(key: &[u8], partitions: usize) -> PartitionIndex {
    PartitionIndex((murmur2(key) & i32::MAX) % partitions as i32)
}

/// The partition that keyless records of one topic stick to.
#[derive(Debug)]
pub(crate) struct Sticky {
    current: Option<PartitionIndex>,
    produced: usize,
}

/// A partition that records could go to, and how many batches already wait for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) partition: PartitionIndex,
    pub(crate) waiting: usize,
}

impl Sticky {
    pub(crate) fn new() -> Self {
        Self { current: None, produced: 0 }
    }

    /// The partition to use now. `candidates` are asked for only when it is time for another one; there is at least one.
    pub(crate) fn partition(
        &mut self,
        random: &mut Random,
        candidates: impl FnOnce() -> Vec<Candidate>,
    ) -> PartitionIndex {
        *self.current.get_or_insert_with(|| choose(&candidates(), random))
    }

    /// Counts what went to the current partition; leaves it once `limit` bytes did and a batch is full, so that switching
    /// does not leave half-empty batches behind, or at twice the limit in any case.
    pub(crate) fn appended(&mut self, bytes: usize, batch_is_full: bool, limit: usize) {
        self.produced += bytes;
        if (self.produced >= limit && batch_is_full) || self.produced >= 2 * limit {
            self.forget();
        }
    }

    /// Chooses anew next time.
    pub(crate) fn forget(&mut self) {
        (self.current, self.produced) = (None, 0);
    }
}

/// At random, where a partition with fewer waiting batches is likelier: its weight is the longest queue + 1 - its own.
fn choose(candidates: &[Candidate], random: &mut Random) -> PartitionIndex {
    let longest = candidates.iter().map(|one| one.waiting).max().unwrap_or(0);
    let weight = |one: &Candidate| longest + 1 - one.waiting;
    let mut point = random.below(candidates.iter().map(weight).sum());
    for one in candidates {
        match point.checked_sub(weight(one)) {
            None => return one.partition,
            Some(left) => point = left,
        }
    }
    unreachable!("the point is below the sum of the weights")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from `org.apache.kafka.common.utils.Utils.murmur2`.
    #[test]
    fn murmur2_is_kafkas() {
        for line in include_str!("../../testdata/murmur2.txt").lines() {
            let (hex, hash) = line.split_once(' ').expect("two columns");
            let bytes: Vec<u8> = (1..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
                .collect();
            assert_eq!(murmur2(&bytes).to_string(), hash, "{hex}");
        }
    }

    #[test]
    fn equal_keys_share_a_partition_of_all() {
        let check = |key: &str, partitions, expect| {
            assert_eq!(partition_of_key(key.as_bytes(), partitions), PartitionIndex(expect), "{key}");
        };
        // From Apache Kafka's default partitioner.
        check("", 7, 2);
        check("kafka", 7, 3);
        check("house 7", 10, 4);
        check("house 7", 3, 1);
        check("house 7", 1, 0);
    }

    #[test]
    fn a_partition_is_kept_until_enough_went_there() {
        let mut sticky = Sticky::new();
        let mut random = Random::from_seed(1);
        let candidates = || (0..50).map(|n| Candidate { partition: PartitionIndex(n), waiting: 0 }).collect();
        let first = sticky.partition(&mut random, candidates);
        let mut steps = |sticky: &mut Sticky, bytes, full, expect_same: bool| {
            let before = sticky.partition(&mut random, candidates);
            sticky.appended(bytes, full, 100);
            assert_eq!(sticky.current == Some(before), expect_same, "{bytes} {full}");
        };
        steps(&mut sticky, 60, false, true);
        steps(&mut sticky, 30, true, true);
        steps(&mut sticky, 60, false, true);
        steps(&mut sticky, 1, true, false);
        steps(&mut sticky, 199, false, true);
        steps(&mut sticky, 1, false, false);
        assert!(first.0 < 50);
    }

    #[test]
    fn the_choice_prefers_short_queues() {
        let mut random = Random::from_seed(7);
        let candidates =
            [(0, 9), (1, 0), (2, 5)].map(|(n, waiting)| Candidate { partition: PartitionIndex(n), waiting });
        let mut counts = [0; 3];
        for _ in 0..16_000 {
            counts[choose(&candidates, &mut random).0 as usize] += 1;
        }
        // Weights are 1, 10 and 5.
        assert!((900..1100).contains(&counts[0]), "{counts:?}");
        assert!((9700..10_300).contains(&counts[1]), "{counts:?}");
    }
}
