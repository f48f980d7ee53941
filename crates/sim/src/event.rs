//! What is noted of a run, for the checks and the transcript.

use std::fmt;

use base::error_code::ErrorCode;
use base::ids::TopicId;
use protocol::api::ApiKey;
use storage::Ends;

use crate::content::Seen;
use crate::ledger::{Place, ProducerKey};
use crate::network::ConnectionId;
use crate::record::RecordId;

/// How a life of the node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// It was asked to stop, and closed its files.
    Clean,
    /// The process died; what it had written is there.
    Killed,
    /// The power went; of what was not synced any part may be there.
    PowerLost,
}

/// One log as its readers see it.
#[derive(Clone, Debug)]
pub struct LogState {
    /// Which partition.
    pub place: Place,
    /// Its topic's id.
    pub topic_id: TopicId,
    /// Its ends.
    pub ends: Ends,
    /// Its disk failed.
    pub offline: bool,
    /// All records from the log's start to its end, or what is wrong with them.
    pub records: Result<Vec<Seen>, String>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The node serves clients: what it found.
    Started {
        /// Every partition it hosts, in order.
        logs: Vec<LogState>,
        /// Every topic of its metadata, in order.
        topics: Vec<(String, TopicId)>,
        /// Partitions that lie in a directory which failed before they were found, in order.
        away: Vec<Place>,
    },
    /// The node could not start.
    StartFailed {
        /// Why.
        error: String,
        /// Whether the disk had been told to fail.
        disk_failed: bool,
    },
    /// The disk was told to fail from now on, in a way that its fault says.
    DiskFails,
    /// The node gave up by itself, as it does when its metadata log fails.
    Halted {
        /// Why.
        error: String,
        /// Whether the disk had been told to fail.
        disk_failed: bool,
    },
    /// The node is down. Not noted when it went down before it served anybody.
    Ended {
        /// How.
        ending: Ending,
        /// Every partition just before.
        logs: Vec<LogState>,
    },
    /// It went down while it was starting.
    EndedEarly(Ending),
    /// The ends of a log, after something was done to it.
    Ends(Place, TopicId, Ends),
    /// A client sent a request that will be answered.
    Asked(ConnectionId, i32, ApiKey),
    /// A client got an answer.
    Answered(ConnectionId, i32),
    /// A client sent a batch.
    Sent {
        /// Where to.
        place: Place,
        /// Its records, in order.
        records: Vec<RecordId>,
        /// The idempotent producer and the sequence of the first record.
        producer: Option<(ProducerKey, i32)>,
    },
    /// A client was told that its batch is in the log.
    Acked {
        /// The life of the node that said so.
        life: u64,
        /// Where.
        place: Place,
        /// The offset of its first record.
        base_offset: i64,
        /// Its records, in order.
        records: Vec<RecordId>,
    },
    /// A client was told something else than yes.
    Refused {
        /// Who.
        client: String,
        /// What was asked.
        api: ApiKey,
        /// The answer.
        code: ErrorCode,
    },
    /// A batch of an earlier life was sent again and is out of order now: a node that starts again knows of each producer
    /// only the last batch, because Kafka's snapshots keep no more. Not doubled, but the client cannot know.
    Forgotten(Place),
    /// A consumer got records, or learned the high watermark.
    Fetched {
        /// The life of the node that said so.
        life: u64,
        /// From where.
        place: Place,
        /// What it asked for.
        position: i64,
        /// The high watermark it was told.
        high_watermark: i64,
        /// What it got, or what is wrong with it.
        records: Result<Vec<Seen>, String>,
    },
    /// A client was told that a topic is there.
    TopicTold(String, TopicId),
    /// A client asks for a topic to be deleted.
    DeleteAsked(String),
    /// A client was told that it is.
    Deleted(String),
    /// A client got a producer id.
    ProducerId(i64, i16),
    /// The run's end was reached with nothing left to do for anybody: every partition then.
    Settled(Vec<LogState>),
    /// Nothing can happen any more, but somebody waits.
    Stuck(String),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { logs, topics, away } => {
                write!(f, "started with {} topics;", topics.len())?;
                put_logs(f, logs)?;
                away.iter().try_for_each(|place| write!(f, " {place} away;"))
            }
            Self::StartFailed { error, disk_failed } => write!(f, "start failed ({disk_failed}): {error}"),
            Self::DiskFails => f.write_str("the disk begins to fail"),
            Self::Halted { error, disk_failed } => write!(f, "halted ({disk_failed}): {error}"),
            Self::Ended { ending, logs } => {
                write!(f, "down ({ending:?});")?;
                put_logs(f, logs)
            }
            Self::EndedEarly(ending) => write!(f, "down while starting ({ending:?})"),
            Self::Ends(place, _, ends) => write!(f, "{place} is {}", Shown(ends)),
            Self::Asked(connection, correlation, api) => write!(f, "{connection} #{correlation} {api}"),
            Self::Answered(connection, correlation) => write!(f, "{connection} #{correlation} answered"),
            Self::Sent { place, records, producer } => {
                write!(f, "sent to {place}: {}", Range(records))?;
                match producer {
                    Some((key, sequence)) => write!(f, " by {key} from sequence {sequence}"),
                    None => Ok(()),
                }
            }
            Self::Acked { place, base_offset, records, .. } => {
                write!(f, "acked in {place} at {base_offset}: {}", Range(records))
            }
            Self::Forgotten(place) => write!(f, "a batch for {place} is not remembered after a restart"),
            Self::Refused { client, api, code } => write!(f, "{client}: {api} refused with {code}"),
            Self::Fetched { place, position, high_watermark, records, .. } => {
                write!(f, "fetched from {place} at {position}, high watermark {high_watermark}: ")?;
                match records {
                    Ok(records) => write!(f, "{} records", records.len()),
                    Err(error) => write!(f, "{error}"),
                }
            }
            Self::TopicTold(name, id) => write!(f, "topic {name} is there as {}", id.0),
            Self::DeleteAsked(name) => write!(f, "deletion of {name} asked for"),
            Self::Deleted(name) => write!(f, "topic {name} is deleted"),
            Self::ProducerId(id, epoch) => write!(f, "producer id {id} epoch {epoch}"),
            Self::Settled(logs) => {
                f.write_str("everybody is served;")?;
                put_logs(f, logs)
            }
            Self::Stuck(who) => write!(f, "stuck: {who}"),
        }
    }
}

fn put_logs(f: &mut fmt::Formatter<'_>, logs: &[LogState]) -> fmt::Result {
    for log in logs {
        write!(f, " {} {}", log.place, Shown(&log.ends))?;
        match &log.records {
            Ok(records) => write!(f, " ({} records)", records.len())?,
            Err(error) => write!(f, " ({error})")?,
        }
        if log.offline {
            f.write_str(" offline")?;
        }
        f.write_str(";")?;
    }
    Ok(())
}

/// Ends in the order start, durable, high watermark, end.
struct Shown<'a>(&'a Ends);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ends { log_start, durable_end, high_watermark, log_end, .. } = self.0;
        write!(f, "[{log_start} durable {durable_end} hw {high_watermark} end {log_end}]")
    }
}

/// Records of one batch: they have numbers in a row.
struct Range<'a>(&'a [RecordId]);

impl fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("nothing"),
            [only] => write!(f, "{only}"),
            [first, .., last] => write!(f, "{first}..{last}"),
        }
    }
}
