//! Records as text: the columns of Kafka's console consumer. Pure.

use bytes::Bytes;
use client::ConsumerRecord;
use client::record::TimestampType;

use crate::failure::{Failure, Result, failed};

/// How records are printed.
#[derive(Clone, Debug)]
pub(super) enum Formatter {
    /// Columns (`DefaultMessageFormatter`).
    Columns(Box<Columns>),
    /// A sentence per record (`LoggingMessageFormatter`): like the columns, but with names.
    Logging,
    /// Nothing (`NoOpMessageFormatter`).
    Nothing,
}

/// Which columns there are, and what stands between them (`--formatter-property`).
#[derive(Clone, Debug)]
pub(super) struct Columns {
    timestamp: bool,
    key: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    partition: bool,
    headers: bool,
    value: bool,
    key_separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null: Vec<u8>,
    key_as: Deserializer,
    value_as: Deserializer,
    header_as: Deserializer,
}

/// How bytes become text, by the last word of a Java class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deserializer {
    /// As they are.
    Bytes,
    Integer,
    Long,
    Short,
    Float,
    Double,
    Boolean,
    Uuid,
    Void,
}

impl Deserializer {
    fn by_class(class: &str) -> Result<Self> {
        let name = class.rsplit('.').next().unwrap_or(class);
        Ok(match name.strip_suffix("Deserializer").unwrap_or(name) {
            "String" | "ByteArray" | "Bytes" | "ByteBuffer" => Self::Bytes,
            "Integer" => Self::Integer,
            "Long" => Self::Long,
            "Short" => Self::Short,
            "Float" => Self::Float,
            "Double" => Self::Double,
            "Boolean" => Self::Boolean,
            "UUID" => Self::Uuid,
            "Void" => Self::Void,
            _ => return failed(format!("The deserializer {class} is not supported.")),
        })
    }

    fn append(self, bytes: &Bytes, out: &mut Vec<u8>) -> Result<()> {
        let wrong = || {
            let size = bytes.len();
            Failure::Error(format!(
                "Size of data received by {self:?}Deserializer is not right: {size} bytes"
            ))
        };
        let text = match self {
            Self::Bytes => {
                out.extend_from_slice(bytes);
                return Ok(());
            }
            Self::Integer => i32::from_be_bytes(sized(bytes).ok_or_else(wrong)?).to_string(),
            Self::Long => i64::from_be_bytes(sized(bytes).ok_or_else(wrong)?).to_string(),
            Self::Short => i16::from_be_bytes(sized(bytes).ok_or_else(wrong)?).to_string(),
            Self::Float => format!("{:?}", f32::from_be_bytes(sized(bytes).ok_or_else(wrong)?)),
            Self::Double => format!("{:?}", f64::from_be_bytes(sized(bytes).ok_or_else(wrong)?)),
            Self::Boolean => (u8::from_be_bytes(sized(bytes).ok_or_else(wrong)?) != 0).to_string(),
            Self::Uuid => String::from_utf8_lossy(bytes).into_owned(),
            Self::Void => String::new(),
        };
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

fn sized<const SIZE: usize>(bytes: &Bytes) -> Option<[u8; SIZE]> {
    bytes[..].try_into().ok()
}

impl Formatter {
    /// The formatter of a class's name.
    ///
    /// # Errors
    /// Classes and deserializers that are not here.
    pub(super) fn new(class: &str, properties: &[(String, String)]) -> Result<Self> {
        match class.rsplit('.').next().unwrap_or(class) {
            "DefaultMessageFormatter" => Ok(Self::Columns(Box::new(Columns::new(properties)?))),
            "LoggingMessageFormatter" => Ok(Self::Logging),
            "NoOpMessageFormatter" => Ok(Self::Nothing),
            _ => failed(format!("The formatter {class} is not supported.")),
        }
    }

    /// Appends the record's text.
    ///
    /// # Errors
    /// Bytes that the deserializer does not take.
    pub(super) fn append(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Columns(columns) => columns.append(record, out),
            Self::Logging => {
                let text = |bytes: &Option<Bytes>| match bytes {
                    Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    None => "null".to_owned(),
                };
                let (time, key, value) = (timestamp(record), text(&record.key), text(&record.value));
                out.extend_from_slice(format!("{time}, key:{key}, value:{value}\n").as_bytes());
                Ok(())
            }
            Self::Nothing => Ok(()),
        }
    }
}

impl Columns {
    fn new(properties: &[(String, String)]) -> Result<Self> {
        let mut columns = Self {
            timestamp: false,
            key: false,
            offset: false,
            delivery: false,
            epoch: false,
            partition: false,
            headers: false,
            value: true,
            key_separator: b"\t".to_vec(),
            line_separator: b"\n".to_vec(),
            headers_separator: b",".to_vec(),
            null: b"null".to_vec(),
            key_as: Deserializer::Bytes,
            value_as: Deserializer::Bytes,
            header_as: Deserializer::Bytes,
        };
        for (name, value) in properties {
            let truth = value.trim().eq_ignore_ascii_case("true");
            let bytes = value.as_bytes().to_vec();
            match name.as_str() {
                "print.timestamp" => columns.timestamp = truth,
                "print.key" => columns.key = truth,
                "print.offset" => columns.offset = truth,
                "print.delivery" => columns.delivery = truth,
                "print.epoch" => columns.epoch = truth,
                "print.partition" => columns.partition = truth,
                "print.headers" => columns.headers = truth,
                "print.value" => columns.value = truth,
                "key.separator" => columns.key_separator = bytes,
                "line.separator" => columns.line_separator = bytes,
                "headers.separator" => columns.headers_separator = bytes,
                "null.literal" => columns.null = bytes,
                "key.deserializer" => columns.key_as = Deserializer::by_class(value)?,
                "value.deserializer" => columns.value_as = Deserializer::by_class(value)?,
                "headers.deserializer" | "header.deserializer" => {
                    columns.header_as = Deserializer::by_class(value)?;
                }
                // Other formatters' properties.
                _ => {}
            }
        }
        Ok(columns)
    }

    fn append(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let column = |out: &mut Vec<u8>, text: &str| {
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(&self.key_separator);
        };
        if self.timestamp {
            column(out, &timestamp(record));
        }
        if self.partition {
            column(out, &format!("Partition:{}", record.partition));
        }
        if self.offset {
            column(out, &format!("Offset:{}", record.offset));
        }
        if self.delivery {
            column(out, "Delivery:NOT_PRESENT");
        }
        if self.epoch {
            column(out, "Epoch:NOT_PRESENT");
        }
        if self.headers {
            self.append_headers(record, out)?;
            out.extend_from_slice(&self.key_separator);
        }
        if self.key {
            self.append_field(record.key.as_ref(), self.key_as, out)?;
            out.extend_from_slice(&self.key_separator);
        }
        if self.value {
            self.append_field(record.value.as_ref(), self.value_as, out)?;
        } else if out.len() > start {
            // No separator after the last column.
            out.truncate(out.len() - self.key_separator.len());
        }
        out.extend_from_slice(&self.line_separator);
        Ok(())
    }

    fn append_headers(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<()> {
        if record.headers.is_empty() {
            out.extend_from_slice(b"NO_HEADERS");
        }
        for (place, header) in record.headers.iter().enumerate() {
            if place > 0 {
                out.extend_from_slice(&self.headers_separator);
            }
            out.extend_from_slice(&header.key);
            out.push(b':');
            self.append_field(header.value.as_ref(), self.header_as, out)?;
        }
        Ok(())
    }

    fn append_field(&self, field: Option<&Bytes>, as_type: Deserializer, out: &mut Vec<u8>) -> Result<()> {
        match field {
            Some(bytes) => as_type.append(bytes, out),
            None => {
                out.extend_from_slice(&self.null);
                Ok(())
            }
        }
    }
}

fn timestamp(record: &ConsumerRecord) -> String {
    match record.timestamp_type {
        _ if record.timestamp < 0 => "NO_TIMESTAMP".to_owned(),
        TimestampType::CreateTime => format!("CreateTime:{}", record.timestamp),
        TimestampType::LogAppendTime => format!("LogAppendTime:{}", record.timestamp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::ids::{LeaderEpoch, Offset, PartitionIndex};
    use wire::builder::BatchBuilder;
    use wire::compress::{Compression, Decompressors};
    use wire::record::{RecordHeader, Records};

    fn record(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[RecordHeader]) -> ConsumerRecord {
        let mut builder = BatchBuilder::new(Compression::None).base_offset(Offset(5));
        builder.append(1700, key, value, headers);
        let bytes = builder.finish();
        let read = Records::new(&bytes, &mut Decompressors::new(), 1000).unwrap().next().unwrap().unwrap();
        ConsumerRecord {
            topic: "t".into(),
            partition: PartitionIndex(2),
            offset: read.offset,
            leader_epoch: LeaderEpoch(0),
            timestamp: read.timestamp,
            timestamp_type: TimestampType::CreateTime,
            key: read.key,
            value: read.value,
            headers: read.headers,
        }
    }

    fn format(properties: &str, record: &ConsumerRecord) -> Result<String> {
        let pairs = properties.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        let owned: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut out = Vec::new();
        Formatter::new("DefaultMessageFormatter", &owned)?.append(record, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn columns_stand_in_kafkas_order() {
        let headers = [RecordHeader::new("h1", "v1"), RecordHeader { key: "h2".into(), value: None }];
        let full = record(Some(b"k"), Some(b"v"), &headers);
        let bare = record(None, None, &[]);
        let check = |properties: &str, record: &ConsumerRecord, expect: &str| {
            assert_eq!(format(properties, record).unwrap(), expect, "{properties}");
        };
        let all = "print.key=true print.timestamp=true print.offset=true print.partition=true print.headers=true \
                   print.epoch=true print.delivery=true";
        check("", &full, "v\n");
        check(
            all,
            &full,
            "CreateTime:1700\tPartition:2\tOffset:5\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\th1:v1,h2:null\tk\tv\n",
        );
        check("print.key=true print.headers=true", &bare, "NO_HEADERS\tnull\tnull\n");
        check("print.key=true null.literal=NIL key.separator=|", &bare, "NIL|NIL\n");
        check("print.key=true print.value=false", &full, "k\n");
        check("print.value=false", &full, "\n");
    }

    #[test]
    fn numbers_are_read_where_asked_for() {
        let number = record(Some(&7i64.to_be_bytes()), Some(&(-2i32).to_be_bytes()), &[]);
        let properties = "print.key=true key.deserializer=org.apache.kafka.common.serialization.LongDeserializer \
                          value.deserializer=IntegerDeserializer";
        assert_eq!(format(properties, &number).unwrap(), "7\t-2\n");
        assert!(format("value.deserializer=LongDeserializer", &number).is_err());
        assert!(format("value.deserializer=com.example.Avro", &number).is_err());
    }
}
