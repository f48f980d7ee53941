//! The same definitions as data: what the JSON form and the tests walk through.

use std::fmt::Write;

use super::model::{Field, Kind, Message, Type};

/// The constants `…_FIELDS`, one per struct, and `impl Message`.
pub(crate) fn emit(message: &Message) -> String {
    let mut source = String::new();
    for one in &message.structs {
        let _ = writeln!(source, "const {}: &[Field] = &[", constant(&one.name));
        for field in &one.fields {
            source.push_str(&row(field));
        }
        source.push_str("];\n\n");
    }
    let kind = match message.kind {
        Kind::Request => "Request",
        Kind::Response => "Response",
        Kind::Header => "Header",
        Kind::Data => "Data",
        Kind::Record => "Record",
        Kind::Key => "Key",
        Kind::Value => "Value",
    };
    let key = message.key.map_or("None".to_owned(), |key| format!("Some({key})"));
    let _ = writeln!(
        source,
        "impl Message for {0} {{\n    const SCHEMA: &'static Schema = &Schema {{ name: {0:?}, kind: MessageKind::{kind}, \
         key: {key}, min: {1}, max: {2}, flexible: {3}, fields: {4} }};\n}}",
        message.name,
        message.versions.0,
        message.versions.1,
        message.flexible.unwrap_or(i16::MAX),
        constant(&message.name),
    );
    source
}

fn constant(name: &str) -> String {
    let snake = super::names::snake(name);
    format!("{}_FIELDS", snake.trim_start_matches("r#").to_uppercase())
}

fn row(field: &Field) -> String {
    let kind = match &field.r#type {
        Type::Struct(name) => format!("Kind::Struct({})", constant(name)),
        other => format!("Kind::{other:?}"),
    };
    let nullable = match field.nullable {
        None => "None".to_owned(),
        Some(versions) => format!("Some(({}, {}))", versions.0, versions.1),
    };
    format!(
        "    Field {{ name: {:?}, kind: {kind}, array: {}, versions: ({}, {}), nullable: {nullable}, default: {:?}, \
         tag: {:?}, ignorable: {}, classic: {} }},\n",
        field.name,
        field.array,
        field.versions.0,
        field.versions.1,
        default(field),
        field.tag,
        field.ignorable,
        field.classic,
    )
}

/// The default as text: `null`, a number, `true`, or nothing for zero, false and empty.
fn default(field: &Field) -> &str {
    if field.defaults_to_null() { "null" } else { field.default.as_deref().unwrap_or("") }
}
