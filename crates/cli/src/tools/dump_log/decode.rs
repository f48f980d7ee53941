//! Keys and values as text.

mod control;
mod coordinator;
mod framed;

use bytes::Bytes;
use protocol::coordinator_record::CoordinatorLog;
use protocol::json::base64;
use wire::record::Record;

use crate::failure::{Failure, Result, failed};
use crate::flags::Arguments;

pub(super) use control::control;

/// How keys and values become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoder {
    /// Each on its own.
    Plain { key: Class, value: Class },
    /// Records of a coordinator.
    Coordinator(CoordinatorLog),
    /// Values are records of the metadata log.
    ClusterMetadata,
    /// Values are records about segments in remote storage.
    RemoteLogMetadata,
}

/// The classes that Apache Kafka brings for bytes that stand on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    String,
    Integer,
    Long,
    /// The bytes as they are, in base64. (Apache Kafka prints where they are in its memory.)
    Default,
}

/// The flags that name a decoder, and what they stand for; when there are several, the first here counts.
const FLAGS: [(&str, Decoder); 5] = [
    ("offsets-decoder", Decoder::Coordinator(CoordinatorLog::Group)),
    ("transaction-log-decoder", Decoder::Coordinator(CoordinatorLog::Transaction)),
    ("cluster-metadata-decoder", Decoder::ClusterMetadata),
    ("remote-log-metadata-decoder", Decoder::RemoteLogMetadata),
    ("share-group-state-decoder", Decoder::Coordinator(CoordinatorLog::Share)),
];

impl Decoder {
    /// The one that the flags ask for; nothing when keys and values are not to be printed.
    ///
    /// # Errors
    /// An unknown class.
    pub(super) fn of(arguments: &Arguments) -> Result<Option<Self>> {
        if let Some((_, decoder)) = FLAGS.iter().find(|(flag, _)| arguments.has(flag)) {
            return Ok(Some(*decoder));
        }
        let classes = ["key-decoder-class", "value-decoder-class"];
        if !arguments.has("print-data-log") && !classes.iter().any(|flag| arguments.has(flag)) {
            return Ok(None);
        }
        let class = |flag: &str| arguments.get(flag).map_or(Ok(Class::String), Class::named);
        Ok(Some(Self::Plain { key: class(classes[0])?, value: class(classes[1])? }))
    }

    /// Key and value; nothing for what is not there. What is no such record is told in the place of one of them.
    ///
    /// # Errors
    /// The dump cannot go on.
    pub(super) fn decode(self, record: &Record) -> Result<(Option<String>, Option<String>)> {
        let offset = record.offset;
        match self {
            Self::Plain { key, value } => {
                let text = |class: Class, bytes: &Option<Bytes>| {
                    bytes.as_ref().map(|bytes| class.text(bytes)).transpose()
                };
                Ok((text(key, &record.key)?, text(value, &record.value)?))
            }
            Self::Coordinator(log) => {
                let Some(key) = record.key.clone() else {
                    return failed(format!(
                        "Failed to decode message at offset {offset} using the specified decoder (message had a missing \
                         key)"
                    ));
                };
                Ok(match coordinator::json(log, key, record.value.clone()) {
                    Ok((key, value)) => (Some(key), Some(value)),
                    Err(error) => (Some(error.at(offset)), None),
                })
            }
            Self::ClusterMetadata => {
                let json = framed::cluster_metadata(record.value.clone());
                Ok((None, Some(json.unwrap_or_else(|why| format!("Error at {offset}, skipping. {why}")))))
            }
            Self::RemoteLogMetadata => {
                let text = framed::remote_log_metadata(record.value.clone());
                let error = |why| format!("Error at offset {offset}, skipping. {why}");
                Ok((None, Some(text.unwrap_or_else(error))))
            }
        }
    }
}

impl Class {
    const NAMES: [(&str, Self); 4] = [
        ("org.apache.kafka.tools.api.StringDecoder", Self::String),
        ("org.apache.kafka.tools.api.IntegerDecoder", Self::Integer),
        ("org.apache.kafka.tools.api.LongDecoder", Self::Long),
        ("org.apache.kafka.tools.api.DefaultDecoder", Self::Default),
    ];

    fn named(name: &str) -> Result<Self> {
        match Self::NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, class)) => Ok(*class),
            None => {
                let names = Self::NAMES.map(|(name, _)| name).join(", ");
                failed(format!("Failed to load decoder class {name}; there are: {names}"))
            }
        }
    }

    /// Numbers may have more bytes than they need, and not fewer.
    fn text(self, bytes: &Bytes) -> Result<String> {
        let short = || Failure::Error(format!("A number cannot be read from {} bytes", bytes.len()));
        Ok(match self {
            Self::String => String::from_utf8_lossy(bytes).into_owned(),
            Self::Integer => i32::from_be_bytes(*bytes.first_chunk().ok_or_else(short)?).to_string(),
            Self::Long => i64::from_be_bytes(*bytes.first_chunk().ok_or_else(short)?).to_string(),
            Self::Default => base64::encode(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_kafkas_names() {
        let check = |name: &str, bytes: &'static [u8], expect: std::result::Result<&str, &str>| {
            let text = Class::named(&format!("org.apache.kafka.tools.api.{name}"))
                .and_then(|class| class.text(&Bytes::from_static(bytes)));
            match (text, expect) {
                (Ok(text), expect) => assert_eq!(Ok(text.as_str()), expect, "{name}"),
                (Err(Failure::Error(text)), Err(expect)) => {
                    assert!(text.starts_with(expect), "{name}: {text}")
                }
                (happened, expect) => panic!("{happened:?} instead of {expect:?}"),
            }
        };
        check("StringDecoder", b"a\xff", Ok("a\u{fffd}"));
        check("IntegerDecoder", &[0, 0, 0, 42, 9], Ok("42"));
        check("IntegerDecoder", &[0, 3], Err("A number cannot be read from 2 bytes"));
        check("LongDecoder", &[0xff; 8], Ok("-1"));
        check("LongDecoder", b"", Err("A number cannot be read from 0 bytes"));
        check("DefaultDecoder", &[1, 2, 255], Ok("AQL/"));
        check("ByteArrayDecoder", b"", Err("Failed to load decoder class org.apache"));
    }
}
