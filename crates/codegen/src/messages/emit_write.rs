//! A struct's `write`: struct → bytes.

use std::fmt::Write;

use super::emit_read::primitive;
use super::emit_type::{UNKNOWN_TAGS, differs, keeps_tags};
use super::model::{Field, Message, Struct, Type};
use super::names::{flexible, flexible_local, snake, within};

/// `fn write` of `impl Struct`.
pub(crate) fn emit(message: &Message, one: &Struct) -> String {
    let mut source =
        "    fn write(&self, out: &mut Output, v: i16) -> Result<(), EncodeError> {\n".to_owned();
    source.push_str(&flexible_local(message, one));
    for field in &one.fields {
        let check = (!field.ignorable).then(|| absent(one, field));
        let write = field.tag.is_none().then(|| value(message, one, field));
        let lines = match (within(field.versions, one.versions), write, check) {
            (None, write, _) => write.unwrap_or_default(),
            (Some(condition), Some(write), Some(check)) => {
                format!("if {condition} {{ {write} }} else {{ {check} }}")
            }
            (Some(condition), Some(write), None) => format!("if {condition} {{ {write} }}"),
            (Some(condition), None, Some(check)) => format!("if !({condition}) {{ {check} }}"),
            (Some(_), None, None) => String::new(),
        };
        if !lines.is_empty() {
            let _ = writeln!(source, "        {lines}");
        }
    }
    source.push_str(&write_tags(message, one));
    source.push_str("        Ok(())\n    }\n");
    source
}

fn absent(one: &Struct, field: &Field) -> String {
    format!("codec::absent({}, {:?}, {:?}, v)?;", differs(field), one.name, field.name)
}

fn write_tags(message: &Message, one: &Struct) -> String {
    let (open, close) = match flexible(message, one) {
        "false" => return String::new(),
        "true" => ("", ""),
        _ => ("        if flex {\n", "        }\n"),
    };
    let mut source = open.to_owned();
    let mut tagged: Vec<&Field> = one.fields.iter().filter(|field| field.tag.is_some()).collect();
    tagged.sort_by_key(|field| field.tag);
    let mut counts = Vec::new();
    for field in &tagged {
        let tag = field.tag.unwrap_or_default();
        let condition = match within(field.versions, one.versions) {
            None => differs(field),
            Some(condition) => format!("{condition} && {}", differs(field)),
        };
        let _ = writeln!(source, "        let tag{tag} = {condition};");
        counts.push(format!("u32::from(tag{tag})"));
    }
    let keep = keeps_tags(message);
    if keep {
        counts.push(format!("self.{UNKNOWN_TAGS}.count()"));
    }
    let count = if counts.is_empty() { "0".to_owned() } else { counts.join(" + ") };
    let _ = writeln!(source, "        out.put_uvarint({count});");
    let mut above = 0;
    for field in &tagged {
        let tag = field.tag.unwrap_or_default();
        if keep && tag > above {
            let _ = writeln!(source, "        self.{UNKNOWN_TAGS}.put(out, {above}..={});", tag - 1);
        }
        let write = value(message, one, field);
        let _ = writeln!(
            source,
            "        if tag{tag} {{ let start = codec::begin_tag(out, {tag}); {write} codec::finish_tag(out, start); }}"
        );
        above = tag + 1;
    }
    if keep {
        let _ = writeln!(source, "        self.{UNKNOWN_TAGS}.put(out, {above}..=u32::MAX);");
    }
    source.push_str(close);
    source
}

/// The statements that write a field that is there.
fn value(message: &Message, one: &Struct, field: &Field) -> String {
    let flex = if field.classic { "false" } else { flexible(message, one) };
    let name = &field.name;
    let place = format!("self.{}", snake(name));
    let optional = field.optional();
    let slice = if optional { format!("{place}.as_deref()") } else { format!("Some(&{place})") };
    let write = match (&field.r#type, field.array) {
        (Type::Struct(_), true) => format!("codec::put_array(out, {slice}, {flex}, v, {name:?})?;"),
        (r#type, true) => format!("codec::put_{}_array(out, {slice}, {flex}, {name:?})?;", primitive(r#type)),
        (Type::String, _) => format!("codec::put_string(out, {slice}, {flex}, {name:?})?;"),
        (Type::Bytes, _) => format!("codec::put_bytes(out, {slice}, {flex}, {name:?})?;"),
        (Type::Records, _) => {
            let piece = if optional { format!("{place}.as_ref()") } else { format!("Some(&{place})") };
            format!("codec::put_records(out, {piece}, {flex}, {name:?})?;")
        }
        (Type::Struct(_), _) if optional && field.tag.is_some() => {
            format!("codec::put_nullable_tagged_struct(out, {place}.as_ref(), v)?;")
        }
        (Type::Struct(_), _) if optional => format!("codec::put_nullable_struct(out, {place}.as_ref(), v)?;"),
        (Type::Struct(_), _) => format!("{place}.write(out, v)?;"),
        (Type::Error, _) => format!("out.put_i16({place}.0);"),
        (r#type, _) => format!("out.put_{}({place});", primitive(r#type)),
    };
    match field.nullable.and_then(|nullable| within(nullable, field.versions)) {
        None => write,
        Some(condition) => {
            let message = &one.name;
            format!("codec::not_null({condition} || {place}.is_some(), {message:?}, {name:?}, v)?; {write}")
        }
    }
}
