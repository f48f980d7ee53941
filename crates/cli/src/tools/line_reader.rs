//! Lines of text as records: `[headers<TAB>][key<TAB>]value`. Pure.

use bytes::Bytes;
use client::{Record, RecordHeader};

use crate::failure::{Failure, Result, failed};

/// How a line is taken apart (`--reader-property`). Bytes need not be UTF-8.
#[derive(Clone, Debug)]
pub(super) struct LineReader {
    topic: String,
    parse_key: bool,
    parse_headers: bool,
    key_separator: Vec<u8>,
    headers_delimiter: Vec<u8>,
    headers_separator: Vec<u8>,
    headers_key_separator: Vec<u8>,
    null_marker: Option<Vec<u8>>,
    ignore_error: bool,
    line_number: u64,
}

impl LineReader {
    /// # Errors
    /// Markers and separators that cannot be told apart.
    pub(super) fn new(topic: &str, properties: &[(String, String)]) -> Result<Self> {
        let mut reader = Self {
            topic: topic.to_owned(),
            parse_key: false,
            parse_headers: false,
            key_separator: b"\t".to_vec(),
            headers_delimiter: b"\t".to_vec(),
            headers_separator: b",".to_vec(),
            headers_key_separator: b":".to_vec(),
            null_marker: None,
            ignore_error: false,
            line_number: 0,
        };
        for (name, value) in properties {
            let truth = value.trim().eq_ignore_ascii_case("true");
            let bytes = value.as_bytes().to_vec();
            match name.as_str() {
                "topic" => reader.topic = value.clone(),
                "parse.key" => reader.parse_key = truth,
                "parse.headers" => reader.parse_headers = truth,
                "key.separator" => reader.key_separator = bytes,
                "headers.delimiter" => reader.headers_delimiter = bytes,
                "headers.separator" => reader.headers_separator = bytes,
                "headers.key.separator" => reader.headers_key_separator = bytes,
                "null.marker" => reader.null_marker = Some(bytes),
                "ignore.error" => reader.ignore_error = truth,
                // Other readers' properties.
                _ => {}
            }
        }
        reader.check()?;
        Ok(reader)
    }

    fn check(&self) -> Result<()> {
        let separators = [
            ("headers.delimiter", &self.headers_delimiter),
            ("headers.separator", &self.headers_separator),
            ("headers.key.separator", &self.headers_key_separator),
        ];
        for (at, (name, separator)) in separators.iter().enumerate() {
            if let Some((other, _)) = separators[at + 1..].iter().find(|(_, other)| other == separator) {
                return failed(format!("{name} and {other} may not be equal"));
            }
        }
        let marker = self.null_marker.as_ref();
        let mut marked = separators.into_iter().chain([("key.separator", &self.key_separator)]);
        match marked.find(|(_, separator)| marker == Some(separator)) {
            Some((name, _)) => failed(format!("null.marker and {name} may not be equal")),
            None => Ok(()),
        }
    }

    /// The record of the next line.
    ///
    /// # Errors
    /// A line without a separator that it should have, unless `ignore.error` is set.
    pub(super) fn record(&mut self, line: Vec<u8>) -> Result<Record> {
        self.line_number += 1;
        let line = Bytes::from(line);
        let (headers, rest) =
            self.part(self.parse_headers, line.clone(), &self.headers_delimiter, "headers delimiter", &line)?;
        let (key, value) = self.part(self.parse_key, rest, &self.key_separator, "key separator", &line)?;
        let mut record = Record::new(self.topic.as_str());
        record.key = key.and_then(|key| self.unless_null(key));
        record.value = self.unless_null(value);
        if let Some(headers) = headers.and_then(|headers| self.unless_null(headers)) {
            record.headers = self.headers(&headers)?;
        }
        Ok(record)
    }

    /// What stands before the separator, and the rest.
    fn part(
        &self,
        wanted: bool,
        text: Bytes,
        separator: &[u8],
        name: &str,
        line: &Bytes,
    ) -> Result<(Option<Bytes>, Bytes)> {
        if !wanted {
            return Ok((None, text));
        }
        match find(&text, separator) {
            Some(at) => Ok((Some(text.slice(..at)), text.slice(at + separator.len()..))),
            None if self.ignore_error => Ok((None, text)),
            None => {
                let line = String::from_utf8_lossy(line);
                failed(format!("No {name} found on line number {}: '{line}'", self.line_number))
            }
        }
    }

    fn unless_null(&self, text: Bytes) -> Option<Bytes> {
        (self.null_marker.as_deref() != Some(&text[..])).then_some(text)
    }

    fn headers(&self, text: &Bytes) -> Result<Vec<RecordHeader>> {
        split(text, &self.headers_separator)
            .into_iter()
            .map(|pair| match find(&pair, &self.headers_key_separator) {
                Some(at) => {
                    let value = pair.slice(at + self.headers_key_separator.len()..);
                    Ok(RecordHeader { key: pair.slice(..at), value: self.unless_null(value) })
                }
                None if self.ignore_error => Ok(RecordHeader { key: pair, value: None }),
                None => Err(Failure::Error(format!(
                    "No header key separator found in pair '{}' on line number {}",
                    String::from_utf8_lossy(&pair),
                    self.line_number
                ))),
            })
            .collect()
    }
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    if pattern.is_empty() {
        return Some(0);
    }
    text.windows(pattern.len()).position(|window| window == pattern)
}

fn split(text: &Bytes, separator: &[u8]) -> Vec<Bytes> {
    let mut parts = Vec::new();
    let mut rest = text.clone();
    while let Some(at) = find(&rest, separator).filter(|_| !separator.is_empty()) {
        parts.push(rest.slice(..at));
        rest = rest.slice(at + separator.len()..);
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(properties: &[(&str, &str)], lines: &[&str]) -> Result<Vec<String>> {
        let owned: Vec<_> =
            properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let mut reader = LineReader::new("t", &owned)?;
        let text = |bytes: &Option<Bytes>| match bytes {
            None => "null".to_owned(),
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        };
        let show = |record: Record| {
            let headers = record
                .headers
                .iter()
                .map(|header| format!("{}:{}", String::from_utf8_lossy(&header.key), text(&header.value)));
            let headers: Vec<_> = headers.collect();
            format!("[{}] {}={}", headers.join(","), text(&record.key), text(&record.value))
        };
        lines.iter().map(|line| reader.record(line.as_bytes().to_vec()).map(show)).collect()
    }

    #[test]
    fn lines_become_records() {
        let check = |properties: &[(&str, &str)], line: &str, expect: &str| {
            assert_eq!(read(properties, &[line]), Ok(vec![expect.to_owned()]), "{line:?}");
        };
        let keyed = ("parse.key", "true");
        let headed = ("parse.headers", "true");
        check(&[], "a\tb", "[] null=a\tb");
        check(&[], "", "[] null=");
        check(&[keyed], "k\tv\tw", "[] k=v\tw");
        check(&[keyed, ("key.separator", "::")], "k::v", "[] k=v");
        check(&[headed], "h1:v1,h2:v2\tv", "[h1:v1,h2:v2] null=v");
        check(&[headed, keyed], "h:x:y\tk\tv", "[h:x:y] k=v");
        check(&[headed, keyed, ("null.marker", "N")], "N\tN\tN", "[] null=null");
        check(&[headed, ("null.marker", "N")], "h:N\tv", "[h:null] null=v");
        check(&[keyed, ("ignore.error", "true")], "novalue", "[] null=novalue");
    }

    #[test]
    fn broken_lines_are_named() {
        let check = |properties: &[(&str, &str)], lines: &[&str], expect: &str| {
            assert_eq!(read(properties, lines), Err(Failure::Error(expect.to_owned())), "{lines:?}");
        };
        check(&[("parse.key", "true")], &["a\tb", "abc"], "No key separator found on line number 2: 'abc'");
        check(&[("parse.headers", "true")], &["abc"], "No headers delimiter found on line number 1: 'abc'");
        let line = "No header key separator found in pair '' on line number 1";
        check(&[("parse.headers", "true")], &["\tk"], line);
        let same = "null.marker and key.separator may not be equal";
        check(&[("null.marker", "\t"), ("headers.delimiter", ";")], &[], same);
        let same = "headers.separator and headers.key.separator may not be equal";
        check(&[("headers.separator", ":")], &[], same);
    }
}
