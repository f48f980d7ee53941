//! Writing a batch anew, because the topic asks for another codec: offsets become 0, 1, 2 …
//!
//! Records stream from the old codec into the new one. What is held at any time is the read-ahead, the codecs' own
//! windows, and output up to the greatest batch that the topic takes.

use base::error_code::ErrorCode;
use base::time::WallTime;

use super::records::Checks;
use super::{Accepted, AppendRules, Refused, Scratch, conclude};
use crate::batch::{Attributes, BATCH_HEADER_SIZE, Batch, BatchHeader, NO_TIMESTAMP, TimestampType};
use crate::compress::{Compression, Compressor};
use crate::record::{
    AnySource, Clock, Reading, RecordHead, RecordsError, Source, expect_end, read_body, read_prefix,
};
use crate::varint::{put_varint, put_varlong, varint_size, varlong_size};

pub(super) fn rewrite(
    batch: &Batch<'_>,
    rules: &AppendRules<'_>,
    now: WallTime,
    target: Compression,
    scratch: &mut Scratch,
) -> Result<Accepted, Box<Refused>> {
    let compressed = batch.attributes().is_compressed();
    let unreadable = |error| Refused::unreadable(error, compressed);
    let mut checks = Checks::new(batch, rules, now, Reading::Strict);
    let mut payload = Vec::new();
    let limit = rules.max_message_bytes.saturating_sub(BATCH_HEADER_SIZE);
    let compressor = scratch.compressors.start(target, None, &mut payload);
    let mut rewriter = Rewriter {
        clock: Clock::of(batch),
        base_timestamp: NO_TIMESTAMP,
        sink: Sink { compressor, out: &mut payload, pending: Vec::new(), limit, is_over: false },
    };
    let source = AnySource::new(batch, &mut scratch.decompressors).map_err(unreadable)?;
    let count = batch.record_count();
    match source {
        AnySource::Memory(mut source) => rewriter.records(&mut source, count, &mut checks),
        AnySource::Stream(mut source) => rewriter.records(&mut source, count, &mut checks),
    }
    .map_err(unreadable)?;
    checks.errors()?;
    let base_timestamp = rewriter.base_timestamp;
    if !rewriter.sink.finish() {
        return Err(Refused::without_log_start(ErrorCode::MESSAGE_TOO_LARGE));
    }
    let header = header(batch, rules.timestamp_type, target, base_timestamp, &checks, &payload);
    conclude(header, Some(payload), checks)
}

/// Flags that have no meaning in a client's batch are not carried over.
fn header(
    batch: &Batch<'_>,
    timestamp_type: TimestampType,
    target: Compression,
    base_timestamp: i64,
    checks: &Checks<'_>,
    payload: &[u8],
) -> BatchHeader {
    let attributes = Attributes::default()
        .with_compression(target.compression_type())
        .with_timestamp_type(timestamp_type)
        .with_transactional(batch.attributes().is_transactional());
    let mut header = batch.header();
    let max_timestamp = checks.log_append_time().unwrap_or(checks.max_timestamp);
    header.describe(attributes, base_timestamp, max_timestamp, payload);
    header
}

struct Rewriter<'o, 'c> {
    clock: Clock,
    base_timestamp: i64,
    sink: Sink<'o, 'c>,
}

impl Rewriter<'_, '_> {
    fn records(
        &mut self,
        source: &mut impl Source,
        count: i32,
        checks: &mut Checks<'_>,
    ) -> Result<(), RecordsError> {
        for index in 0..count {
            checks.record(&self.record(source, index)?);
        }
        expect_end(source)
    }

    /// Reads one record and writes it with its new offset and timestamp deltas. The bytes from the key on are copied.
    fn record(&mut self, source: &mut impl Source, index: i32) -> Result<RecordHead, RecordsError> {
        let prefix = read_prefix(source, Reading::Strict)?;
        let timestamp = self.clock.timestamp(prefix.timestamp_delta);
        if index == 0 {
            self.base_timestamp = timestamp;
        }
        let delta = timestamp.wrapping_sub(self.base_timestamp);
        // Negative when the prefix alone is longer than promised, which the body's reading finds out.
        let rest = i64::from(prefix.length) - (source.position() - prefix.start) as i64;
        let length = (1 + varlong_size(delta) + varint_size(index)) as i64 + rest;
        let mut head = Vec::with_capacity(24);
        put_varint(&mut head, i32::try_from(length).unwrap_or(i32::MAX));
        head.push(0);
        put_varlong(&mut head, delta);
        put_varint(&mut head, index);
        self.sink.write(&head);
        let mut tee = Tee { source, sink: &mut self.sink };
        let body = read_body(&mut tee, Reading::Strict, &prefix, &mut ())?;
        Ok(self.clock.head(&prefix, &body))
    }
}

/// A source whose bytes go into the new batch as they are passed over.
struct Tee<'s, 'o, 'c, S> {
    source: &'s mut S,
    sink: &'s mut Sink<'o, 'c>,
}

impl<S: Source> Source for Tee<'_, '_, '_, S> {
    fn ahead(&mut self) -> Result<&[u8], RecordsError> {
        self.source.ahead()
    }

    fn advance(&mut self, count: usize) {
        let ahead = self.source.ahead().expect("what was shown is still there");
        self.sink.write(&ahead[..count]);
        self.source.advance(count);
    }

    fn position(&self) -> u64 {
        self.source.position()
    }
}

/// The new batch's payload. Stops growing above the limit, while the records are still checked.
struct Sink<'o, 'c> {
    compressor: Compressor<'c>,
    out: &'o mut Vec<u8>,
    /// Gathers small writes, which are dear for compressors.
    pending: Vec<u8>,
    limit: usize,
    is_over: bool,
}

impl Sink<'_, '_> {
    const GATHERED: usize = 4 * 1024;

    fn write(&mut self, bytes: &[u8]) {
        if self.is_over {
            return;
        }
        if self.pending.len() + bytes.len() <= Self::GATHERED {
            self.pending.extend_from_slice(bytes);
            return;
        }
        self.compressor.write(&self.pending, self.out);
        self.pending.clear();
        self.compressor.write(bytes, self.out);
        self.is_over = self.out.len() > self.limit;
    }

    /// False when there is more than the limit.
    fn finish(mut self) -> bool {
        if !self.is_over {
            self.compressor.write(&self.pending, self.out);
            self.pending.clear();
            self.compressor.finish(self.out);
            self.is_over = self.out.len() > self.limit;
        }
        !self.is_over
    }
}
