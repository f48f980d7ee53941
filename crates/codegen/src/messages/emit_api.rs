//! What is known of all messages together: the table of apis, and the closed enums.

use std::fmt::Write;

use super::model::{Kind, Message};
use super::names::snake;

/// `impl ApiKey { pub const … }` and the table of apis, sorted by key.
pub(crate) fn emit_keys(messages: &[Message]) -> String {
    let mut requests: Vec<&Message> =
        messages.iter().filter(|message| message.kind == Kind::Request).collect();
    requests.sort_by_key(|message| message.key);
    let mut consts = String::new();
    let mut table = String::new();
    for message in &requests {
        let key = message.key.unwrap_or_default();
        let name = snake(&message.base).to_uppercase();
        let _ = writeln!(consts, "    /// {}\n    pub const {name}: Self = Self({key});", message.about);
        let on = |listener: &str| message.listeners.iter().any(|one| one == listener);
        let _ = writeln!(
            table,
            "    Api {{ key: ApiKey({key}), name: {:?}, min: {}, max: {}, latest: {}, flexible: {}, broker: {}, controller: {} }},",
            message.base,
            message.versions.0,
            message.stable,
            message.versions.1,
            message.flexible.unwrap_or(i16::MAX),
            on("broker"),
            on("controller"),
        );
    }
    format!("impl ApiKey {{\n{consts}}}\n\nstatic APIS: [Api; {}] = [\n{table}];\n", requests.len())
}

/// One enum over all messages of a kind; `name` is `Request` or `Response`.
pub(crate) fn emit_enum(messages: &[Message], kind: Kind, name: &str) -> String {
    let mut chosen: Vec<&Message> = messages.iter().filter(|message| message.kind == kind).collect();
    chosen.sort_by_key(|message| message.key);
    let mut variants = String::new();
    let mut read = String::new();
    let mut write = String::new();
    let mut keys = String::new();
    for message in chosen {
        let (base, key) = (&message.base, message.key.unwrap_or_default());
        let path = format!("{}::{}", snake(&message.name), message.name);
        let _ = writeln!(variants, "    /// {}\n    {base}({path}),", message.about);
        let _ = writeln!(read, "            {key} => Self::{base}({path}::decode(input, version)?),");
        let _ = writeln!(write, "            Self::{base}(message) => message.encode(version, out),");
        let _ = writeln!(keys, "            Self::{base}(_) => ApiKey({key}),");
    }
    format!(
        "/// Any {lower} that there is.\n#[derive(Clone, Debug, PartialEq)]\npub enum {name} {{\n{variants}}}\n\n\
         impl {name} {{\n    /// Reads the body of a {lower}, which stands after the header.\n    ///\n    /// # Errors\n    \
         /// When the key or version is unknown or the bytes are no such message.\n    \
         pub fn decode(key: ApiKey, version: i16, input: &mut Reader) -> Result<Self, DecodeError> {{\n        \
         Ok(match key.0 {{\n{read}            _ => return Err(DecodeError::UnknownKey {{ kind: \"api key\", key: key.0.into() }}),\n        }})\n    }}\n\n    \
         /// Writes the body of the {lower}.\n    ///\n    /// # Errors\n    /// When the version cannot carry it.\n    \
         pub fn encode(&self, version: i16, out: &mut Output) -> Result<(), EncodeError> {{\n        match self {{\n{write}        }}\n    }}\n\n    \
         /// Which api it belongs to.\n    pub fn api_key(&self) -> ApiKey {{\n        match self {{\n{keys}        }}\n    }}\n}}\n",
        lower = name.to_lowercase(),
    )
}

/// One enum over the framed records of a family, with their type numbers.
pub(crate) fn emit_records(messages: &[Message], family: &str, name: &str) -> String {
    let mut chosen: Vec<&Message> =
        messages.iter().filter(|message| message.kind == Kind::Record && message.family == family).collect();
    chosen.sort_by_key(|message| message.key);
    let mut variants = String::new();
    let mut read = String::new();
    let mut write = String::new();
    let mut kinds = String::new();
    let mut from = String::new();
    let mut visit = String::new();
    for message in chosen {
        let (full, key) = (&message.name, message.key.unwrap_or_default());
        let base = full.strip_suffix("Record").unwrap_or(full);
        let path = format!("{}::{full}", snake(full));
        let _ = writeln!(variants, "    /// {}\n    {base}({path}),", message.about);
        let _ = writeln!(read, "            {key} => Self::{base}({path}::decode(input, version)?),");
        let _ = writeln!(write, "            Self::{base}(record) => record.encode(version, out),");
        let _ = writeln!(kinds, "            Self::{base}(_) => {key},");
        let _ = writeln!(visit, "            Self::{base}(_) => {path}::SCHEMA,");
        let _ = writeln!(
            from,
            "impl From<{path}> for {name} {{\n    fn from(record: {path}) -> Self {{\n        Self::{base}(record)\n    }}\n}}\n"
        );
    }
    format!(
        "/// Any record of this log.\n#[derive(Clone, Debug, PartialEq)]\npub enum {name} {{\n{variants}}}\n\n\
         impl {name} {{\n    fn read(key: i16, version: i16, input: &mut Reader) -> Result<Self, DecodeError> {{\n        \
         Ok(match key {{\n{read}            _ => return Err(DecodeError::UnknownKey {{ kind: \"record type\", key: key.into() }}),\n        }})\n    }}\n\n    \
         fn write(&self, version: i16, out: &mut Output) -> Result<(), EncodeError> {{\n        match self {{\n{write}        }}\n    }}\n\n    \
         /// The number that stands for its type.\n    pub fn record_type(&self) -> i16 {{\n        match self {{\n{kinds}        }}\n    }}\n\n    \
         /// Its definition: name, versions and fields.\n    pub fn schema(&self) -> &'static Schema {{\n        match self {{\n{visit}        }}\n    }}\n}}\n\n{from}"
    )
}

/// A table of the records with keys, by log and type.
pub(crate) fn emit_coordinator_records(messages: &[Message]) -> String {
    let mut keys: Vec<&Message> = messages.iter().filter(|message| message.kind == Kind::Key).collect();
    keys.sort_by_key(|message| (&message.family, message.key));
    let mut rows = String::new();
    for key in keys {
        let base = key.name.strip_suffix("Key").unwrap_or(&key.name);
        let (first, rest) = key.family.split_at(1);
        let log = format!("{}{rest}", first.to_uppercase());
        let path = |end: &str| format!("{}::{base}{end}::SCHEMA", snake(&format!("{base}{end}")));
        let _ = writeln!(
            rows,
            "    CoordinatorRecord {{ log: CoordinatorLog::{log}, record_type: {}, key: {}, value: {} }},",
            key.key.unwrap_or_default(),
            path("Key"),
            path("Value")
        );
    }
    format!("const ALL: &[CoordinatorRecord] = &[\n{rows}];\n")
}
