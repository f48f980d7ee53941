//! The checks of single records, and the walk over a batch that stays as it is.

use base::error_code::ErrorCode;
use base::time::WallTime;

use super::{Accepted, AppendRules, RecordError, Refused, Scratch, conclude};
use crate::batch::{Batch, NO_TIMESTAMP, TimestampType};
use crate::record::{Reading, RecordCursor, RecordHead};

/// What the records of a batch were found to be, one by one.
pub(super) struct Checks<'a> {
    rules: &'a AppendRules<'a>,
    now: i64,
    /// Whether the batch says that its timestamps are times of appends, which no producer may.
    claims_append_time: bool,
    reading: Reading,
    count: i32,
    pub(super) max_timestamp: i64,
    pub(super) index_of_max_timestamp: i32,
    /// Whether offsets are 0, 1, 2 … as a producer must number them.
    in_order: bool,
    errors: Vec<RecordError>,
    /// Errors beyond this many are counted, but not described: no more are kept than the bytes of an uncompressed batch
    /// of this size could be wrong in, whatever a compressed one unfolds to.
    errors_limit: usize,
    error_count: usize,
    code: ErrorCode,
}

impl<'a> Checks<'a> {
    pub(super) fn new(
        batch: &Batch<'_>,
        rules: &'a AppendRules<'a>,
        now: WallTime,
        reading: Reading,
    ) -> Self {
        Self {
            rules,
            now: now.0,
            claims_append_time: batch.attributes().timestamp_type() == TimestampType::LogAppendTime,
            reading,
            count: 0,
            max_timestamp: NO_TIMESTAMP,
            index_of_max_timestamp: 0,
            in_order: true,
            errors: Vec::new(),
            errors_limit: batch.payload().len() / 16 + 16,
            error_count: 0,
            code: ErrorCode::INVALID_RECORD,
        }
    }

    /// The time of the append, if the topic's records have that.
    pub(super) fn log_append_time(&self) -> Option<i64> {
        (self.rules.timestamp_type == TimestampType::LogAppendTime).then_some(self.now)
    }

    /// Looks at the next record.
    #[inline]
    pub(super) fn record(&mut self, record: &RecordHead) {
        let index = self.count;
        self.count += 1;
        if record.timestamp > self.max_timestamp {
            (self.max_timestamp, self.index_of_max_timestamp) = (record.timestamp, index);
        }
        self.in_order &= record.offset.0 == i64::from(index);
        if self.rules.compacted && record.key_length.is_none() {
            self.missing_key(index);
        } else if self.rules.timestamp_type == TimestampType::CreateTime && record.timestamp != NO_TIMESTAMP {
            if !self.is_in_range(record.timestamp) {
                self.out_of_range(index, record);
            }
        } else if self.claims_append_time {
            self.append_time_claimed(index, record);
        }
    }

    /// Kafka's sums wrap, and so do these.
    fn is_in_range(&self, timestamp: i64) -> bool {
        let age = self.now.wrapping_sub(timestamp);
        age <= self.rules.timestamp_before_max_ms && age.wrapping_neg() <= self.rules.timestamp_after_max_ms
    }

    #[cold]
    fn missing_key(&mut self, batch_index: i32) {
        let AppendRules { topic, partition, .. } = self.rules;
        self.error(batch_index, || {
            format!(
                "Compacted topic cannot accept message without key in topic partition {topic}-{partition}"
            )
        });
    }

    #[cold]
    fn out_of_range(&mut self, batch_index: i32, record: &RecordHead) {
        self.code = ErrorCode::INVALID_TIMESTAMP;
        let first = self.now.wrapping_sub(self.rules.timestamp_before_max_ms);
        let last = self.now.wrapping_add(self.rules.timestamp_after_max_ms);
        self.error(batch_index, || {
            format!(
                "Timestamp {} of message with offset {} is out of range. The timestamp should be within [{first}, \
                 {last}]",
                record.timestamp, record.offset
            )
        });
    }

    #[cold]
    fn append_time_claimed(&mut self, batch_index: i32, record: &RecordHead) {
        self.code = ErrorCode::INVALID_TIMESTAMP;
        // The text names the class that Kafka reads such a batch with.
        let class = match self.reading {
            Reading::Strict => "DefaultRecord",
            Reading::Lenient => "PartialDefaultRecord",
        };
        let length = |length: Option<u32>| length.map_or(-1, i64::from);
        self.error(batch_index, || {
            format!(
                "Invalid timestamp type in message {class}(offset={}, timestamp={}, key={} bytes, value={} bytes). \
                 Producer should not set timestamp type to LogAppendTime.",
                record.offset,
                record.timestamp,
                length(record.key_length),
                length(record.value_length)
            )
        });
    }

    fn error(&mut self, batch_index: i32, message: impl FnOnce() -> String) {
        self.error_count += 1;
        if self.errors.len() < self.errors_limit {
            self.errors.push(RecordError { batch_index, message: message() });
        }
    }

    /// The refusal, if any record was wrong.
    pub(super) fn errors(&mut self) -> Result<(), Box<Refused>> {
        if self.error_count == 0 {
            return Ok(());
        }
        let message = if self.code == ErrorCode::INVALID_TIMESTAMP {
            "One or more records have been rejected due to invalid timestamp".to_owned()
        } else {
            let first: Vec<String> = self.errors.iter().take(3).map(describe).collect();
            format!(
                "One or more records have been rejected due to {} record errors in total, and only showing the first \
                 three errors at most: [{}]",
                self.error_count,
                first.join(", ")
            )
        };
        let record_errors = std::mem::take(&mut self.errors);
        Err(Box::new(Refused { message: Some(message), record_errors, ..*Refused::of(self.code) }))
    }
}

fn describe(error: &RecordError) -> String {
    format!("RecordError(batchIndex={}, message='{}')", error.batch_index, error.message)
}

/// Looks at all records of a batch whose payload is kept.
pub(super) fn walk(
    batch: &Batch<'_>,
    rules: &AppendRules<'_>,
    now: WallTime,
    scratch: &mut Scratch,
) -> Result<Accepted, Box<Refused>> {
    let compressed = batch.attributes().is_compressed();
    let reading = if compressed { Reading::Lenient } else { Reading::Strict };
    let unreadable = |error| Refused::unreadable(error, compressed);
    let mut checks = Checks::new(batch, rules, now, reading);
    for record in RecordCursor::new(batch, reading, &mut scratch.decompressors).map_err(unreadable)? {
        checks.record(&record.map_err(unreadable)?);
    }
    checks.errors()?;
    if compressed && !checks.in_order {
        // Kafka sets out to rewrite such a batch, but has skipped the keys and values by then, and gives up.
        return Err(Refused::of(ErrorCode::UNKNOWN_SERVER_ERROR));
    }
    keep(batch, checks)
}

/// Believes the header: its max timestamp is checked as if it were that of a record.
pub(super) fn trust_header(
    batch: &Batch<'_>,
    rules: &AppendRules<'_>,
    now: WallTime,
) -> Result<Accepted, Box<Refused>> {
    let mut checks = Checks::new(batch, rules, now, Reading::Lenient);
    checks.record(&RecordHead {
        offset: batch.base_offset(),
        timestamp: batch.max_timestamp(),
        key_length: Some(0),
        value_length: Some(0),
        header_count: 0,
    });
    checks.errors()?;
    checks.index_of_max_timestamp = batch.last_offset_delta();
    keep(batch, checks)
}

fn keep(batch: &Batch<'_>, checks: Checks<'_>) -> Result<Accepted, Box<Refused>> {
    let mut header = batch.header();
    let max_timestamp = checks.log_append_time().unwrap_or(checks.max_timestamp);
    header.set_max_timestamp(checks.rules.timestamp_type, max_timestamp);
    conclude(header, None, checks)
}
