//! Random operations against a simple model, with crashes.
//!
//! The model is the list of batches that were appended. After a crash the log must hold a prefix of what was written, and
//! at least everything that `durable_end` had covered; producers must know what the prefix holds; and the log must go on.

use super::*;
use crate::disk::memory::Crash;
use crate::log::Checkpoint;

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// What the log should be.
struct Model {
    /// Base offset and values of each batch.
    batches: Vec<(i64, Vec<String>)>,
    log_start: i64,
    next: i64,
    next_sequence: i32,
    /// What must survive a crash.
    durable: i64,
}

struct World {
    seed: u64,
    draw: Draw,
    disk: MemoryDisk,
    config: LogConfig,
    log: Log,
    model: Model,
    /// What was last written down as a log directory would.
    checkpoint: Option<Checkpoint>,
    clock: i64,
    count: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut draw = Draw(seed);
        let disk = disk();
        let config = LogConfig {
            segment_bytes: 700 + draw.below(2000) as u32,
            index_interval_bytes: [0, 100, 1000][draw.below(3) as usize],
            retention_bytes: [-1, 3000][draw.below(2) as usize],
            retention_ms: -1,
            ..LogConfig::default()
        };
        let log = Log::create(spec(disk.shared(), config.clone()), now(0)).unwrap();
        let model = Model { batches: Vec::new(), log_start: 0, next: 0, next_sequence: 0, durable: 0 };
        Self { seed, draw, disk, config, log, model, checkpoint: None, clock: 0, count: 0 }
    }

    fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            self.clock += 1;
            match self.draw.below(100) {
                0..55 => self.append(),
                55..75 => self.sync(),
                75..80 => self.log.roll(now(self.clock)).unwrap(),
                80..84 => self.retain(),
                84..88 => self.truncate(),
                88..92 => self.checkpoint = Some(self.log.checkpoint()),
                92..95 => self.log.release_idle(),
                95..98 => self.crash(),
                _ => self.restart(),
            }
            self.log.remove_deleted_files(now(self.clock)).unwrap();
        }
        self.crash();
    }

    fn append(&mut self) {
        for _ in 0..=self.draw.below(3) {
            let count = 1 + self.draw.below(3);
            let values: Vec<String> = (0..count).map(|n| format!("{}-{n}", self.count)).collect();
            self.count += 1;
            let padding = "x".repeat(self.draw.below(150) as usize);
            let records: Vec<(i64, String)> =
                values.iter().map(|value| (self.clock, format!("{value} {padding}"))).collect();
            let records: Vec<(i64, &str)> = records.iter().map(|(at, value)| (*at, value.as_str())).collect();
            let bytes = idempotent(1, 0, self.model.next_sequence, &records);
            let appended = self.log.stage(now(self.clock), EPOCH, bytes.clone(), Origin::Client).unwrap();
            assert_eq!(appended.first_offset.0, self.model.next, "seed {}", self.seed);
            let again = self.log.stage(now(self.clock), EPOCH, bytes, Origin::Client).unwrap();
            assert!(again.duplicate && again.first_offset == appended.first_offset);
            self.model.batches.push((self.model.next, values));
            self.model.next += count as i64;
            self.model.next_sequence += count as i32;
        }
        self.log.write_staged(now(self.clock)).unwrap();
        self.log.set_high_watermark(self.log.ends().log_end);
    }

    fn sync(&mut self) {
        let job = if self.draw.below(3) == 0 { self.log.background_sync_job() } else { self.log.sync_job() };
        let Some(job) = job else { return };
        // What is appended while the sync is under way is not covered by it.
        let append_first = self.draw.below(2) == 0;
        if append_first {
            let synced = job.run();
            self.change_meanwhile();
            self.log.synced(synced, now(self.clock)).unwrap();
        } else {
            self.change_meanwhile();
            self.log.synced(job.run(), now(self.clock)).unwrap();
        }
        self.model.durable = self.log.ends().durable_end.0;
    }

    /// What is cut off and written anew while the sync is under way is not covered by it either.
    fn change_meanwhile(&mut self) {
        self.append();
        if self.draw.below(4) == 0 {
            self.truncate();
            self.append();
        }
    }

    fn retain(&mut self) {
        if self.draw.below(2) == 0 {
            let start = self.model.log_start
                + self.draw.below((self.model.next - self.model.log_start + 1) as u64) as i64;
            self.log.advance_log_start(Offset(start)).unwrap();
        }
        self.log.delete_old_segments(now(self.clock)).unwrap();
        self.model.log_start = self.log.ends().log_start.0;
        // A directory writes this down in time; a crash before may bring the records back.
        self.checkpoint = Some(self.log.checkpoint());
    }

    fn truncate(&mut self) {
        if self.draw.below(3) != 0 || self.model.batches.is_empty() {
            return;
        }
        let at = self.model.batches[self.draw.below(self.model.batches.len() as u64) as usize].0;
        if at < self.model.log_start {
            return;
        }
        self.log.truncate_to(Offset(at), now(self.clock)).unwrap();
        self.checkpoint = Some(self.log.checkpoint());
        self.forget_from(at);
        self.model.durable = self.log.ends().durable_end.0;
    }

    fn forget_from(&mut self, end: i64) {
        let kept = self.model.batches.partition_point(|(base, values)| base + values.len() as i64 <= end);
        for (_, values) in self.model.batches.drain(kept..) {
            self.model.next_sequence -= values.len() as i32;
        }
        self.model.next = end;
    }

    fn restart(&mut self) {
        let fresh = Log::create(spec(disk().shared(), self.config.clone()), now(0)).unwrap();
        let checkpoint = std::mem::replace(&mut self.log, fresh).close(now(self.clock)).unwrap();
        // A clean stop loses nothing even if the power goes afterwards.
        self.disk.crash(Crash::LoseUnsynced);
        let recovery = Recovery {
            clean: true,
            kept: false,
            recovery_point: checkpoint.recovery_point,
            log_start: checkpoint.log_start.unwrap_or(Offset::ZERO),
            high_watermark: checkpoint.high_watermark,
            first_dirty: checkpoint.first_dirty,
        };
        self.checkpoint = Some(checkpoint);
        self.log = open(&self.disk, self.config.clone(), recovery, now(self.clock));
        assert_eq!(self.log.ends().log_end.0, self.model.next, "seed {}", self.seed);
        self.model.durable = self.model.next;
        self.check();
    }

    fn crash(&mut self) {
        let crash = match self.draw.below(4) {
            0 => Crash::LoseUnsynced,
            1 => Crash::KeepAll,
            _ => Crash::Torn(self.draw.below(u64::MAX)),
        };
        self.disk.crash(crash);
        let checkpoint = self.checkpoint.as_ref();
        let recovery = Recovery {
            clean: false,
            kept: crash == Crash::KeepAll && self.draw.below(2) == 0,
            recovery_point: checkpoint.map_or(Offset::ZERO, |it| it.recovery_point),
            log_start: checkpoint.and_then(|it| it.log_start).unwrap_or(Offset::ZERO),
            high_watermark: checkpoint.map_or(Offset::ZERO, |it| it.high_watermark),
            first_dirty: checkpoint.and_then(|it| it.first_dirty),
        };
        let is_lost = self.disk.metadata(&Path::new(DATA).join("t-0")).is_err();
        self.log = if is_lost {
            // The directory itself may be lost as long as nothing in it was promised; what follows is another log.
            self.checkpoint = None;
            Log::create(spec(self.disk.shared(), self.config.clone()), now(self.clock)).unwrap()
        } else {
            open(&self.disk, self.config.clone(), recovery, now(self.clock))
        };
        let end = self.log.ends().log_end.0;
        assert!(
            end >= self.model.durable && end <= self.model.next,
            "seed {}: {crash:?} left the end at {end}, durable was {}, written {}",
            self.seed,
            self.model.durable,
            self.model.next
        );
        self.forget_from(end);
        self.log.set_high_watermark(self.log.ends().log_end);
        self.model.log_start = self.log.ends().log_start.0;
        self.check();
        // Known to be durable is only what was; recovering is no sync.
        assert!(self.log.ends().durable_end.0 <= self.model.durable.max(self.model.log_start));
        self.model.durable = self.log.ends().durable_end.0;
    }

    /// Everything that can be read is what was appended, in order.
    fn check(&self) {
        let mut expect = Vec::new();
        for (base, values) in &self.model.batches {
            for (n, value) in values.iter().enumerate() {
                expect.push((base + n as i64, value.clone()));
            }
        }
        expect.retain(|(offset, _)| *offset >= self.model.log_start);
        let found: Vec<(i64, String)> = read_all(&self.log.reader(), 700)
            .into_iter()
            .map(|(offset, value)| (offset, value.split(' ').next().unwrap_or_default().to_owned()))
            .collect();
        assert_eq!(found, expect, "seed {}", self.seed);
        let last = self.log.producers().entries().next().and_then(|(_, entry)| entry.last_batch());
        if let (Some((_, values)), Some(last)) = (self.model.batches.last(), last) {
            assert_eq!(last.last_sequence.0, self.model.next_sequence - 1, "seed {}: {values:?}", self.seed);
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.seed);
        }
    }
}

/// `STORAGE_SEEDS` runs more of them.
#[test]
fn crashes_leave_a_prefix_and_all_that_was_durable() {
    for seed in 0..scale("STORAGE_SEEDS", 300) {
        World::new(seed).run(60);
    }
}
