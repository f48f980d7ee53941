//! Batches of formats 0 and 1, which old logs still hold.
//!
//! They have no delete horizon: a tombstone stays as long as its segment's file was written not long enough before the
//! last compacted one. A wrapper that loses some of its messages is written anew as a batch of magic 2 with the same
//! codec: neither Apache Kafka since 4.0 nor this writes the old formats.

use base::ids::Offset;
use bytes::Bytes;
use wire::batch::{Attributes, Batch, TimestampType};
use wire::builder::BatchBuilder;
use wire::compress::{Compression, Decompressors};
use wire::legacy::{LegacyEntry, LegacyMessage};
use wire::rebuild::emptied;

use super::{Filter, Kept, RECORDS_BYTES_MAX};

/// Where the attributes stand.
const ATTRIBUTES: usize = 17;

impl Filter<'_> {
    pub(super) fn keep_legacy(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Kept, String> {
        let (entry, messages) = messages_of(bytes, &mut self.decompressors)?;
        let count = messages.len();
        let stay = self.legacy_tombstones_stay;
        let kept: Vec<LegacyMessage> = messages
            .into_iter()
            .filter(|it| self.stays(it.offset, it.key.as_deref(), it.value.is_some() || stay))
            .collect();
        if kept.len() == count {
            return Ok(Kept::Whole);
        }
        if kept.is_empty() && entry.offset().next() != self.limit {
            return Ok(Kept::Nothing);
        }
        let compression = Attributes(i16::from(bytes[ATTRIBUTES])).compression();
        let compression = compression.map_err(|id| format!("unknown compression type id: {id}"))?;
        let base = kept.first().map_or(entry.offset(), |first| first.offset);
        let mut builder = BatchBuilder::new(Compression::with_default_level(compression)).base_offset(base);
        if entry.timestamp_type() == Some(TimestampType::LogAppendTime) {
            builder = builder.log_append_time(entry.timestamp());
        }
        for message in &kept {
            let delta = i32::try_from(message.offset.0 - base.0).map_err(|_| "offsets too far apart")?;
            builder.append_at(
                delta,
                message.timestamp,
                message.key.as_deref(),
                message.value.as_deref(),
                &[],
            );
        }
        if kept.is_empty() {
            out.extend_from_slice(&header_alone(builder, entry.timestamp()));
        } else {
            out.extend_from_slice(&builder.finish_with(&mut self.compressors));
        }
        Ok(Kept::Changed)
    }
}

/// Keeps the last offset of the range alone.
fn header_alone(mut builder: BatchBuilder, timestamp: i64) -> Vec<u8> {
    builder.append(timestamp, None, None, &[]);
    let bytes = builder.finish();
    emptied(&Batch::parse(&bytes).expect("it was built just now"))
}

/// The entry with its messages.
pub(crate) fn messages_of(
    bytes: &[u8],
    decompressors: &mut Decompressors,
) -> Result<(LegacyEntry, Vec<LegacyMessage>), String> {
    let entry = LegacyEntry::parse(&Bytes::copy_from_slice(bytes)).map_err(|error| error.to_string())?;
    let messages = entry.messages(decompressors, RECORDS_BYTES_MAX).map_err(|error| error.to_string())?;
    let messages: Vec<LegacyMessage> =
        messages.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    let ascend = messages.is_sorted_by(|one, next| one.offset < next.offset);
    let fits = messages.last().is_none_or(|last| last.offset <= entry.offset());
    if !ascend || !fits || messages.first().is_some_and(|first| first.offset < Offset::ZERO) {
        return Err("offsets of messages do not ascend".into());
    }
    Ok((entry, messages))
}
