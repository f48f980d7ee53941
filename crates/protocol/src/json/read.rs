//! Bytes → JSON, led by the definition.

use bytes::Bytes;
use serde_json::{Map, Value};
use wire::reader::{DecodeError, Reader};

use super::{base64, name};
use crate::codec;
use crate::schema::{Field, Kind};

/// Reads a struct with these fields.
pub(super) fn fields(fields: &[Field], v: i16, flex: bool, input: &mut Reader) -> Result<Value, DecodeError> {
    let mut values: Vec<Option<Value>> = vec![None; fields.len()];
    for (field, slot) in fields.iter().zip(&mut values) {
        if field.is_in(v) && field.tag.is_none() {
            *slot = Some(value(field, v, flex, input)?);
        }
    }
    if flex {
        for _ in 0..codec::tag_count(input)? {
            let (tag, end) = codec::tag(input)?;
            match fields.iter().position(|field| field.is_in(v) && field.tag == Some(tag)) {
                Some(place) => values[place] = Some(value(&fields[place], v, flex, input)?),
                None => codec::skip_to(input, end)?,
            }
            codec::end_of_tag(input, tag, end)?;
        }
    }
    let mut object = Map::new();
    for (field, value) in fields.iter().zip(values) {
        object.extend(value.map(|value| (name(field), value)));
    }
    Ok(Value::Object(object))
}

fn value(field: &Field, v: i16, flex: bool, input: &mut Reader) -> Result<Value, DecodeError> {
    let compact = flex && !field.classic;
    if !field.array {
        let value = one(field, v, flex, compact, input)?;
        return if value.is_null() && !field.is_nullable_in(v) {
            Err(DecodeError::UnexpectedNull(field.name))
        } else {
            Ok(value)
        };
    }
    let count = if compact { input.compact_length()? } else { input.length(field.name)? };
    let Some(count) = count else {
        return if field.is_nullable_in(v) {
            Ok(Value::Null)
        } else {
            Err(DecodeError::UnexpectedNull(field.name))
        };
    };
    // An element takes a byte at least, and a good deal of memory as JSON: no space is set aside.
    let mut elements = Vec::new();
    for _ in 0..count {
        elements.push(one(field, v, flex, compact, input)?);
    }
    Ok(Value::Array(elements))
}

fn one(field: &Field, v: i16, flex: bool, compact: bool, input: &mut Reader) -> Result<Value, DecodeError> {
    Ok(match field.kind {
        Kind::Bool => input.bool()?.into(),
        Kind::I8 => input.i8()?.into(),
        Kind::I16 | Kind::Error => input.i16()?.into(),
        Kind::I32 => input.i32()?.into(),
        Kind::I64 => input.i64()?.into(),
        Kind::U16 => input.u16()?.into(),
        Kind::U32 => input.u32()?.into(),
        Kind::F64 => {
            let number = input.f64()?;
            // JSON has no number for these; Kafka's tools print their names.
            if number.is_finite() { number.into() } else { java_name(number).into() }
        }
        Kind::Uuid => input.uuid()?.to_string().into(),
        Kind::String => codec::nullable_string(input, compact)?.into(),
        Kind::Bytes | Kind::Records => {
            codec::nullable_bytes(input, compact)?.map(|bytes: Bytes| base64::encode(&bytes)).into()
        }
        Kind::Struct(below) => {
            if !field.array && field.is_nullable_in(v) {
                let null = if field.tag.is_some() { input.uvarint()? == 0 } else { input.i8()? < 0 };
                if null {
                    return Ok(Value::Null);
                }
            }
            fields(below, v, flex, input)?
        }
    })
}

fn java_name(number: f64) -> &'static str {
    match number {
        number if number.is_nan() => "NaN",
        number if number > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}
