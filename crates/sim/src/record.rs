//! Records that can be told apart: each has a number, and its bytes follow from it.
//!
//! ```text
//! value = number u64 | pattern, whose length and bytes follow from the number
//! ```
//! Invariant: a value that was damaged, mixed or made up is not the value of any number.

use std::fmt;

use bytes::Bytes;

use crate::random::mix;

/// The number of a record, given out in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub u64);

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl RecordId {
    /// Its bytes.
    pub fn value(self) -> Vec<u8> {
        let mut value = self.0.to_be_bytes().to_vec();
        let length = match mix(self.0 ^ 0x5eed) % 16 {
            // A batch is usually smaller than a sector of the disk, sometimes larger than four.
            0 => 600,
            long => long as usize * 5,
        };
        let mut word = self.0;
        while value.len() < length + 8 {
            word = mix(word.wrapping_add(0x9e37_79b9_7f4a_7c15));
            value.extend_from_slice(&word.to_be_bytes());
        }
        value
    }

    /// The record whose value this is; `None` if no record has such a value.
    pub fn of_value(value: Option<&Bytes>) -> Option<Self> {
        let value = value?;
        let id = Self(u64::from_be_bytes(*value.first_chunk()?));
        (id.value() == value[..]).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_value_is_a_record() {
        for id in (0..64).map(RecordId) {
            let value = id.value();
            assert_eq!(RecordId::of_value(Some(&value.clone().into())), Some(id));
            for place in [0, 7, value.len() - 1] {
                let mut damaged = value.clone();
                damaged[place] ^= 1;
                assert_eq!(RecordId::of_value(Some(&damaged.into())), None, "{id} at {place}");
            }
            assert_eq!(RecordId::of_value(Some(&value[..value.len() - 1].to_vec().into())), None);
        }
    }
}
