//! The two doors: a leader's, which gives offsets, and a follower's, which takes them.

use base::error_code::ErrorCode;
use base::ids::LeaderEpoch;
use base::time::{Now, WallTime};
use bytes::Bytes;
use wire::batch::{BATCH_HEADER_SIZE, Batch, BatchHeader, Batches, TimestampType};

use super::validate::{Validated, validate};
use super::{AppendRefusal, Appended, Origin, is_news, marker_of};
use crate::log::Log;
use crate::producers::{Marker, ProducerBatch};

impl Log {
    /// Validates one batch, gives it its offsets and queues it for the next [`Log::write_staged`]. No I/O, unless the
    /// segment is full and a new one must begin.
    ///
    /// # Errors
    /// The batch is not taken; nothing has changed.
    pub fn stage(
        &mut self,
        now: Now,
        leader_epoch: LeaderEpoch,
        batch: Bytes,
        origin: Origin,
    ) -> Result<Appended, AppendRefusal> {
        self.check_online()?;
        let valid = validate(&self.topic_partition, &self.config, now, &batch, origin)?;
        let Validated { mut header, payload } = valid;
        header.stamp(self.next_offset, leader_epoch);
        let last_offset = header.view().last_offset();
        if last_offset < self.next_offset || last_offset.0 == i64::MAX {
            return Err(AppendRefusal::because(
                ErrorCode::UNKNOWN_SERVER_ERROR,
                "the log has no more offsets",
            ));
        }
        let producer = producer_of(&header, &batch)?;
        if let Some(Producer::Data(batch)) = &producer
            && origin == Origin::Client
            && let Some(seen) = self.producers.duplicate(batch)
        {
            return Ok(Appended {
                first_offset: seen.base_offset(),
                last_offset: seen.last_offset,
                log_append_time: Some(WallTime(seen.timestamp)),
                log_start_offset: self.ends.log_start,
                duplicate: true,
            });
        }
        match &producer {
            Some(Producer::Data(batch)) => self.producers.check(batch, origin)?,
            Some(Producer::Marker(marker)) => self.producers.check_marker(marker)?,
            None => {}
        }
        self.make_room(now, &header)?;
        Ok(self.take(now, header, payload, producer))
    }

    /// The follower's door: batches whose offsets and epochs are set. Those of an epoch above `leader_epoch`, and all that
    /// follow, are left out: they come from a leader that this replica does not know yet. `None` if nothing was left.
    ///
    /// # Errors
    /// The batches are damaged or do not go on where the log ends; nothing has changed.
    pub fn stage_replicated(
        &mut self,
        now: Now,
        leader_epoch: LeaderEpoch,
        batches: Bytes,
    ) -> Result<Option<Appended>, AppendRefusal> {
        self.check_online()?;
        let sizes = self.check_replicated(leader_epoch, &batches)?;
        let mut appended: Option<Appended> = None;
        let mut position = 0;
        for size in sizes {
            let bytes = batches.slice(position..position + size);
            position += size;
            let header = Batch::parse(&bytes).expect("it was parsed before").header();
            let producer = producer_of(&header, &bytes)?;
            self.make_room(now, &header)?;
            let one = self.take(now, header, bytes.slice(BATCH_HEADER_SIZE..), producer);
            let first_offset = appended.map_or(one.first_offset, |all| all.first_offset);
            appended = Some(Appended { first_offset, ..one });
        }
        Ok(appended)
    }

    /// The sizes of the batches that may be taken. A last batch that was cut by the fetch's size limit is left out.
    fn check_replicated(
        &self,
        leader_epoch: LeaderEpoch,
        batches: &Bytes,
    ) -> Result<Vec<usize>, AppendRefusal> {
        let mut sizes = Vec::new();
        let mut next = self.next_offset;
        for batch in Batches::new(batches) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(tail) if tail.is_torn() => break,
                Err(tail) => {
                    return Err(AppendRefusal::because(ErrorCode::CORRUPT_MESSAGE, tail.to_string()));
                }
            };
            if batch.partition_leader_epoch() > leader_epoch {
                break;
            }
            if !batch.is_crc_valid() {
                let reason =
                    format!("checksum of the batch at offset {} does not match", batch.base_offset());
                return Err(AppendRefusal::because(ErrorCode::CORRUPT_MESSAGE, reason));
            }
            let (base, last) = (batch.base_offset(), batch.last_offset());
            if base < next || last < base || last.0 == i64::MAX {
                let reason = format!("batch [{base}, {last}] does not go on at {next}");
                return Err(AppendRefusal::because(ErrorCode::UNKNOWN_SERVER_ERROR, reason));
            }
            next = last.next();
            sizes.push(batch.size());
        }
        Ok(sizes)
    }

    /// Begins a new segment if the batch does not fit into this one.
    fn make_room(&mut self, now: Now, header: &BatchHeader) -> Result<(), AppendRefusal> {
        let view = header.view();
        let (base, last, size) = (view.base_offset(), view.last_offset(), view.size());
        if size > self.config.segment_bytes as usize {
            let reason = format!("batch of {size} bytes in segments of {}", self.config.segment_bytes);
            return Err(AppendRefusal::because(ErrorCode::RECORD_LIST_TOO_LARGE, reason));
        }
        if self.must_roll(now, size, view.max_timestamp(), last) {
            self.write_staged(now)?;
            self.roll_at(base, now)?;
        }
        Ok(())
    }

    /// Takes the batch: from here on the next one follows it.
    fn take(
        &mut self,
        now: Now,
        header: BatchHeader,
        payload: Bytes,
        producer: Option<Producer>,
    ) -> Appended {
        let view = header.view();
        let (first_offset, last_offset) = (view.base_offset(), view.last_offset());
        assert!(first_offset >= self.next_offset, "offsets never go back");
        let epoch = view.partition_leader_epoch();
        if is_news(self.latest_epoch, epoch) && self.reader.epochs().assign(epoch, first_offset) {
            self.latest_epoch = Some(epoch);
            self.epochs_changed = true;
        }
        let is_log_append = view.attributes().timestamp_type() == TimestampType::LogAppendTime;
        match producer {
            Some(Producer::Data(batch)) => self.producers.apply(&batch),
            Some(Producer::Marker(marker)) => {
                let completed = self.producers.apply_marker(&marker);
                self.staged.aborted.extend(completed.and_then(|completed| completed.aborted()));
            }
            None => self.producers.advance(last_offset.next()),
        }
        self.staged.push(header, payload);
        self.next_offset = last_offset.next();
        Appended {
            first_offset,
            last_offset,
            log_append_time: is_log_append.then_some(now.wall),
            log_start_offset: self.ends.log_start,
            duplicate: false,
        }
    }
}

/// What a batch is to its producer.
enum Producer {
    Data(ProducerBatch),
    Marker(Marker),
}

/// What the batch means to its producer's state.
fn producer_of(header: &BatchHeader, bytes: &Bytes) -> Result<Option<Producer>, AppendRefusal> {
    let view = header.view();
    if !view.has_producer_id() {
        return Ok(None);
    }
    if !view.attributes().is_control() {
        return Ok(ProducerBatch::of(&view).map(Producer::Data));
    }
    let marker =
        marker_of(bytes).map_err(|reason| AppendRefusal::because(ErrorCode::CORRUPT_MESSAGE, reason))?;
    // The bytes still have the offset that their writer gave; the header has the right one.
    Ok(marker.map(|marker| Producer::Marker(Marker { offset: view.base_offset(), ..marker })))
}
