//! Definitions as data: what a message is made of, for code that treats all messages alike.

/// The definition of a message.
#[derive(Debug)]
pub struct Schema {
    /// Its name, such as `ProduceRequest`.
    pub name: &'static str,
    /// What kind of message it is.
    pub kind: MessageKind,
    /// The api key, or the number of a record's type.
    pub key: Option<i16>,
    /// The first version.
    pub min: i16,
    /// The last version, inclusive.
    pub max: i16,
    /// The first version with compact lengths and tagged fields; `i16::MAX` when there is none.
    pub flexible: i16,
    /// The fields, in the order in which they are written.
    pub fields: &'static [Field],
}

impl Schema {
    /// Whether the message has this version.
    pub fn has_version(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    /// Whether this version is flexible.
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible
    }
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A request's body.
    Request,
    /// A response's body.
    Response,
    /// What stands before a body.
    Header,
    /// Something that travels inside a field of type bytes.
    Data,
    /// A record's value in the metadata log, in a control batch, or a small file.
    Record,
    /// A record's key in a coordinator's log.
    Key,
    /// A record's value in a coordinator's log.
    Value,
}

/// The definition of a field.
#[derive(Debug)]
pub struct Field {
    /// Kafka's name.
    pub name: &'static str,
    /// The type, or that of the elements.
    pub kind: Kind,
    /// Whether it is an array.
    pub array: bool,
    /// The first and last version that have it.
    pub versions: (i16, i16),
    /// The first and last version in which it may be null.
    pub nullable: Option<(i16, i16)>,
    /// The default as text: `null`, a number, `true`; empty for zero, false and empty values.
    pub default: &'static str,
    /// Its tag, when it is a tagged field.
    pub tag: Option<u32>,
    /// Whether it may be dropped silently where a version has no such field.
    pub ignorable: bool,
    /// Whether it keeps the classic form in flexible versions.
    pub classic: bool,
}

impl Field {
    /// Whether `version` has the field.
    pub fn is_in(&self, version: i16) -> bool {
        (self.versions.0..=self.versions.1).contains(&version)
    }

    /// Whether the field may be null in `version`.
    pub fn is_nullable_in(&self, version: i16) -> bool {
        self.nullable.is_some_and(|(from, to)| (from..=to).contains(&version))
    }
}

/// The type of a field or of its elements.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U16,
    U32,
    F64,
    /// An error code in two bytes.
    Error,
    Uuid,
    String,
    Bytes,
    /// Record batches.
    Records,
    Struct(&'static [Field]),
}
