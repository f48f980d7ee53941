//! See the head of [`super`] for the words.

use super::*;

struct Play {
    disk: MemoryDisk,
    log: Log,
    time: i64,
    memory: CleanMemory,
    /// What the last `clean` said, if it was no success.
    said: Option<String>,
}

impl Play {
    fn word(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<i64>().unwrap();
        match words[0] {
            "roll" => self.log.roll(now(self.time)).unwrap(),
            "clean" => {
                self.said = match clean_with(&mut self.log, now(number(1)), self.memory) {
                    Ok(Some(_)) => None,
                    Ok(None) => Some("nothing due".into()),
                    Err(error) => Some(error.to_string()),
                }
            }
            "lag" => self.configure(|config, ms| config.min_compaction_lag_ms = ms, number(1)),
            "max-lag" => self.configure(|config, ms| config.max_compaction_lag_ms = ms, number(1)),
            "ratio" => {
                self.configure(|config, n| config.min_cleanable_dirty_ratio = n as f64 / 100.0, number(1))
            }
            "keys" => self.memory.map_bytes = (number(1) as usize + 1) * 24,
            "commit" | "abort" => self.end(number(1), words[0] == "commit"),
            "reopen" => self.reopen(),
            _ => self.batch(&words),
        }
    }

    fn configure(&mut self, set: fn(&mut LogConfig, i64), value: i64) {
        let mut config = LogConfig::clone(self.log.config());
        set(&mut config, value);
        self.log.update_config(Arc::new(config));
    }

    fn end(&mut self, id: i64, commit: bool) {
        self.time += 1;
        let epoch = self.log.producers().entries().find(|(it, _)| it.0 == id).unwrap().1.epoch().0;
        self.append(marker(id, epoch, commit, self.time), Origin::Coordinator);
    }

    fn batch(&mut self, words: &[&str]) {
        self.time += 1;
        let mut builder = BatchBuilder::new(Compression::None);
        let mut records: Vec<(Option<&str>, Option<&str>)> = Vec::new();
        for word in words {
            match word.split('/').collect::<Vec<_>>()[..] {
                [producer, epoch, sequence] => {
                    let id = ProducerId(producer[1..].parse().unwrap());
                    let (epoch, sequence) = (epoch.parse().unwrap(), sequence.parse().unwrap());
                    builder = builder.producer(id, ProducerEpoch(epoch), Sequence(sequence));
                }
                _ if *word == "zstd" => {
                    builder = BatchBuilder::new(Compression::with_default_level(CompressionType::Zstd));
                }
                _ if *word == "t" => builder = builder.transactional(true),
                _ => {
                    let (key, value) =
                        word.split_once('=').map_or((*word, None), |(key, value)| (key, Some(value)));
                    records.push(((!key.is_empty()).then_some(key), value));
                }
            }
        }
        let bytes = keyed(builder, self.time, &records);
        self.append(bytes, Origin::Replication);
    }

    /// As a follower does it: nothing is refused.
    fn append(&mut self, bytes: Bytes, origin: Origin) {
        let mut stamped = bytes.to_vec();
        wire::batch::stamp(&mut stamped, self.log.staged_end(), EPOCH);
        self.log.stage(now(self.time), EPOCH, stamped.into(), origin).unwrap();
        self.log.write_staged(now(self.time)).unwrap();
        self.log.set_high_watermark(self.log.ends().log_end);
    }

    fn reopen(&mut self) {
        let config = LogConfig::clone(self.log.config());
        let at = now(self.time);
        let other = Log::create(spec(disk().shared(), config.clone()), at).unwrap();
        let stopped = std::mem::replace(&mut self.log, other).close(at).unwrap();
        let recovery = Recovery {
            recovery_point: stopped.recovery_point,
            high_watermark: stopped.high_watermark,
            first_dirty: stopped.first_dirty,
            ..Recovery::NEW
        };
        self.log = open(&self.disk, config, recovery, at);
    }
}

fn check(input: &str, expect: &[&str]) {
    let disk = disk();
    let log = Log::create(spec(disk.shared(), compacted()), now(0)).unwrap();
    let mut play = Play { disk, log, time: 0, memory: MEMORY, said: None };
    for line in input.split(';').map(str::trim).filter(|line| !line.is_empty()) {
        play.word(line);
    }
    let mut found = listed(&play.log);
    found.extend(play.said);
    assert_eq!(found, expect, "{input}");
}

#[test]
fn of_each_key_the_newest_record_stays() {
    check("a=1; b=1; a=2; roll; clean 10", &["0: 1-1(1:b=1) 2-2(2:a=2)"]);
    check("a=1 b=1 c=1; a=2 c=2; roll; clean 10", &["0: 0-2(1:b=1) 3-4(3:a=2 4:c=2)"]);
    check("zstd a=1 b=1; zstd a=2; roll; clean 10", &["0: 0-1(1:b=1) 2-2(2:a=2)"]);
    // The active segment neither loses records nor makes others lose theirs.
    check("a=1; roll; a=2", &["0: 0-0(0:a=1)"]);
    check("a=1; b=1; roll; a=2; clean 10", &["0: 0-0(0:a=1) 1-1(1:b=1)"]);
    // The dirty part cleans what was clean before.
    check("a=1; b=1; roll; clean 10; a=2; c=1; roll; clean 11", &["0: 1-1(1:b=1) 2-2(2:a=2) 3-3(3:c=1)"]);
    // Records without key, from before the log was compacted.
    check("=1; a=1; roll; clean 10", &["0: 1-1(1:a=1)"]);
}

#[test]
fn the_last_batch_of_what_is_compacted_keeps_its_offset() {
    check("a=1; a=2; =3; roll; clean 10", &["0: 1-1(1:a=2) 2-2()"]);
    check(
        "a=1; =3; roll; clean 10; reopen; a=2; roll; clean 11; b=1; roll; clean 12",
        &["0: 2-2(2:a=2) 3-3(3:b=1)"],
    );
}

#[test]
fn tombstones_stay_until_their_horizon() {
    check("a=1; a; roll; clean 10", &["0: h10101-1(1:a)"]);
    check("a=1; b=1 a; roll; clean 10", &["0: h10101-2(1:b=1 2:a)"]);
    let both = "a=1; b=1 a; roll; clean 10; c=1; roll;";
    check(&format!("{both} clean 1009"), &["0: h10101-2(1:b=1 2:a) 3-3(3:c=1)"]);
    check(&format!("{both} clean 1010"), &["0: h10101-2(1:b=1) 3-3(3:c=1)"]);
    // A newer value ends it earlier.
    check("a=1; a; roll; clean 10; a=2; roll; clean 11", &["0: 2-2(2:a=2)"]);
}

#[test]
fn the_last_batch_of_a_live_producer_stays() {
    check(
        "p7/0/0 a=1; p7/0/1 b=1 c=1; a=2; b=2; c=2; roll; clean 10",
        &["0: 1-2() 3-3(3:a=2) 4-4(4:b=2) 5-5(5:c=2)"],
    );
    let first = "p7/0/0 a=1; a=2; roll; clean 10;";
    check(first, &["0: 0-0() 1-1(1:a=2)"]);
    // Once it has written again it goes.
    check(&format!("{first} p7/0/1 b=1; roll; clean 11"), &["0: 1-1(1:a=2) 2-2(2:b=1)"]);
    check(&format!("{first} reopen; b=1; roll; clean 11"), &["0: 0-0() 1-1(1:a=2) 2-2(2:b=1)"]);
}

#[test]
fn aborted_records_go_and_markers_follow_them() {
    let one = "p7/0/0 t a=1; abort 7; p8/0/0 t b=1; commit 8; c=1; roll; clean 10;";
    check(one, &["0: 0-0() c1-1(1) 2-2(2:b=1) c3-3(3) 4-4(4:c=1)"]);
    // Of 7 its last batch was left, of which the marker speaks; of 8 it is still.
    let two = format!("{one} p7/0/1 d=1; b=2; roll; clean 20;");
    check(&two, &["0: c1-1(1) 2-2() c3-3(3) 4-4(4:c=1) 5-5(5:d=1) 6-6(6:b=2)"]);
    // A marker alone gets a horizon, and then goes.
    let three = format!("{two} e=1; roll; clean 30;");
    check(&three, &["0: h1030c1-1(1) 2-2() c3-3(3) 4-4(4:c=1) 5-5(5:d=1) 6-6(6:b=2) 7-7(7:e=1)"]);
    let four = format!("{three} f=1; roll;");
    let left = "2-2() c3-3(3) 4-4(4:c=1) 5-5(5:d=1) 6-6(6:b=2) 7-7(7:e=1) 8-8(8:f=1)";
    check(&format!("{four} clean 1029"), &[&format!("0: h1030c1-1(1) {left}")]);
    check(&format!("{four} clean 1030"), &[&format!("0: {left}")]);
    // What was aborted does not hide what was there before.
    check("a=1; p7/0/0 t a=2; abort 7; p7/0/1 b=1; roll; clean 10", &["0: 0-0(0:a=1) c2-2(2) 3-3(3:b=1)"]);
    // A transaction that is open, and all behind it, waits.
    check(
        "a=1; roll; p7/0/0 t b=1; a=2; roll; a=3; roll; clean 10",
        &["0: 0-0(0:a=1)", "1: 1-1(1:b=1) 2-2(2:a=2)", "3: 3-3(3:a=3)"],
    );
}

#[test]
fn transactions_go_on_from_segment_to_segment() {
    check(
        "p7/0/0 t a=1; roll; p7/0/1 t a=2; b=1; roll; abort 7; p7/0/2 c=1; roll; clean 10",
        &["0: 2-2(2:b=1) c3-3(3) 4-4(4:c=1)"],
    );
}

#[test]
fn lag_and_ratio_decide_what_is_due() {
    check("a=1; a=2; roll; a=3; roll; lag 8; clean 10", &["0: 1-1(1:a=2)", "2: 2-2(2:a=3)"]);
    check("a=1; roll; lag 10; clean 10", &["0: 0-0(0:a=1)", "nothing due"]);
    check(
        "a=1; a=2; b=1; roll; clean 5; a=3; roll; ratio 50; clean 10",
        &["0: 1-1(1:a=2) 2-2(2:b=1)", "3: 3-3(3:a=3)", "nothing due"],
    );
    check(
        "a=1; a=2; b=1; roll; clean 5; a=3; roll; ratio 50; max-lag 6; clean 11",
        &["0: 2-2(2:b=1) 3-3(3:a=3)"],
    );
    // What is appended to is closed in time.
    check("max-lag 2; a=1; a=2; a=3; a=4", &["0: 0-0(0:a=1) 1-1(1:a=2) 2-2(2:a=3)"]);
}

#[test]
fn little_memory_takes_several_passes() {
    let log = "a=1; b=1; a=2; c=1; b=2; c=2; roll; keys 2;";
    check(&format!("{log} clean 10"), &["0: 1-1(1:b=1) 2-2(2:a=2) 3-3(3:c=1) 4-4(4:b=2) 5-5(5:c=2)"]);
    check(&format!("{log} clean 10; clean 11"), &["0: 2-2(2:a=2) 4-4(4:b=2) 5-5(5:c=2)"]);
    check(
        "a=1 b=1 c=1; roll; keys 2; clean 10",
        &[
            "0: 0-2(0:a=1 1:b=1 2:c=1)",
            "log.cleaner.dedupe.buffer.size is too small for the keys of one batch",
        ],
    );
}
