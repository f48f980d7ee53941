//! What generated codecs share: lengths, arrays, nullable values, tagged fields.
//!
//! `flex` chooses between the two forms of a length: classic (i16 before strings, i32 before everything else, -1 is null)
//! and compact (uvarint of length plus one, 0 is null). Invariant: before anything is allocated for a collection its count
//! is checked against the bytes left, against [`MAX_ELEMENTS`], and against the allowance of the whole message.

use std::mem::size_of;

use base::uuid::Uuid;
use bytes::Bytes;
use wire::output::{EncodeError, Output};
use wire::piece::Piece;
use wire::reader::{DecodeError, Reader};

use crate::message::Struct;

/// The most elements of an array.
const MAX_ELEMENTS: usize = 1_000_000;

/// The most tagged fields of one struct.
const MAX_TAGS: u32 = 10_000;

/// Asks for `count` elements of `size` bytes each out of the message's allowance.
pub(crate) fn charge(
    input: &mut Reader,
    field: &'static str,
    count: usize,
    size: usize,
) -> Result<(), DecodeError> {
    let limit = input.allowance() / size.max(1);
    if count > limit {
        return Err(DecodeError::TooManyElements { field, count, limit });
    }
    input.spend(count * size);
    Ok(())
}

/// Reads the count of an array whose elements take at least `minimum` bytes each here and `size` bytes in memory.
fn count(
    input: &mut Reader,
    flex: bool,
    field: &'static str,
    minimum: usize,
    size: usize,
) -> Result<Option<usize>, DecodeError> {
    let count = if flex { input.compact_length()? } else { input.length(field)? };
    let Some(count) = count else { return Ok(None) };
    let limit = (input.remaining() / minimum.max(1)).min(MAX_ELEMENTS);
    if count > limit {
        return Err(DecodeError::TooManyElements { field, count, limit });
    }
    charge(input, field, count, size)?;
    Ok(Some(count))
}

/// Reads an array of structs.
pub(crate) fn array<T: Struct>(
    input: &mut Reader,
    flex: bool,
    v: i16,
    field: &'static str,
) -> Result<Option<Vec<T>>, DecodeError> {
    let Some(count) = count(input, flex, field, T::MIN, size_of::<T>())? else { return Ok(None) };
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        elements.push(T::read(input, v)?);
    }
    Ok(Some(elements))
}

macro_rules! primitive_arrays {
    ($($read:ident $put:ident $type:ty, $minimum:expr, |$input:ident, $flex:ident| $one:expr, |$out:ident, $value:ident| $write:expr;)*) => {
        $(
            pub(crate) fn $read($input: &mut Reader, $flex: bool, field: &'static str) -> Result<Option<Vec<$type>>, DecodeError> {
                let Some(count) = count($input, $flex, field, $minimum, size_of::<$type>())? else { return Ok(None) };
                let mut elements = Vec::with_capacity(count);
                for _ in 0..count {
                    elements.push($one);
                }
                Ok(Some(elements))
            }

            pub(crate) fn $put($out: &mut Output, elements: Option<&[$type]>, flex: bool, field: &'static str) -> Result<(), EncodeError> {
                put_count($out, elements.map(<[$type]>::len), flex, field)?;
                for $value in elements.unwrap_or_default() {
                    $write;
                }
                Ok(())
            }
        )*
    };
}

primitive_arrays! {
    i8_array put_i8_array i8, 1, |input, flex| input.i8()?, |out, value| out.put_i8(*value);
    i16_array put_i16_array i16, 2, |input, flex| input.i16()?, |out, value| out.put_i16(*value);
    i32_array put_i32_array i32, 4, |input, flex| input.i32()?, |out, value| out.put_i32(*value);
    i64_array put_i64_array i64, 8, |input, flex| input.i64()?, |out, value| out.put_i64(*value);
    uuid_array put_uuid_array Uuid, 16, |input, flex| input.uuid()?, |out, value| out.put_uuid(*value);
}

/// Reads an array of strings.
pub(crate) fn string_array(
    input: &mut Reader,
    flex: bool,
    field: &'static str,
) -> Result<Option<Vec<String>>, DecodeError> {
    let minimum = if flex { 1 } else { 2 };
    let Some(count) = count(input, flex, field, minimum, size_of::<String>())? else { return Ok(None) };
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        elements.push(string(input, flex, field)?);
    }
    Ok(Some(elements))
}

/// Reads a string that may be null.
pub(crate) fn nullable_string(input: &mut Reader, flex: bool) -> Result<Option<String>, DecodeError> {
    if flex { input.compact_nullable_string() } else { input.nullable_string() }
}

/// Reads a string.
pub(crate) fn string(input: &mut Reader, flex: bool, field: &'static str) -> Result<String, DecodeError> {
    required(nullable_string(input, flex)?, field)
}

/// Reads bytes that may be null, as a slice of the buffer.
pub(crate) fn nullable_bytes(input: &mut Reader, flex: bool) -> Result<Option<Bytes>, DecodeError> {
    if flex { input.compact_nullable_bytes() } else { input.nullable_bytes() }
}

/// Reads bytes, as a slice of the buffer.
pub(crate) fn bytes(input: &mut Reader, flex: bool, field: &'static str) -> Result<Bytes, DecodeError> {
    required(nullable_bytes(input, flex)?, field)
}

/// Reads record batches that may be null, as a slice of the buffer.
pub(crate) fn nullable_records(input: &mut Reader, flex: bool) -> Result<Option<Piece>, DecodeError> {
    Ok(nullable_bytes(input, flex)?.map(Piece::Memory))
}

/// Reads record batches, as a slice of the buffer.
pub(crate) fn records(input: &mut Reader, flex: bool, field: &'static str) -> Result<Piece, DecodeError> {
    Ok(Piece::Memory(bytes(input, flex, field)?))
}

/// Reads a struct that may be null: a byte below 0 is null, any other stands before the struct.
pub(crate) fn nullable_struct<T: Struct>(input: &mut Reader, v: i16) -> Result<Option<T>, DecodeError> {
    if input.i8()? < 0 { Ok(None) } else { T::read(input, v).map(Some) }
}

/// The same in a tagged field, where the mark is a uvarint: 0 is null.
pub(crate) fn nullable_tagged_struct<T: Struct>(
    input: &mut Reader,
    v: i16,
) -> Result<Option<T>, DecodeError> {
    if input.uvarint()? == 0 { Ok(None) } else { T::read(input, v).map(Some) }
}

/// Refuses null.
pub(crate) fn required<T>(value: Option<T>, field: &'static str) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::UnexpectedNull(field))
}

/// Refuses null in versions that have none.
pub(crate) fn null_only_if<T>(
    allowed: bool,
    value: Option<T>,
    field: &'static str,
) -> Result<Option<T>, DecodeError> {
    if allowed || value.is_some() { Ok(value) } else { Err(DecodeError::UnexpectedNull(field)) }
}

/// Reads how many tagged fields follow.
pub(crate) fn tag_count(input: &mut Reader) -> Result<u32, DecodeError> {
    let count = input.uvarint()?;
    if count > MAX_TAGS {
        return Err(DecodeError::TooManyElements {
            field: "tagged fields",
            count: count as usize,
            limit: MAX_TAGS as usize,
        });
    }
    Ok(count)
}

/// Reads a tag and the size of its field; gives the tag and the position at which the field ends.
pub(crate) fn tag(input: &mut Reader) -> Result<(u32, usize), DecodeError> {
    let tag = input.uvarint()?;
    let size = input.uvarint()? as usize;
    if size > input.remaining() {
        // Asking for that many bytes gives the error with its position.
        input.skip(size)?;
    }
    Ok((tag, input.position() + size))
}

/// Passes over a tagged field that is not known.
pub(crate) fn skip_to(input: &mut Reader, end: usize) -> Result<(), DecodeError> {
    input.skip(end - input.position())
}

/// Passes over all tagged fields.
pub(crate) fn skip_tags(input: &mut Reader) -> Result<(), DecodeError> {
    for _ in 0..tag_count(input)? {
        let (_, end) = tag(input)?;
        skip_to(input, end)?;
    }
    Ok(())
}

/// A tagged field must take exactly the bytes that it said.
pub(crate) fn end_of_tag(input: &Reader, tag: u32, end: usize) -> Result<(), DecodeError> {
    if input.position() == end { Ok(()) } else { Err(wrong_size(input.position(), tag, end)) }
}

#[cold]
fn wrong_size(position: usize, tag: u32, end: usize) -> DecodeError {
    DecodeError::Invalid(format!("tagged field {tag} should end at position {end}, but ends at {position}"))
}

/// A tag that exists, but not in this version.
#[cold]
pub(crate) fn misplaced_tag(tag: u32, v: i16) -> DecodeError {
    DecodeError::Invalid(format!("tag {tag} does not exist in version {v}"))
}

/// Writes a length or count; nothing stands for null.
pub(crate) fn put_count(
    out: &mut Output,
    count: Option<usize>,
    flex: bool,
    field: &'static str,
) -> Result<(), EncodeError> {
    let length = count.unwrap_or(0);
    let Ok(number) = i32::try_from(length) else { return Err(EncodeError::TooLong { field, length }) };
    match (flex, count) {
        (true, None) => out.put_uvarint(0),
        (true, Some(_)) => out.put_uvarint(number as u32 + 1),
        (false, None) => out.put_i32(-1),
        (false, Some(_)) => out.put_i32(number),
    }
    Ok(())
}

/// Writes an array of structs.
pub(crate) fn put_array<T: Struct>(
    out: &mut Output,
    elements: Option<&[T]>,
    flex: bool,
    v: i16,
    field: &'static str,
) -> Result<(), EncodeError> {
    put_count(out, elements.map(<[T]>::len), flex, field)?;
    for element in elements.unwrap_or_default() {
        element.write(out, v)?;
    }
    Ok(())
}

/// Writes an array of strings.
pub(crate) fn put_string_array(
    out: &mut Output,
    elements: Option<&[String]>,
    flex: bool,
    field: &'static str,
) -> Result<(), EncodeError> {
    put_count(out, elements.map(<[String]>::len), flex, field)?;
    for element in elements.unwrap_or_default() {
        put_string(out, Some(element), flex, field)?;
    }
    Ok(())
}

/// Writes a string or null.
pub(crate) fn put_string(
    out: &mut Output,
    value: Option<&str>,
    flex: bool,
    field: &'static str,
) -> Result<(), EncodeError> {
    let length = value.map_or(0, str::len);
    let Ok(number) = i16::try_from(length) else { return Err(EncodeError::TooLong { field, length }) };
    match (flex, value) {
        (true, None) => out.put_uvarint(0),
        (true, Some(_)) => out.put_uvarint(number as u32 + 1),
        (false, None) => out.put_i16(-1),
        (false, Some(_)) => out.put_i16(number),
    }
    out.put_slice(value.unwrap_or_default().as_bytes());
    Ok(())
}

/// Writes bytes or null.
pub(crate) fn put_bytes(
    out: &mut Output,
    value: Option<&[u8]>,
    flex: bool,
    field: &'static str,
) -> Result<(), EncodeError> {
    put_count(out, value.map(<[u8]>::len), flex, field)?;
    out.put_slice(value.unwrap_or_default());
    Ok(())
}

/// Writes record batches or null, wherever they are.
pub(crate) fn put_records(
    out: &mut Output,
    value: Option<&Piece>,
    flex: bool,
    field: &'static str,
) -> Result<(), EncodeError> {
    put_count(out, value.map(Piece::len), flex, field)?;
    if let Some(piece) = value {
        out.put_piece(piece.clone());
    }
    Ok(())
}

/// Writes a struct or null.
pub(crate) fn put_nullable_struct<T: Struct>(
    out: &mut Output,
    value: Option<&T>,
    v: i16,
) -> Result<(), EncodeError> {
    match value {
        None => out.put_i8(-1),
        Some(value) => {
            out.put_i8(1);
            value.write(out, v)?;
        }
    }
    Ok(())
}

/// Writes a struct or null in a tagged field.
pub(crate) fn put_nullable_tagged_struct<T: Struct>(
    out: &mut Output,
    value: Option<&T>,
    v: i16,
) -> Result<(), EncodeError> {
    out.put_uvarint(u32::from(value.is_some()));
    value.map_or(Ok(()), |value| value.write(out, v))
}

/// Refuses a field that has a value in a version without it.
pub(crate) fn absent(
    differs: bool,
    message: &'static str,
    field: &'static str,
    version: i16,
) -> Result<(), EncodeError> {
    if differs { Err(EncodeError::FieldAbsent { message, field, version }) } else { Ok(()) }
}

/// Refuses null in a version without it.
pub(crate) fn not_null(
    good: bool,
    message: &'static str,
    field: &'static str,
    version: i16,
) -> Result<(), EncodeError> {
    if good { Ok(()) } else { Err(EncodeError::UnexpectedNull { message, field, version }) }
}

/// Writes a tag and gives the position at which its field starts.
pub(crate) fn begin_tag(out: &mut Output, tag: u32) -> usize {
    out.put_uvarint(tag);
    out.memory_len()
}

/// Puts the size of the field that starts at `start` before it.
pub(crate) fn finish_tag(out: &mut Output, start: usize) {
    out.insert_uvarint(start, (out.memory_len() - start) as u32);
}

/// The only version of the frame around metadata records.
const FRAME_VERSION: u32 = 1;

/// Writes the frame before a metadata record.
pub(crate) fn put_frame(out: &mut Output, record_type: i16, version: i16) {
    out.put_uvarint(FRAME_VERSION);
    out.put_uvarint(record_type as u32);
    out.put_uvarint(version as u32);
}

/// Reads a frame and with `read` the record in it, which must be the whole rest.
pub(crate) fn decode_framed<T>(
    value: Bytes,
    read: fn(i16, i16, &mut Reader) -> Result<T, DecodeError>,
) -> Result<(T, i16), DecodeError> {
    let mut input = Reader::new(value);
    let frame = input.uvarint()?;
    if frame != FRAME_VERSION {
        return Err(DecodeError::UnknownKey { kind: "frame version", key: frame.into() });
    }
    let mut small = |kind| {
        let number = input.uvarint()?;
        i16::try_from(number).map_err(|_| DecodeError::UnknownKey { kind, key: number.into() })
    };
    let (record_type, version) = (small("record type")?, small("record version")?);
    let record = read(record_type, version, &mut input)?;
    if input.remaining() > 0 {
        return Err(DecodeError::Invalid(format!("{} bytes stand behind the record", input.remaining())));
    }
    Ok((record, version))
}
