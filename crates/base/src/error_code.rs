//! Error codes of the protocol.
//!
//! The constants and their texts come from `defs/errors.def`. The type is open: a code that this version does not know
//! passes through unchanged, because a newer peer may send one.

use std::fmt;

/// An error code as it stands in answers; 0 is no error.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// Kafka's name, such as `NOT_LEADER_OR_FOLLOWER`; nothing for a code this version does not know.
    pub fn name(self) -> Option<&'static str> {
        self.row().map(|row| row.name)
    }

    /// Whether a client may send the same request again. Unknown codes are not retriable.
    pub fn retriable(self) -> bool {
        self.row().is_some_and(|row| row.retriable)
    }

    /// The text that stands for this code where nobody has a better one. Unknown codes share one text.
    pub fn message(self) -> &'static str {
        self.row().map_or(UNKNOWN_TEXT, |row| row.message)
    }

    /// Whether this is [`ErrorCode::NONE`].
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// The code with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| Self(row.code))
    }

    /// All known codes, lowest first.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| Self(row.code))
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.binary_search_by_key(&self.0, |row| row.code).ok().map(|place| &TABLE[place])
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}({})", self.0)
    }
}

impl From<i16> for ErrorCode {
    fn from(code: i16) -> Self {
        Self(code)
    }
}

impl From<ErrorCode> for i16 {
    fn from(code: ErrorCode) -> Self {
        code.0
    }
}

const UNKNOWN_TEXT: &str = "The error code is not known here.";

/// One line of `defs/errors.def`.
struct Row {
    code: i16,
    name: &'static str,
    retriable: bool,
    message: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/error_codes.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_from_minus_one_to_133_is_known_once() {
        let codes: Vec<i16> = ErrorCode::all().map(i16::from).collect();
        assert_eq!(codes, (-1..=133).collect::<Vec<_>>());
        for code in ErrorCode::all() {
            let name = code.name().unwrap();
            assert_eq!(ErrorCode::by_name(name), Some(code));
            assert!(!code.message().is_empty(), "{name}");
        }
    }

    #[test]
    fn a_code_says_what_it_is() {
        let check = |code: ErrorCode, text: &str, retriable: bool| {
            assert_eq!((format!("{code:?}").as_str(), code.retriable()), (text, retriable));
        };
        check(ErrorCode::UNKNOWN_SERVER_ERROR, "UNKNOWN_SERVER_ERROR(-1)", false);
        check(ErrorCode::NONE, "NONE(0)", false);
        check(ErrorCode::NOT_LEADER_OR_FOLLOWER, "NOT_LEADER_OR_FOLLOWER(6)", true);
        check(ErrorCode(9999), "error 9999(9999)", false);
        assert_eq!(ErrorCode::REQUEST_TIMED_OUT.message(), "The request timed out.");
    }
}
