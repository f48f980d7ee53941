//! JSON → bytes, led by the definition.

use base::uuid::Uuid;
use serde_json::Value;
use wire::output::Output;

use super::{JsonError, base64, is_default, name};
use crate::codec;
use crate::schema::{Field, Kind};

/// Writes a struct with these fields.
pub(super) fn fields(
    fields: &[Field],
    v: i16,
    flex: bool,
    object: &Value,
    out: &mut Output,
) -> Result<(), JsonError> {
    let mut tagged: Vec<(u32, &Field, &Value)> = Vec::new();
    for field in fields.iter().filter(|field| field.is_in(v)) {
        let found = object.get(name(field));
        match (field.tag, found) {
            (None, None) => return Err(shape(field, "a value: only tagged fields may be left out")),
            (None, Some(found)) => value(field, v, flex, found, out)?,
            (Some(_), None) => {}
            (Some(tag), Some(found)) if !is_default(field, found) => tagged.push((tag, field, found)),
            (Some(_), Some(_)) => {}
        }
    }
    if flex {
        tagged.sort_by_key(|(tag, ..)| *tag);
        out.put_uvarint(tagged.len() as u32);
        for (tag, field, found) in tagged {
            let start = codec::begin_tag(out, tag);
            value(field, v, flex, found, out)?;
            codec::finish_tag(out, start);
        }
    }
    Ok(())
}

fn shape(field: &Field, expected: &'static str) -> JsonError {
    JsonError::Shape { field: name(field), expected }
}

fn value(field: &Field, v: i16, flex: bool, value: &Value, out: &mut Output) -> Result<(), JsonError> {
    let compact = flex && !field.classic;
    if value.is_null() && !field.is_nullable_in(v) {
        return Err(shape(field, "a value that is not null"));
    }
    if !field.array {
        return one(field, v, flex, compact, value, out);
    }
    let elements = match value {
        Value::Null => None,
        Value::Array(elements) => Some(elements),
        _ => return Err(shape(field, "an array")),
    };
    codec::put_count(out, elements.map(Vec::len), compact, field.name).map_err(JsonError::Encode)?;
    for element in elements.into_iter().flatten() {
        one(field, v, flex, compact, element, out)?;
    }
    Ok(())
}

fn one(
    field: &Field,
    v: i16,
    flex: bool,
    compact: bool,
    value: &Value,
    out: &mut Output,
) -> Result<(), JsonError> {
    match field.kind {
        Kind::Bool => out.put_bool(value.as_bool().ok_or_else(|| shape(field, "true or false"))?),
        Kind::I8 => out.put_i8(integer(field, value)?),
        Kind::I16 | Kind::Error => out.put_i16(integer(field, value)?),
        Kind::I32 => out.put_i32(integer(field, value)?),
        Kind::I64 => out.put_i64(integer(field, value)?),
        Kind::U16 => out.put_u16(integer(field, value)?),
        Kind::U32 => out.put_u32(integer(field, value)?),
        Kind::F64 => {
            let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
            out.put_f64(number.ok_or_else(|| shape(field, "a number"))?);
        }
        Kind::Uuid => {
            let id = value.as_str().and_then(|text| text.parse::<Uuid>().ok());
            out.put_uuid(id.ok_or_else(|| shape(field, "an id of 22 characters"))?);
        }
        Kind::String => {
            let text = nullable_text(field, value, "a text")?;
            codec::put_string(out, text, compact, field.name).map_err(JsonError::Encode)?;
        }
        Kind::Bytes | Kind::Records => {
            let bytes = match nullable_text(field, value, "base64")? {
                None => None,
                Some(text) => Some(base64::decode(text).ok_or_else(|| shape(field, "base64"))?),
            };
            codec::put_bytes(out, bytes.as_deref(), compact, field.name).map_err(JsonError::Encode)?;
        }
        Kind::Struct(below) => {
            if !field.array && field.is_nullable_in(v) {
                match (value.is_null(), field.tag) {
                    (false, _) => out.put_i8(1),
                    (true, None) => out.put_i8(-1),
                    (true, Some(_)) => out.put_i8(0),
                }
                if value.is_null() {
                    return Ok(());
                }
            }
            fields(below, v, flex, value, out)?;
        }
    }
    Ok(())
}

fn integer<T: TryFrom<i64>>(field: &Field, value: &Value) -> Result<T, JsonError> {
    let number = value.as_i64().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| shape(field, "a whole number in the range of its type"))
}

fn nullable_text<'a>(
    field: &Field,
    value: &'a Value,
    expected: &'static str,
) -> Result<Option<&'a str>, JsonError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(shape(field, expected)),
    }
}
