//! A log of keyed records, each key written twice, that the broker compacts: timed from outside.
//!
//! Every even record is written over by the odd one [`APART`] records later, so that of each batch in the middle half stays:
//! ```text
//! record   0  1  2  3  4 …   APART   APART + 2 …
//! key      0  ·  1  ·  2 …     0        1      …       (·: of a record near the end)
//! ```
//! The clock starts when the topic's `cleanup.policy` becomes `compact`, and stops when `cleaner-offset-checkpoint` says that
//! all but the active segment is clean.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::{BATCH_RECORDS, Outcome, Site, Topic, VALUE_SIZE};
use crate::batch::Keyed;
use crate::broker::files;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::histogram::Histogram;

/// The second record of a key is so many later than the first: 64 MiB. It is odd.
const APART: u64 = (64 << 10) + 1;
/// A broker may take so long to do as a topic's new configs say.
const SETTLE: Duration = Duration::from_secs(1);
/// Between two looks at the checkpoint.
const LOOK: Duration = Duration::from_millis(2);
/// A broker that is not done after so long is given up.
const PATIENCE: Duration = Duration::from_secs(600);
/// Until the clock starts nothing is cleaned. Nothing is ever deleted for its age.
const SETTINGS: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("retention.ms", "-1"),
    ("segment.bytes", "134217728"),
    ("min.cleanable.dirty.ratio", "0.0"),
    ("min.compaction.lag.ms", "0"),
    ("file.delete.delay.ms", "100"),
];

/// The load.
#[derive(Clone, Debug)]
pub struct Compaction {
    /// Records of 1 KiB in the log; a multiple of a batch's.
    pub records: u64,
}

impl Compaction {
    pub(super) fn prepare(&self, address: SocketAddr, name: &str) -> Result<Topic> {
        assert!(self.records.is_multiple_of(BATCH_RECORDS.into()) && self.records > APART);
        let mut control = Control::connect(address)?;
        let id = control.create_topic(name, 1, SETTINGS)?;
        let mut batch = Keyed::new(BATCH_RECORDS, VALUE_SIZE);
        for first in (0..self.records).step_by(BATCH_RECORDS as usize) {
            control.produce(id, 0, batch.with((first..).map(|record| self.key(record))))?;
        }
        // What comes next is later than every record by more than a millisecond: it begins a segment, which stays active.
        control.alter_topic(name, &[("segment.ms", "1")])?;
        thread::sleep(SETTLE);
        let mut last = Keyed::new(1, VALUE_SIZE);
        let log_end = control.produce(id, 0, last.with(std::iter::once(self.records)))?;
        control.alter_topic(name, &[("segment.ms", "604800000")])?;
        Ok(Topic { name: name.to_owned(), id, log_end })
    }

    pub(super) fn run(&self, site: &Site, topic: &Topic) -> Result<Outcome> {
        let dir = site.dir.as_deref();
        let dir = dir.ok_or_else(|| Error::Usage("the broker's directory is not known".to_owned()))?;
        let before = files::log_bytes(dir, &topic.name);
        if !partition(dir, &topic.name)?.join(format!("{:020}.log", topic.log_end)).exists() {
            return Err(Error::Answer("the broker closed no segment after segment.ms".to_owned()));
        }
        let checkpoint = checkpoint(dir, &topic.name)?;
        let mut control = Control::connect(site.address)?;
        let begin = Instant::now();
        control.alter_topic(&topic.name, &[("cleanup.policy", "compact")])?;
        while first_dirty(&fs::read_to_string(&checkpoint).unwrap_or_default(), &topic.name)
            .is_none_or(|offset| offset < topic.log_end)
        {
            if begin.elapsed() > PATIENCE {
                return Err(Error::Answer(format!("{} is not compacted", topic.name)));
            }
            thread::sleep(LOOK);
        }
        let elapsed = begin.elapsed();
        let after = files::log_bytes(dir, &topic.name);
        if after * 2 > before + before / 20 {
            return Err(Error::Answer(format!("{before} bytes of log were compacted to {after}")));
        }
        let bytes = self.records * VALUE_SIZE as u64;
        Ok(Outcome { bytes, requests: 1, elapsed, latency: Histogram::default(), parts: None })
    }

    fn key(&self, record: u64) -> u64 {
        if record.is_multiple_of(2) { record } else { (record + self.records - APART) % self.records }
    }
}

/// Where the broker notes how far the topic is clean: beside its one partition.
fn checkpoint(dir: &Path, topic: &str) -> Result<PathBuf> {
    Ok(partition(dir, topic)?.with_file_name("cleaner-offset-checkpoint"))
}

fn partition(dir: &Path, topic: &str) -> Result<PathBuf> {
    let name = format!("{topic}-0");
    let found = [dir.join("data").join(&name), dir.join(&name)].into_iter().find(|path| path.is_dir());
    found.ok_or_else(|| Error::Usage(format!("{name} is not below {}", dir.display())))
}

/// The first offset of partition 0 that is not clean, of a checkpoint file's text: version, count, then a line each.
fn first_dirty(text: &str, topic: &str) -> Option<i64> {
    text.lines().skip(2).find_map(|line| {
        let mut words = line.split(' ');
        (words.next()? == topic && words.next()? == "0").then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn each_key_is_written_twice_and_half_of_a_batch_stays() {
        let load = Compaction { records: 1 << 18 };
        let mut newest = HashMap::new();
        let mut count = HashMap::new();
        for record in 0..load.records {
            newest.insert(load.key(record), record);
            *count.entry(load.key(record)).or_insert(0) += 1;
        }
        assert!(count.values().all(|count| *count == 2));
        assert_eq!(newest.len() as u64, load.records / 2);
        let lives = |from: u64| (from..from + 128).filter(|it| newest[&load.key(*it)] == *it).count();
        assert_eq!(lives(1 << 17), 64);
    }

    #[test]
    fn a_checkpoint_is_read_by_topic() {
        let text = "0\n3\na-1 0 5\na 0 7\na 1 9\n";
        let check = |text: &str, topic: &str, expect: Option<i64>| {
            assert_eq!(first_dirty(text, topic), expect, "{text:?} {topic}");
        };
        check(text, "a", Some(7));
        check(text, "a-1", Some(5));
        check(text, "b", None);
        check("", "a", None);
        check("0\n1\na 0", "a", None);
    }
}
