//! The batches of the metadata log and of snapshots, read one after the other.

use base::ids::{LeaderEpoch, Offset};
use base::time::WallTime;
use bytes::Bytes;
use wire::batch::Batch;
use wire::compress::Decompressors;
use wire::record::Records;

use crate::control::ControlRecord;
use crate::error::Error;

/// The most bytes that a compressed batch may hold. Kafka writes none, but reads them.
const DECOMPRESSED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One batch.
#[derive(Clone, Debug, PartialEq)]
pub struct LogBatch {
    /// The offset of its first record.
    pub base: Offset,
    /// One past its last record.
    pub end: Offset,
    /// The epoch of the leader that wrote it.
    pub epoch: LeaderEpoch,
    /// The latest time of its records.
    pub timestamp: WallTime,
    /// Its bytes in the log.
    pub size: usize,
    /// What it holds.
    pub content: Content,
}

/// What a batch holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Control records of the quorum.
    Control(Vec<(Offset, ControlRecord)>),
    /// Values of data records.
    Data(Vec<(Offset, Bytes)>),
}

/// The batches in these bytes, which begin with one. Ends with the bytes, or at the first error.
pub struct LogBatches {
    bytes: Bytes,
    decompressors: Decompressors,
}

impl LogBatches {
    /// The batches of `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes, decompressors: Decompressors::new() }
    }

    fn read(&mut self) -> Result<LogBatch, Error> {
        let damaged = |reason: String| Error::Batch { position: self.bytes.len(), reason };
        let batch = Batch::parse(&self.bytes).map_err(|error| damaged(error.to_string()))?;
        if !batch.is_crc_valid() {
            return Err(damaged("wrong checksum".to_owned()));
        }
        let records = Records::new(&self.bytes, &mut self.decompressors, DECOMPRESSED_BYTES_MAX);
        let mut records = records.map_err(|error| damaged(error.to_string()))?;
        let content = if batch.attributes().is_control() {
            let mut control = Vec::new();
            for record in &mut records {
                let record = record.map_err(|error| damaged(error.to_string()))?;
                control.push((record.offset, ControlRecord::decode(record.key, record.value)?));
            }
            Content::Control(control)
        } else {
            let values = records.map(|record| record.map(|one| (one.offset, one.value.unwrap_or_default())));
            Content::Data(values.collect::<Result<_, _>>().map_err(|error| damaged(error.to_string()))?)
        };
        Ok(LogBatch {
            base: batch.base_offset(),
            end: batch.next_offset(),
            epoch: batch.partition_leader_epoch(),
            timestamp: WallTime(batch.max_timestamp()),
            size: batch.size(),
            content,
        })
    }
}

impl Iterator for LogBatches {
    type Item = Result<LogBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let item = self.read();
        match &item {
            Ok(batch) => bytes::Buf::advance(&mut self.bytes, batch.size),
            Err(_) => self.bytes.clear(),
        }
        Some(item)
    }
}
