//! A struct's declaration and its default.

use std::fmt::Write;

use super::model::{Field, Message, Struct, Type};
use super::names::snake;

/// The name of the field that keeps unknown tags.
pub(crate) const UNKNOWN_TAGS: &str = "unknown_tags";

/// `pub struct …` and its `Default`.
pub(crate) fn emit(message: &Message, one: &Struct) -> String {
    let mut source = String::new();
    let root = one.name == message.name;
    let doc = if root { message.about.as_str() } else { "" };
    let plain = one.fields.iter().all(default_is_rusts);
    let derive = if plain { "Clone, Debug, Default, PartialEq" } else { "Clone, Debug, PartialEq" };
    if root {
        let (from, to) = (message.versions.0, message.versions.1);
        let _ = writeln!(source, "/// {doc}\n///\n/// Versions {from} to {to}.");
    }
    let _ = writeln!(source, "#[derive({derive})]\npub struct {} {{", one.name);
    for field in &one.fields {
        source.push_str(&field_doc(one, field));
        let _ = writeln!(source, "    pub {}: {},", snake(&field.name), rust_type(field));
    }
    if keeps_tags(message) {
        let _ = writeln!(source, "    pub {UNKNOWN_TAGS}: UnknownTags,");
    }
    source.push_str("}\n\n");
    if !plain {
        source.push_str(&emit_default(message, one));
    }
    source
}

fn field_doc(one: &Struct, field: &Field) -> String {
    let mut words = Vec::new();
    match (field.versions.0 > one.versions.0, field.versions.1 < one.versions.1) {
        (false, false) => {}
        (true, false) => words.push(format!("From version {} on.", field.versions.0)),
        (false, true) => words.push(format!("Up to version {}.", field.versions.1)),
        (true, true) => words.push(format!("Versions {} to {}.", field.versions.0, field.versions.1)),
    }
    if let Some(tag) = field.tag {
        words.push(format!("Tag {tag}."));
    }
    if words.is_empty() { String::new() } else { format!("    /// {}\n", words.join(" ")) }
}

fn emit_default(message: &Message, one: &Struct) -> String {
    let mut source =
        format!("impl Default for {} {{\n    fn default() -> Self {{\n        Self {{\n", one.name);
    for field in &one.fields {
        let _ = writeln!(source, "            {}: {},", snake(&field.name), default(field));
    }
    if keeps_tags(message) {
        let _ = writeln!(source, "            {UNKNOWN_TAGS}: UnknownTags::default(),");
    }
    source.push_str("        }\n    }\n}\n\n");
    source
}

/// Whether structs of the message have a field for unknown tags.
pub(crate) fn keeps_tags(message: &Message) -> bool {
    message.kind.keeps_unknown_tags() && message.flexible.is_some()
}

/// The field's Rust type.
pub(crate) fn rust_type(field: &Field) -> String {
    let mut text = match &field.r#type {
        Type::Bool => "bool",
        Type::I8 => "i8",
        Type::I16 => "i16",
        Type::I32 => "i32",
        Type::I64 => "i64",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::F64 => "f64",
        Type::Error => "ErrorCode",
        Type::Uuid => "Uuid",
        Type::String => "String",
        Type::Bytes => "Bytes",
        Type::Records => "Piece",
        Type::Struct(name) => name,
    }
    .to_owned();
    if field.array {
        text = format!("Vec<{text}>");
    }
    if field.optional() { format!("Option<{text}>") } else { text }
}

/// The field's default as an expression.
pub(crate) fn default(field: &Field) -> String {
    if field.defaults_to_null() {
        return "None".to_owned();
    }
    let value = match (&field.r#type, field.array) {
        (_, true) => "Vec::new()".to_owned(),
        (Type::Bool, _) => field.default.clone().unwrap_or_else(|| "false".to_owned()),
        (Type::Error, _) => format!("ErrorCode({})", field.default.as_deref().unwrap_or("0")),
        (Type::F64, _) => "0.0".to_owned(),
        (Type::Uuid, _) => "Uuid::ZERO".to_owned(),
        (Type::String, _) => "String::new()".to_owned(),
        (Type::Bytes, _) => "Bytes::new()".to_owned(),
        (Type::Records, _) => "Piece::default()".to_owned(),
        (Type::Struct(name), _) => format!("{name}::default()"),
        _ => field.default.clone().unwrap_or_else(|| "0".to_owned()),
    };
    if field.optional() { format!("Some({value})") } else { value }
}

/// Whether `#[derive(Default)]` gives the field its default.
fn default_is_rusts(field: &Field) -> bool {
    if field.optional() { field.defaults_to_null() } else { field.default.is_none() }
}

/// An expression that is true when the field is not the default.
pub(crate) fn differs(field: &Field) -> String {
    let name = format!("self.{}", snake(&field.name));
    if field.optional() {
        if field.defaults_to_null() {
            return format!("{name}.is_some()");
        }
        return match (&field.r#type, field.array) {
            (_, true) | (Type::String | Type::Bytes, _) => {
                format!("{name}.as_ref().is_none_or(|value| !value.is_empty())")
            }
            _ => format!("{name} != {}", default(field)),
        };
    }
    match (&field.r#type, field.array) {
        (_, true) | (Type::String | Type::Bytes | Type::Records, _) => format!("!{name}.is_empty()"),
        (Type::Bool, _) if field.default.as_deref() == Some("true") => format!("!{name}"),
        (Type::Bool, _) => name,
        _ => format!("{name} != {}", default(field)),
    }
}
