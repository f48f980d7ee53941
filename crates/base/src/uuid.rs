//! Kafka's UUID: 16 bytes big endian on the wire, URL-safe base64 without padding (22 characters) in text.

use std::fmt;
use std::str::FromStr;

/// A 128-bit id. Values whose high 64 bits are 0 and low 64 bits below 100 are reserved by Kafka.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid([u8; 16]);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// All bits 0: no id.
    pub const ZERO: Self = Self([0; 16]);
    /// The value 1: the metadata topic, or an unassigned directory.
    pub const ONE: Self = Self::from_u128(1);

    /// The id with this big-endian value.
    pub const fn from_u128(value: u128) -> Self {
        Self(value.to_be_bytes())
    }

    /// The value as one big-endian number.
    pub const fn as_u128(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// The id made of these 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes as they go on the wire.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether Kafka keeps this value for its own purposes, so that it must never be handed out.
    pub const fn is_reserved(self) -> bool {
        self.as_u128() < 100
    }

    /// A version-4 id from 128 random bits; `None` when Kafka would draw again: a reserved value, or one whose text
    /// starts with `-` and would look like an option on a command line.
    pub fn from_random(bits: u128) -> Option<Self> {
        const VERSION: u128 = 0xf << 76;
        const VARIANT: u128 = 0x3 << 62;
        let id = Self::from_u128((bits & !VERSION & !VARIANT) | (0x4 << 76) | (0x2 << 62));
        (!id.is_reserved() && !id.to_string().starts_with('-')).then_some(id)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 22 characters of 6 bits are 132 bits: the value stands left-aligned, the last 4 bits are 0.
        let value = self.as_u128();
        let mut text = [0u8; 22];
        for (index, character) in text.iter_mut().enumerate() {
            let shift = 122 - 6 * index as i32;
            let bits = if shift >= 0 { value >> shift } else { value << -shift };
            *character = ALPHABET[(bits & 0x3f) as usize];
        }
        f.pad(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a 22-character URL-safe base64 form of 16 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidUuid(pub String);

impl fmt::Display for InvalidUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not a UUID: expected 22 characters of URL-safe base64", self.0)
    }
}

impl std::error::Error for InvalidUuid {}

impl FromStr for Uuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Self, InvalidUuid> {
        let invalid = || InvalidUuid(text.to_owned());
        let digits = text.as_bytes();
        // Padding is accepted as Kafka's decoder does.
        let digits = digits.strip_suffix(b"==").unwrap_or(digits);
        if digits.len() != 22 {
            return Err(invalid());
        }
        let mut value: u128 = 0;
        for (index, digit) in digits.iter().enumerate() {
            let bits = ALPHABET.iter().position(|c| c == digit).ok_or_else(invalid)? as u128;
            value = if index == 21 { (value << 2) | (bits >> 4) } else { (value << 6) | bits };
        }
        Ok(Self::from_u128(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_agree_with_kafka() {
        let check = |value: u128, text: &str| {
            assert_eq!(Uuid::from_u128(value).to_string(), text);
            assert_eq!(text.parse::<Uuid>(), Ok(Uuid::from_u128(value)));
        };
        check(0, "AAAAAAAAAAAAAAAAAAAAAA");
        check(1, "AAAAAAAAAAAAAAAAAAAAAQ");
        check(u128::MAX, "_____________________w");
        check(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef, "ASNFZ4mrze8BI0VniavN7w");
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "A", "AAAAAAAAAAAAAAAAAAAAA!", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(text.parse::<Uuid>().is_err(), "{text}");
        }
    }

    #[test]
    fn random_ids_are_of_version_four_and_never_reserved() {
        let id = Uuid::from_random(0).expect("the version bits make it non-zero");
        assert!(!id.is_reserved());
        assert_eq!(id.as_bytes()[6] >> 4, 4);
        assert_eq!(id.as_bytes()[8] >> 6, 2);
        assert_eq!(Uuid::from_random(0x3e << 122), None, "text would start with '-'");
    }
}
