//! Random logs: what a reader of committed records finds of each key never changes, and what stays keeps its offset.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Keys with or without a value, by a producer (0 is none), in a transaction or not, in a codec.
    Append {
        records: Vec<(u8, bool)>,
        producer: i64,
        transactional: bool,
        compressed: bool,
    },
    /// A producer's transaction ends.
    End {
        producer: i64,
        commit: bool,
    },
    Roll,
    /// So much time passes, then it is compacted with memory for so many keys.
    Clean {
        after: i64,
        keys: usize,
    },
    Reopen {
        clean: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let record = (0..6u8, prop::bool::weighted(0.8));
    let append = (prop::collection::vec(record, 1..5), 0..3i64, any::<bool>(), prop::bool::weighted(0.3))
        .prop_map(|(records, producer, transactional, compressed)| Step::Append {
            records,
            producer,
            transactional: transactional && producer > 0,
            compressed,
        });
    prop_oneof![
        10 => append,
        3 => (1..3i64, any::<bool>()).prop_map(|(producer, commit)| Step::End { producer, commit }),
        2 => Just(Step::Roll),
        3 => (0..1500i64, prop::sample::select(vec![4usize, 8, 1000]))
            .prop_map(|(after, keys)| Step::Clean { after, keys }),
        1 => any::<bool>().prop_map(|clean| Step::Reopen { clean }),
    ]
}

struct World {
    disk: MemoryDisk,
    log: Log,
    time: i64,
    /// Key, value and writer of each offset that is a record.
    written: BTreeMap<i64, (String, Option<String>)>,
    /// Offsets of each open transaction.
    open: BTreeMap<i64, Vec<i64>>,
    aborted: BTreeSet<i64>,
    sequences: BTreeMap<i64, i32>,
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 600, ..compacted() }
}

impl World {
    fn new() -> Self {
        let disk = disk();
        let log = Log::create(spec(disk.shared(), config()), now(0)).unwrap();
        Self {
            disk,
            log,
            time: 0,
            written: BTreeMap::new(),
            open: BTreeMap::new(),
            aborted: BTreeSet::new(),
            sequences: BTreeMap::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        self.time += 1;
        match step {
            Step::Append { records, producer, transactional, compressed } => {
                self.append(records, *producer, *transactional, *compressed);
            }
            Step::End { producer, commit } => self.end(*producer, *commit),
            Step::Roll => self.log.roll(now(self.time)).unwrap(),
            Step::Clean { after, keys } => {
                self.time += after;
                let memory = CleanMemory { map_bytes: keys * 24, load_factor: 1.0, ..MEMORY };
                match clean_with(&mut self.log, now(self.time), memory) {
                    Ok(_) | Err(CleanError::NoRoom) => {}
                    Err(error) => panic!("{error}"),
                }
                self.log.remove_deleted_files(now(self.time)).unwrap();
                self.check();
            }
            Step::Reopen { clean } => self.reopen(*clean),
        }
    }

    fn append(&mut self, records: &[(u8, bool)], producer: i64, transactional: bool, compressed: bool) {
        // An open transaction takes nothing else of its producer.
        let transactional = transactional || self.open.contains_key(&producer);
        let compression = if compressed { Compression::Lz4(9) } else { Compression::None };
        let mut builder = BatchBuilder::new(compression);
        if producer > 0 {
            let sequence = self.sequences.entry(producer).or_default();
            builder = builder.producer(ProducerId(producer), ProducerEpoch(0), Sequence(*sequence));
            *sequence += records.len() as i32;
        }
        let mut builder = builder.transactional(transactional);
        let first = self.log.ends().log_end.0;
        for (index, (key, has_value)) in records.iter().enumerate() {
            let offset = first + index as i64;
            let value = has_value.then(|| format!("{offset} {}", "x".repeat(usize::from(*key) * 7)));
            let key = format!("key{key}");
            builder.append(
                self.time,
                Some(key.as_bytes()),
                value.as_ref().map(|value| value.as_bytes()),
                &[],
            );
            self.written.insert(offset, (key, value));
            if transactional {
                self.open.entry(producer).or_default().push(offset);
            }
        }
        append(&mut self.log, now(self.time), builder.finish()).unwrap();
    }

    fn end(&mut self, producer: i64, commit: bool) {
        let Some(offsets) = self.open.remove(&producer) else { return };
        if !commit {
            self.aborted.extend(offsets);
        }
        let bytes = marker(producer, 0, commit, self.time);
        self.log.stage(now(self.time), EPOCH, bytes, Origin::Coordinator).unwrap();
        self.log.write_staged(now(self.time)).unwrap();
        self.log.set_high_watermark(self.log.ends().log_end);
    }

    fn reopen(&mut self, clean: bool) {
        sync(&mut self.log, now(self.time)).unwrap();
        let before = self.log.producers().clone();
        let mut at = self.log.checkpoint();
        let fresh = Log::create(spec(disk().shared(), config()), now(0)).unwrap();
        let log = std::mem::replace(&mut self.log, fresh);
        if clean {
            at = log.close(now(self.time)).unwrap();
        } else {
            // Nothing was written down lately.
            at.recovery_point = Offset(at.recovery_point.0 / 2);
        }
        self.disk.crash(crate::disk::memory::Crash::KeepAll);
        let recovery = Recovery {
            clean,
            kept: self.time % 2 == 0,
            recovery_point: at.recovery_point,
            log_start: at.log_start.unwrap_or(Offset::ZERO),
            high_watermark: at.high_watermark,
            first_dirty: at.first_dirty,
        };
        // Whose configs are not known yet when a node opens its logs.
        self.log = open(&self.disk, LogConfig::default(), recovery, now(self.time));
        self.log.update_config(Arc::new(config()));
        for (id, entry) in before.entries() {
            let last = |entry: &crate::producers::ProducerEntry| {
                entry.last_batch().map(|batch| (batch.last_sequence, batch.last_offset, entry.epoch()))
            };
            let known = self.log.producers().entries().find(|(it, _)| *it == id).map(|(_, it)| last(it));
            assert_eq!(known, Some(last(entry)), "producer {id}");
        }
        self.check();
    }

    /// Reads as a consumer of committed records does, up to the last stable offset.
    fn committed(&self) -> BTreeMap<i64, (String, Option<String>)> {
        let reader = self.log.reader();
        let end = reader.ends().last_stable;
        let mut aborted = reader.aborted_transactions(Offset(0), end).unwrap();
        aborted.sort_by_key(|transaction| transaction.first_offset);
        let mut aborted = aborted.into_iter().peekable();
        let mut hidden = BTreeSet::new();
        let mut found = BTreeMap::new();
        for segment in self.log.segments().iter() {
            let mut scan = segment.scan(0, segment.size()).unwrap();
            while let Some((at, bytes)) = segment.step(scan.next_whole()).unwrap() {
                if at.last_offset >= end {
                    return found;
                }
                let batch = Batch::parse(bytes).unwrap();
                while let Some(next) = aborted.next_if(|next| next.first_offset <= at.last_offset) {
                    hidden.insert(next.producer_id);
                }
                if batch.attributes().is_control() {
                    hidden.remove(&batch.producer_id());
                    continue;
                }
                let whole = Bytes::copy_from_slice(bytes);
                for record in Records::new(&whole, &mut Decompressors::new(), 1 << 20).unwrap() {
                    let record = record.unwrap();
                    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
                    let written = (text(record.key.unwrap()), record.value.map(text));
                    assert_eq!(self.written.get(&record.offset.0), Some(&written));
                    let is_hidden =
                        batch.attributes().is_transactional() && hidden.contains(&batch.producer_id());
                    assert_eq!(
                        is_hidden,
                        self.aborted.contains(&record.offset.0),
                        "offset {}",
                        record.offset
                    );
                    if !is_hidden {
                        assert!(found.last_key_value().is_none_or(|(last, _)| *last < record.offset.0));
                        found.insert(record.offset.0, written);
                    }
                }
            }
        }
        found
    }

    fn check(&self) {
        let stable = self.log.ends().last_stable.0;
        let newest = |records: &BTreeMap<i64, (String, Option<String>)>| {
            let mut newest = BTreeMap::new();
            for (offset, (key, value)) in records {
                newest.insert(key.clone(), (*offset, value.clone()));
            }
            newest.retain(|_, (_, value)| value.is_some());
            newest
        };
        let mut expect = self.written.clone();
        expect.retain(|offset, _| *offset < stable && !self.aborted.contains(offset));
        let found = self.committed();
        assert_eq!(newest(&found), newest(&expect));
        // Nothing of what was not compacted yet is missing.
        let dirty = self.log.reader().first_dirty().unwrap_or(Offset::ZERO);
        let rest = |records: &BTreeMap<i64, _>| records.range(dirty.0..).count();
        assert_eq!(rest(&found), rest(&expect));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: scale("STORAGE_CLEAN_CASES", 100) as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn compaction_changes_no_keys_last_value(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        for producer in 1..3 {
            world.end(producer, producer == 1);
        }
        for after in [0, 5000, 5000] {
            world.run(&Step::Append { records: vec![(9, true)], producer: 0, transactional: false, compressed: false });
            world.run(&Step::Roll);
            world.run(&Step::Clean { after, keys: 1000 });
        }
    }
}
