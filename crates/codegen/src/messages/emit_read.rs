//! A struct's `read`: bytes → struct.

use std::fmt::Write;

use super::emit_type::{UNKNOWN_TAGS, default, keeps_tags};
use super::model::{Field, Message, Struct, Type};
use super::names::{flexible, flexible_local, snake, within};

/// `const MIN` and `fn read` of `impl Struct`.
pub(crate) fn emit(message: &Message, one: &Struct) -> String {
    let mut source = format!("    const MIN: usize = {};\n\n", minimum(message, one));
    source.push_str("    fn read(input: &mut Reader, v: i16) -> Result<Self, DecodeError> {\n");
    source.push_str(&flexible_local(message, one));
    for field in &one.fields {
        let name = snake(&field.name);
        if field.tag.is_some() {
            let _ = writeln!(source, "        let mut {name} = {};", default(field));
            continue;
        }
        let value = value(message, one, field);
        let _ = match within(field.versions, one.versions) {
            None => writeln!(source, "        let {name} = {value};"),
            Some(condition) => {
                writeln!(
                    source,
                    "        let {name} = if {condition} {{ {value} }} else {{ {} }};",
                    default(field)
                )
            }
        };
    }
    source.push_str(&read_tags(message, one));
    source.push_str("        Ok(Self {");
    for field in &one.fields {
        let _ = write!(source, " {},", snake(&field.name));
    }
    if keeps_tags(message) {
        let _ = write!(source, " {UNKNOWN_TAGS}");
    }
    source.push_str(" })\n    }\n\n");
    source
}

fn read_tags(message: &Message, one: &Struct) -> String {
    let mut source = String::new();
    let keep = keeps_tags(message);
    if keep {
        let _ = writeln!(source, "        let mut {UNKNOWN_TAGS} = UnknownTags::default();");
    }
    let (open, close) = match flexible(message, one) {
        "false" => return source,
        "true" => ("        {\n", "        }\n"),
        _ => ("        if flex {\n", "        }\n"),
    };
    let tagged: Vec<&Field> = one.fields.iter().filter(|field| field.tag.is_some()).collect();
    if tagged.is_empty() && !keep {
        return format!("{open}            codec::skip_tags(input)?;\n{close}");
    }
    source.push_str(open);
    source.push_str("            for _ in 0..codec::tag_count(input)? {\n");
    source.push_str("                let (tag, end) = codec::tag(input)?;\n                match tag {\n");
    for field in &tagged {
        let (name, tag) = (snake(&field.name), field.tag.unwrap_or_default());
        let value = value(message, one, field);
        let condition = within(field.versions, one.versions).filter(|condition| {
            // Being here at all already means that the version is flexible.
            message.flexible.is_none_or(|first| *condition != format!("v >= {first}"))
        });
        let condition = condition.map(|condition| format!(" if {condition}")).unwrap_or_default();
        let _ = writeln!(source, "                    {tag}{condition} => {name} = {value},");
        if !condition.is_empty() {
            let _ =
                writeln!(source, "                    {tag} => return Err(codec::misplaced_tag(tag, v)),");
        }
    }
    let other = if keep {
        format!("{UNKNOWN_TAGS}.keep(input, tag, end)?")
    } else {
        "codec::skip_to(input, end)?".to_owned()
    };
    let _ = writeln!(source, "                    _ => {other},\n                }}");
    source.push_str("                codec::end_of_tag(input, tag, end)?;\n            }\n");
    source.push_str(close);
    source
}

/// The expression that reads a field that is there.
fn value(message: &Message, one: &Struct, field: &Field) -> String {
    let flex = if field.classic { "false" } else { flexible(message, one) };
    let name = &field.name;
    let optional = field.optional();
    let value = match (&field.r#type, field.array) {
        (Type::Struct(_), true) => format!("codec::array(input, {flex}, v, {name:?})?"),
        (r#type, true) => format!("codec::{}_array(input, {flex}, {name:?})?", primitive(r#type)),
        (Type::String, _) if optional => format!("codec::nullable_string(input, {flex})?"),
        (Type::String, _) => format!("codec::string(input, {flex}, {name:?})?"),
        (Type::Bytes, _) if optional => format!("codec::nullable_bytes(input, {flex})?"),
        (Type::Bytes, _) => format!("codec::bytes(input, {flex}, {name:?})?"),
        (Type::Records, _) if optional => format!("codec::nullable_records(input, {flex})?"),
        (Type::Records, _) => format!("codec::records(input, {flex}, {name:?})?"),
        (Type::Struct(_), _) if optional && field.tag.is_some() => {
            "codec::nullable_tagged_struct(input, v)?".to_owned()
        }
        (Type::Struct(_), _) if optional => "codec::nullable_struct(input, v)?".to_owned(),
        (Type::Struct(struct_name), _) => format!("{struct_name}::read(input, v)?"),
        (Type::Error, _) => "ErrorCode(input.i16()?)".to_owned(),
        (r#type, _) => format!("input.{}()?", primitive(r#type)),
    };
    match field.nullable {
        None if field.array => format!("codec::required({value}, {name:?})?"),
        Some(nullable) => match within(nullable, field.versions) {
            None => value,
            Some(condition) => format!("codec::null_only_if({condition}, {value}, {name:?})?"),
        },
        _ => value,
    }
}

/// The part of a function's name that stands for a type.
pub(crate) fn primitive(r#type: &Type) -> &'static str {
    match r#type {
        Type::Bool => "bool",
        Type::I8 => "i8",
        Type::I16 => "i16",
        Type::I32 => "i32",
        Type::I64 => "i64",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::F64 => "f64",
        Type::Error => "error",
        Type::Uuid => "uuid",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Records | Type::Struct(_) => "other",
    }
}

/// The fewest bytes that the struct takes in any of its versions, as a constant expression.
fn minimum(message: &Message, one: &Struct) -> String {
    let flex = flexible(message, one);
    let mut bytes = usize::from(flex == "true");
    let mut terms = String::new();
    for field in &one.fields {
        if field.tag.is_some() || field.versions != one.versions {
            continue;
        }
        let compact = flex != "false" && !field.classic;
        bytes += match (&field.r#type, field.array) {
            (_, true) | (Type::Bytes | Type::Records, _) => {
                if compact {
                    1
                } else {
                    4
                }
            }
            (Type::String, _) => {
                if compact {
                    1
                } else {
                    2
                }
            }
            (Type::Struct(_), _) if field.optional() => 1,
            (Type::Struct(name), _) => {
                let _ = write!(terms, " + {name}::MIN");
                0
            }
            (Type::Bool | Type::I8, _) => 1,
            (Type::I16 | Type::U16 | Type::Error, _) => 2,
            (Type::I32 | Type::U32, _) => 4,
            (Type::I64 | Type::F64, _) => 8,
            (Type::Uuid, _) => 16,
        };
    }
    format!("{bytes}{terms}")
}
