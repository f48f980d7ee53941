//! The names that Kafka gives to directories and files.
//!
//! ```text
//! <log dir>/orders-3/                          a partition
//!           orders-3.<32 hex>-delete/          deleted, its files go after file.delete.delay.ms
//!           orders-3.<32 hex>-future/          being moved here from another log directory
//!           orders-3.<32 hex>-stray/           belongs to no topic of the cluster
//!           orders-3/00000000000000000042.log  a segment whose first offset is 42
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use base::ids::{Offset, PartitionIndex};
use base::uuid::Uuid;

/// The partition of the metadata log, which is kept beside the others but is not one of them.
pub const METADATA_TOPIC: &str = "__cluster_metadata";

/// Kafka's limit for the name of a directory.
const NAME_LENGTH_MAX: usize = 255;

/// A partition by its topic's name, as directories and checkpoints know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The index within it.
    pub partition: PartitionIndex,
}

/// Why a directory is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirKind {
    /// It holds the partition.
    Current,
    /// It waits to be removed.
    Deleted,
    /// A copy on its way from another log directory.
    Future,
    /// Set aside because no topic of the cluster owns it.
    Stray,
}

/// What a file in a partition's directory is, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// `.log`: record batches.
    Log,
    /// `.index`: offset to position.
    OffsetIndex,
    /// `.timeindex`: timestamp to offset.
    TimeIndex,
    /// `.txnindex`: aborted transactions.
    TransactionIndex,
    /// `.snapshot`: producer state just before the offset.
    ProducerSnapshot,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition: PartitionIndex(partition) }
    }

    /// The name of its directory.
    pub fn dir_name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }

    /// The name of its directory while it waits to be removed or is moved; `unique` tells several apart.
    pub fn renamed_dir(&self, kind: DirKind, unique: Uuid) -> String {
        let suffix = match kind {
            DirKind::Current => return self.dir_name(),
            DirKind::Deleted => "delete",
            DirKind::Future => "future",
            DirKind::Stray => "stray",
        };
        let tail = format!("-{}.{:032x}-{suffix}", self.partition, unique.as_u128());
        // Only what can no longer be opened under its name may lose a part of it.
        let topic = match kind {
            DirKind::Future => &self.topic,
            _ => &self.topic[..self.topic.len().min(NAME_LENGTH_MAX - tail.len())],
        };
        format!("{topic}{tail}")
    }

    /// Reads a directory's name; `None` if Kafka would not take it for a partition's.
    pub fn parse_dir(name: &str) -> Option<(Self, DirKind)> {
        let (name, kind) = match name.rsplit_once('-') {
            Some((before, suffix @ ("delete" | "future" | "stray"))) if has_unique_part(before) => {
                let kind = match suffix {
                    "delete" => DirKind::Deleted,
                    "future" => DirKind::Future,
                    _ => DirKind::Stray,
                };
                (&before[..before.rfind('.')?], kind)
            }
            _ => (name, DirKind::Current),
        };
        let (topic, partition) = name.rsplit_once('-')?;
        let digits = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
        if topic.is_empty() || !digits {
            return None;
        }
        Some((Self { topic: topic.to_owned(), partition: PartitionIndex(partition.parse().ok()?) }, kind))
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

fn has_unique_part(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(before, unique)| {
        before.contains('-') && unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

impl FileKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::TransactionIndex, Self::ProducerSnapshot];

    /// The end of the name, with its dot.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::OffsetIndex => ".index",
            Self::TimeIndex => ".timeindex",
            Self::TransactionIndex => ".txnindex",
            Self::ProducerSnapshot => ".snapshot",
        }
    }

    /// The file of this kind that starts at `base`.
    pub fn path(self, dir: &Path, base: Offset) -> PathBuf {
        dir.join(self.name(base))
    }

    /// Its name: 20 digits and the suffix.
    pub fn name(self, base: Offset) -> String {
        format!("{:020}{}", base.0, self.suffix())
    }

    /// Reads a file's name; other files, and those with a further suffix such as `.deleted`, are `None`.
    pub fn parse(name: &str) -> Option<(Offset, Self)> {
        let (digits, _) = name.split_once('.')?;
        let kind = Self::ALL.into_iter().find(|kind| &name[digits.len()..] == kind.suffix())?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some((Offset(digits.parse().ok()?), kind))
    }
}

/// The further suffixes that a file may carry after its own.
pub mod suffix {
    /// Waits to be removed.
    pub const DELETED: &str = ".deleted";
    /// Compaction's result, not complete.
    pub const CLEANED: &str = ".cleaned";
    /// Compaction's result, complete: it replaces the segments it was made from.
    pub const SWAP: &str = ".swap";
}

/// `path` with `suffix` after its name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_names() {
        let check = |name: &str, expect: Option<(&str, i32, DirKind)>| {
            let expect = expect.map(|(topic, partition, kind)| (TopicPartition::new(topic, partition), kind));
            assert_eq!(TopicPartition::parse_dir(name), expect, "{name}");
        };
        let unique = "0123456789abcdef0123456789abcdef";
        check("orders-3", Some(("orders", 3, DirKind::Current)));
        check("a-b-10", Some(("a-b", 10, DirKind::Current)));
        check(&format!("orders-3.{unique}-delete"), Some(("orders", 3, DirKind::Deleted)));
        check(&format!("or.ders-3.{unique}-future"), Some(("or.ders", 3, DirKind::Future)));
        check(&format!("orders-3.{unique}-stray"), Some(("orders", 3, DirKind::Stray)));
        for name in [
            "orders",
            "-3",
            "orders-",
            "orders-x",
            "orders-+3",
            "orders-99999999999",
            "lost+found",
            "x-delete",
        ] {
            check(name, None);
        }
    }

    #[test]
    fn renamed_directories_stay_within_the_limit() {
        let long = TopicPartition::new("t".repeat(249), 7);
        for kind in [DirKind::Deleted, DirKind::Stray] {
            let name = long.renamed_dir(kind, Uuid::ONE);
            assert_eq!(name.len(), 255);
            assert_eq!(TopicPartition::parse_dir(&name).unwrap().1, kind);
        }
        assert_eq!(
            TopicPartition::new("t", 7).renamed_dir(DirKind::Deleted, Uuid::ONE),
            "t-7.00000000000000000000000000000001-delete"
        );
    }

    #[test]
    fn file_names() {
        let check = |name: &str, expect: Option<(i64, FileKind)>| {
            assert_eq!(FileKind::parse(name), expect.map(|(base, kind)| (Offset(base), kind)), "{name}");
        };
        check("00000000000000000042.log", Some((42, FileKind::Log)));
        check("00000000000000000042.timeindex", Some((42, FileKind::TimeIndex)));
        check("00000000000000000042.log.deleted", None);
        check("x.log", None);
        check("99999999999999999999.log", None);
        check(".log", None);
        assert_eq!(FileKind::ProducerSnapshot.name(Offset(7)), "00000000000000000007.snapshot");
    }
}
