//! What a message is, after parsing.

/// Versions from `.0` to `.1`, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Versions(pub(crate) i16, pub(crate) i16);

impl Versions {
    /// Whether all of `other` lies in these.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 <= other.0 && other.1 <= self.1
    }
}

/// What stands in the head line, and with it how the message is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
    Header,
    Data,
    Record,
    Key,
    Value,
}

impl Kind {
    /// Whether tagged fields that are not known are kept and written again.
    pub(crate) fn keeps_unknown_tags(self) -> bool {
        matches!(self, Self::Record | Self::Value)
    }
}

/// One message: a struct with versions.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) name: String,
    /// The api's name without `Request` or `Response`; for others the name.
    pub(crate) base: String,
    pub(crate) kind: Kind,
    pub(crate) about: String,
    /// Api key or record type.
    pub(crate) key: Option<i16>,
    pub(crate) versions: Versions,
    /// The last version that is advertised; lower than `versions.1` when that one is unstable.
    pub(crate) stable: i16,
    /// The first flexible version, if any.
    pub(crate) flexible: Option<i16>,
    pub(crate) listeners: Vec<String>,
    pub(crate) family: String,
    /// The first one is the message itself.
    pub(crate) structs: Vec<Struct>,
}

/// A struct of a message.
#[derive(Clone, Debug)]
pub(crate) struct Struct {
    pub(crate) name: String,
    /// The versions in which it can be met.
    pub(crate) versions: Versions,
    pub(crate) fields: Vec<Field>,
    pub(crate) line: usize,
}

/// The type of a field or of its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U16,
    U32,
    F64,
    Error,
    Uuid,
    String,
    Bytes,
    Records,
    /// A struct of the same message, by name.
    Struct(String),
}

/// A field of a struct.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) r#type: Type,
    pub(crate) array: bool,
    pub(crate) versions: Versions,
    pub(crate) nullable: Option<Versions>,
    pub(crate) default: Option<String>,
    pub(crate) tag: Option<u32>,
    pub(crate) ignorable: bool,
    pub(crate) key: bool,
    pub(crate) classic: bool,
    pub(crate) entity: Option<String>,
    pub(crate) line: usize,
}

impl Field {
    /// Whether the field's Rust type is an `Option`.
    pub(crate) fn optional(&self) -> bool {
        self.nullable.is_some()
    }

    /// Whether the default is null.
    pub(crate) fn defaults_to_null(&self) -> bool {
        self.default.as_deref() == Some("null")
            || (self.optional() && self.default.is_none() && self.r#type == Type::Records)
    }
}
