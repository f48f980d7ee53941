//! The attributes of a batch: two bytes of flags.
//!
//! ```text
//! bit   15 … 7     6                5        4               3               2 … 0
//!       unused     delete horizon   control  transactional   timestamp type  compression type
//! ```

use crate::compress::CompressionType;

/// The two bytes as they stand in the header; unused bits are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

/// What the timestamps of a batch's records mean (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// The producer's time, one per record.
    #[default]
    CreateTime,
    /// The broker's time of the append, one for the whole batch: its max timestamp.
    LogAppendTime,
}

const COMPRESSION: i16 = 0b111;
const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;

impl Attributes {
    /// The codec of the records, or its unknown id (5, 6 or 7).
    #[inline]
    pub fn compression(self) -> Result<CompressionType, u8> {
        CompressionType::from_id((self.0 & COMPRESSION) as u8)
    }

    /// Whether the records are compressed, by a known codec or not.
    #[inline]
    pub fn is_compressed(self) -> bool {
        self.0 & COMPRESSION != 0
    }

    /// What the timestamps mean.
    #[inline]
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME != 0 { TimestampType::LogAppendTime } else { TimestampType::CreateTime }
    }

    /// Whether the batch belongs to a transaction; its markers do too.
    #[inline]
    pub fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL != 0
    }

    /// Whether the records are control records, which consumers never see.
    #[inline]
    pub fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    /// Whether the base timestamp is a delete horizon (KIP-534): when compaction may drop the batch's tombstones.
    #[inline]
    pub fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON != 0
    }

    /// With this codec.
    pub fn with_compression(self, compression: CompressionType) -> Self {
        Self(self.0 & !COMPRESSION | i16::from(compression.id()))
    }

    /// With this meaning of the timestamps.
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(LOG_APPEND_TIME, timestamp_type == TimestampType::LogAppendTime)
    }

    /// As part of a transaction, or not.
    pub fn with_transactional(self, transactional: bool) -> Self {
        self.with(TRANSACTIONAL, transactional)
    }

    /// As a control batch, or not.
    pub fn with_control(self, control: bool) -> Self {
        self.with(CONTROL, control)
    }

    /// With the base timestamp meaning a delete horizon, or not.
    pub fn with_delete_horizon(self, delete_horizon: bool) -> Self {
        self.with(DELETE_HORIZON, delete_horizon)
    }

    fn with(self, flag: i16, set: bool) -> Self {
        Self(if set { self.0 | flag } else { self.0 & !flag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_is_its_own_bit() {
        let plain = Attributes::default();
        let check = |attributes: Attributes, expect: i16| {
            assert_eq!(attributes.0, expect);
            assert_eq!(attributes.with_compression(CompressionType::None).0 & 7, 0);
        };
        check(plain.with_compression(CompressionType::Zstd), 4);
        check(plain.with_timestamp_type(TimestampType::LogAppendTime), 8);
        check(plain.with_transactional(true), 16);
        check(plain.with_control(true), 32);
        check(plain.with_delete_horizon(true), 64);
        check(Attributes(-1).with_control(false), !32);
        assert_eq!(Attributes(5).compression(), Err(5));
        assert_eq!(Attributes(0x0b).compression(), Ok(CompressionType::Lz4));
    }
}
