//! Kafka's checkpoint files: small text files that are replaced as a whole.
//!
//! ```text
//! 0                  version
//! 2                  number of entries
//! orders 0 17        entries: topic, partition, offset
//! orders 1 42
//! ```
//! Invariant: a file that does not hold exactly what its second line promises is damaged as a whole; nothing of it is used.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use base::ids::{Offset, PartitionIndex};

use crate::directory::TopicPartition;
use crate::disk::{Disk, read_file, replace_file};
use crate::error::{Error, IoContext};

/// Everything below was synced, by partition.
pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// First readable offsets, of partitions where it is not the first segment's.
pub const LOG_STARTS: &str = "log-start-offset-checkpoint";
/// High watermarks.
pub const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
/// First offsets that were not compacted yet, of partitions that were compacted.
pub const FIRST_DIRTY: &str = "cleaner-offset-checkpoint";

/// All of them.
pub(crate) const ALL: [&str; 4] = [RECOVERY_POINTS, HIGH_WATERMARKS, LOG_STARTS, FIRST_DIRTY];

/// Offsets by partition.
pub type Offsets = BTreeMap<TopicPartition, Offset>;

const VERSION: &str = "0";

/// Reads offsets by partition; empty if there is no such file.
///
/// # Errors
/// The disk failed, or the file is damaged.
pub fn read_offsets(disk: &dyn Disk, path: &Path) -> Result<Offsets, Error> {
    let mut offsets = Offsets::new();
    read_lines(disk, path, |line| {
        let (partition, offset) = entry(line)?;
        offsets.insert(partition, offset);
        Some(())
    })?;
    Ok(offsets)
}

/// The entries that can be read, of a file that may be damaged.
///
/// # Errors
/// The disk failed.
pub(crate) fn salvage_offsets(disk: &dyn Disk, path: &Path) -> Result<Offsets, Error> {
    let bytes = read_file(disk, path).context("read", path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).lines().skip(2).filter_map(entry).collect())
}

fn entry(line: &str) -> Option<(TopicPartition, Offset)> {
    let mut words = line.split_ascii_whitespace();
    let topic = words.next()?.to_owned();
    let partition = PartitionIndex(words.next()?.parse().ok()?);
    let offset = Offset(words.next()?.parse().ok()?);
    words.next().is_none().then_some((TopicPartition { topic, partition }, offset))
}

/// Replaces the file by these offsets.
///
/// # Errors
/// The disk failed; the old file is still there.
pub fn write_offsets(disk: &dyn Disk, path: &Path, offsets: &Offsets) -> Result<(), Error> {
    let mut text = head(offsets.len());
    for (at, offset) in offsets {
        let _ = writeln!(text, "{} {} {offset}", at.topic, at.partition);
    }
    replace_file(disk, path, text.as_bytes()).context("write", path)
}

/// The two lines before `count` entries.
pub(crate) fn head(count: usize) -> String {
    format!("{VERSION}\n{count}\n")
}

/// Gives each entry to `take`, which answers `None` when it is malformed. No file is no entry.
pub(crate) fn read_lines(
    disk: &dyn Disk,
    path: &Path,
    mut take: impl FnMut(&str) -> Option<()>,
) -> Result<(), Error> {
    let Some(bytes) = read_file(disk, path).context("read", path)? else { return Ok(()) };
    let damaged =
        |line: usize, reason: &str| Error::corrupt(path, line as u64, format!("line {line}: {reason}"));
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged(1, "not text"))?;
    let mut lines = text.lines().enumerate().map(|(number, line)| (number + 1, line));
    match lines.next() {
        None => return Ok(()),
        Some((_, version)) if version.trim() == VERSION => {}
        Some((line, _)) => return Err(damaged(line, "unknown version")),
    }
    let count: usize = lines
        .next()
        .and_then(|(_, count)| count.trim().parse().ok())
        .ok_or_else(|| damaged(2, "no number of entries"))?;
    let mut found = 0;
    for (number, line) in lines {
        take(line).ok_or_else(|| damaged(number, "malformed entry"))?;
        found += 1;
    }
    if found != count {
        return Err(damaged(2, &format!("{count} entries promised, {found} found")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::memory::MemoryDisk;

    const PATH: &str = "/data/checkpoint";

    #[test]
    fn offsets_are_read_as_kafka_writes_them() {
        let check = |text: &str, expect: Option<&[(&str, i32, i64)]>| {
            let disk = MemoryDisk::new();
            disk.set_content(Path::new(PATH), text.as_bytes());
            let expect = expect.map(|entries| {
                let entry =
                    |&(topic, partition, offset)| (TopicPartition::new(topic, partition), Offset(offset));
                entries.iter().map(entry).collect::<Offsets>()
            });
            assert_eq!(read_offsets(&disk, Path::new(PATH)).ok(), expect, "{text:?}");
        };
        check("0\n2\norders 0 17\nb 1 42\n", Some(&[("orders", 0, 17), ("b", 1, 42)]));
        check("0\n0\n", Some(&[]));
        check("", Some(&[]));
        check("1\n0\n", None);
        check("0\n", None);
        check("0\n2\norders 0 17\n", None);
        check("0\n1\norders 0 17\norders 1 17\n", None);
        check("0\n1\norders 0\n", None);
        check("0\n1\norders 0 17 8\n", None);
        check("0\n1\norders x 17\n", None);
        check("0\n-1\n", None);
    }

    #[test]
    fn what_is_written_is_read() {
        let disk = MemoryDisk::new();
        disk.create_dir_all(Path::new("/data")).unwrap();
        assert_eq!(read_offsets(&disk, Path::new(PATH)).unwrap(), Offsets::new());
        let offsets: Offsets =
            [(TopicPartition::new("a", 0), Offset(1)), (TopicPartition::new("a", 10), Offset(2))].into();
        write_offsets(&disk, Path::new(PATH), &offsets).unwrap();
        assert_eq!(read_offsets(&disk, Path::new(PATH)).unwrap(), offsets);
        assert_eq!(read_file(&disk, Path::new(PATH)).unwrap().unwrap(), b"0\n2\na 0 1\na 10 2\n");
    }
}
