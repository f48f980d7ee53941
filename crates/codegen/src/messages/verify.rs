//! Rules that hold across the lines of a message, checked before anything is emitted.

use std::collections::BTreeSet;
use std::path::Path;

use super::model::{Field, Message, Struct, Type};
use crate::error::Error;

/// Checks one message of `file`.
pub(crate) fn verify(file: &Path, message: &Message) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    for one in &message.structs {
        if !names.insert(&one.name) {
            return Err(Error::new(
                file,
                one.line,
                format!("struct {} stands twice in {}", one.name, message.name),
            ));
        }
        verify_struct(message, one).map_err(|(line, text)| Error::new(file, line, text))?;
    }
    Ok(())
}

fn verify_struct(message: &Message, one: &Struct) -> Result<(), (usize, String)> {
    let mut names = BTreeSet::new();
    let mut tags = BTreeSet::new();
    for field in &one.fields {
        let fail = |text: String| Err((field.line, text));
        if !names.insert(&field.name) {
            return fail(format!("{} stands twice in {}", field.name, one.name));
        }
        if let Type::Struct(name) = &field.r#type
            && !message.structs[1..].iter().any(|other| other.name == *name)
        {
            return fail(format!("no struct {name} in {}", message.name));
        }
        if let Some(tag) = field.tag {
            if !tags.insert(tag) {
                return fail(format!("tag {tag} stands twice in {}", one.name));
            }
            if message.flexible.is_none_or(|flexible| field.versions.0 < flexible) {
                return fail(format!("tagged field {} in versions that are not flexible", field.name));
            }
        }
        if let Err(text) = verify_values(field) {
            return fail(text);
        }
    }
    Ok(())
}

/// Null and the default must be values of the type.
fn verify_values(field: &Field) -> Result<(), String> {
    let name = &field.name;
    let can_be_null =
        field.array || matches!(field.r#type, Type::String | Type::Bytes | Type::Records | Type::Struct(_));
    if field.optional() && !can_be_null {
        return Err(format!("{name} has a type without null"));
    }
    let Some(default) = &field.default else { return Ok(()) };
    if default == "null" {
        return if field.optional() { Ok(()) } else { Err(format!("{name} is never null")) };
    }
    let good = !field.array
        && match field.r#type {
            Type::Bool => matches!(default.as_str(), "true" | "false"),
            Type::I8 => default.parse::<i8>().is_ok(),
            Type::I16 | Type::Error => default.parse::<i16>().is_ok(),
            Type::I32 => default.parse::<i32>().is_ok(),
            Type::I64 => default.parse::<i64>().is_ok(),
            Type::U16 => default.parse::<u16>().is_ok(),
            Type::U32 => default.parse::<u32>().is_ok(),
            _ => false,
        };
    if good { Ok(()) } else { Err(format!("`{default}` is no default for {name}")) }
}
