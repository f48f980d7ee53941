//! The notation of `defs/messages` and `defs/records` → [`Message`]s. `defs/README.md` describes it.
//!
//! A file is read line by line; a field belongs to the closest line above that stands further left. Versions that a line
//! leaves out are those of what it stands in, so every [`Field`] comes out with its own.

use std::path::Path;

use super::model::{Field, Kind, Message, Struct, Type, Versions};
use crate::error::Error;

/// Parses one file.
pub(crate) fn parse(file: &Path, text: &str) -> Result<Vec<Message>, Error> {
    let mut parser = Parser::default();
    for (index, line) in text.lines().enumerate() {
        parser.line(index + 1, line).map_err(|message| Error::new(file, index + 1, message))?;
    }
    parser.end_message();
    Ok(parser.messages)
}

type Result1<T> = Result<T, String>;

#[derive(Default)]
struct Parser {
    family: String,
    /// Comment lines directly above.
    about: Vec<String>,
    head: Option<Message>,
    current: Option<Message>,
    /// The lines that are open, outermost first: their column, and the place of the struct that they open, if any.
    open: Vec<(usize, Option<usize>)>,
    messages: Vec<Message>,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result1<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let column = line.len() - line.trim_start().len();
        match words.first() {
            None => self.about.clear(),
            Some(word) if word.starts_with('#') => {
                self.about.push(line.trim_start_matches(['#', ' ']).trim_end().to_owned());
            }
            Some(&"family") if column == 0 => {
                self.family = one_word(&words[1..])?.to_owned();
            }
            Some(&("request" | "response" | "key" | "value")) if column == 0 => {
                self.section(number, &words)?
            }
            Some(_) if column == 0 => self.head(number, &words)?,
            Some(&"struct") => self.named_struct(number, column, &words)?,
            Some(_) => self.field(number, column, &words)?,
        }
        Ok(())
    }

    /// `api 0 Produce versions 3-13 flexible 9+ on broker`
    fn head(&mut self, number: usize, words: &[&str]) -> Result1<()> {
        self.end_message();
        let mut words = words.iter().copied().peekable();
        let kind = match words.next().unwrap_or_default() {
            "api" => Kind::Request,
            "record" => Kind::Record,
            "header" => Kind::Header,
            "data" => Kind::Data,
            word => return Err(format!("`{word}` begins no message, section or family")),
        };
        let key = words.next_if(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let key = key.map(|key| key.parse().map_err(|_| format!("`{key}` is not a number"))).transpose()?;
        let name = words.next().ok_or("the name is missing")?.to_owned();
        let mut message = Message {
            base: name.clone(),
            name,
            kind,
            about: self.about.join(" "),
            key,
            versions: Versions(0, -1),
            stable: -1,
            flexible: None,
            listeners: Vec::new(),
            family: self.family.clone(),
            structs: Vec::new(),
        };
        self.about.clear();
        head_words(&mut message, &mut words)?;
        if kind == Kind::Request && (key.is_none() || message.listeners.is_empty()) {
            return Err("an api needs a key and `on` with its listeners".to_owned());
        }
        if kind == Kind::Request {
            self.head = Some(message);
        } else {
            self.head = Some(message.clone());
            self.begin(number, message);
        }
        Ok(())
    }

    fn section(&mut self, number: usize, words: &[&str]) -> Result1<()> {
        one_word(words)?;
        let mut message = self.head.clone().ok_or("a section before any message")?;
        let section = words[0];
        let api = message.kind == Kind::Request;
        (message.kind, message.name) = match section {
            "request" if api => (Kind::Request, format!("{}Request", message.base)),
            "response" if api => (Kind::Response, format!("{}Response", message.base)),
            "key" if message.kind == Kind::Record => (Kind::Key, format!("{}Key", message.base)),
            "value" if message.kind == Kind::Record => (Kind::Value, format!("{}Value", message.base)),
            _ => return Err(format!("no `{section}` here")),
        };
        if message.kind == Kind::Key {
            // What Kafka writes before a key is the record type; the key itself has one form.
            (message.versions, message.stable, message.flexible) = (Versions(0, 0), 0, None);
        }
        // `record` opens a message of its own, which the first section replaces.
        if self.current.as_ref().is_some_and(|open| open.kind == Kind::Record) {
            self.current = None;
        }
        self.end_message_but_head();
        self.begin(number, message);
        Ok(())
    }

    fn begin(&mut self, line: usize, mut message: Message) {
        let root =
            Struct { name: message.name.clone(), versions: message.versions, fields: Vec::new(), line };
        message.structs.push(root);
        self.current = Some(message);
        self.open = vec![(0, Some(0))];
    }

    fn named_struct(&mut self, line: usize, column: usize, words: &[&str]) -> Result1<()> {
        let name = one_word(&words[1..])?;
        let message = self.current.as_mut().ok_or("a struct before any message")?;
        self.open.truncate(1);
        message.structs.push(Struct {
            name: name.to_owned(),
            versions: message.versions,
            fields: Vec::new(),
            line,
        });
        self.open.push((column, Some(message.structs.len() - 1)));
        Ok(())
    }

    fn field(&mut self, line: usize, column: usize, words: &[&str]) -> Result1<()> {
        while self.open.last().is_some_and(|(parent, _)| *parent >= column) {
            self.open.pop();
        }
        let message = self.current.as_mut().ok_or("a field before any message or section")?;
        let parent = self.open.last().and_then(|(_, parent)| *parent);
        let parent = parent.ok_or("a field stands below one that is no struct")?;
        let field = parse_field(line, words, message.structs[parent].versions)?;
        if let Type::Struct(name) = &field.r#type {
            // Whether fields follow below is not known yet: an empty one is dropped when the message ends.
            message.structs.push(Struct {
                name: name.clone(),
                versions: field.versions,
                fields: Vec::new(),
                line,
            });
            self.open.push((column, Some(message.structs.len() - 1)));
        } else {
            self.open.push((column, None));
        }
        message.structs[parent].fields.push(field);
        Ok(())
    }

    fn end_message_but_head(&mut self) {
        if let Some(mut message) = self.current.take() {
            let mut place = 0;
            message.structs.retain(|one| {
                place += 1;
                place == 1 || !one.fields.is_empty()
            });
            self.messages.push(message);
        }
    }

    fn end_message(&mut self) {
        self.end_message_but_head();
        self.head = None;
    }
}

fn one_word<'a>(words: &[&'a str]) -> Result1<&'a str> {
    match words {
        [word] => Ok(word),
        _ => Err(format!("one word expected, not `{}`", words.join(" "))),
    }
}

fn head_words<'a>(message: &mut Message, words: &mut impl Iterator<Item = &'a str>) -> Result1<()> {
    while let Some(word) = words.next() {
        match word {
            "versions" => {
                message.versions = parse_versions(words.next().unwrap_or_default(), i16::MAX)?;
                if message.versions.1 == i16::MAX {
                    return Err("a message has a last version".to_owned());
                }
                message.stable = message.versions.1;
            }
            "unstable" => {
                let version = words.next().unwrap_or_default();
                message.stable =
                    version.parse::<i16>().map_err(|_| format!("`{version}` is not a version"))? - 1;
            }
            "flexible" => {
                message.flexible = match words.next().unwrap_or_default() {
                    "none" => None,
                    range => Some(parse_versions(range, i16::MAX)?.0),
                };
            }
            "on" => message.listeners.extend(words.by_ref().map(str::to_owned)),
            word => return Err(format!("`{word}` is not `versions`, `unstable`, `flexible` or `on`")),
        }
    }
    if message.versions.1 < 0 {
        return Err("`versions` is missing".to_owned());
    }
    Ok(())
}

/// `3-7`, `3+` or `3`.
fn parse_versions(text: &str, last: i16) -> Result1<Versions> {
    let number = |text: &str| text.parse::<i16>().map_err(|_| format!("`{text}` is not a version"));
    let versions = match (text.strip_suffix('+'), text.split_once('-')) {
        (Some(first), _) => Versions(number(first)?, last),
        (None, Some((first, last))) => Versions(number(first)?, number(last)?),
        (None, None) => Versions(number(text)?, number(text)?),
    };
    if versions.0 > versions.1 {
        return Err(format!("`{text}` holds no version"));
    }
    Ok(versions)
}

fn parse_field(line: usize, words: &[&str], parent: Versions) -> Result1<Field> {
    let [name, r#type, rest @ ..] = words else {
        return Err("a field has a name and a type".to_owned());
    };
    let mut rest = rest.iter().copied().peekable();
    let versions = match rest.next_if(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
        None => parent,
        Some(text) => {
            let versions = parse_versions(text, parent.1)?;
            if !parent.contains(versions) || versions == parent {
                return Err(format!("`{text}` is not a part of versions {}-{}", parent.0, parent.1));
            }
            versions
        }
    };
    let (r#type, array, nullable) = parse_type(r#type, versions)?;
    let mut field = Field {
        name: (*name).to_owned(),
        r#type,
        array,
        versions,
        nullable,
        default: None,
        tag: None,
        ignorable: false,
        key: false,
        classic: false,
        entity: None,
        line,
    };
    while let Some(word) = rest.next() {
        let mut next = || rest.next().ok_or(format!("something is missing after `{word}`"));
        match word {
            "=" => field.default = Some(next()?.to_owned()),
            "tag" => field.tag = Some(next()?.parse().map_err(|_| "a tag is a number".to_owned())?),
            "entity" => field.entity = Some(next()?.to_owned()),
            "ignorable" => field.ignorable = true,
            "key" => field.key = true,
            "classic" => field.classic = true,
            word => return Err(format!("`{word}` says nothing about a field")),
        }
    }
    Ok(field)
}

fn parse_type(text: &str, versions: Versions) -> Result1<(Type, bool, Option<Versions>)> {
    let (text, array) = text.strip_prefix("[]").map_or((text, false), |text| (text, true));
    let (text, nullable) = match text.split_once('?') {
        None => (text, None),
        Some((text, "")) => (text, Some(versions)),
        Some((text, range)) => {
            let nullable = parse_versions(range, versions.1)?;
            if !versions.contains(nullable) || nullable == versions {
                return Err(format!("`{range}` is not a part of versions {}-{}", versions.0, versions.1));
            }
            (text, Some(nullable))
        }
    };
    let r#type = match text {
        "bool" => Type::Bool,
        "i8" => Type::I8,
        "i16" => Type::I16,
        "i32" => Type::I32,
        "i64" => Type::I64,
        "u16" => Type::U16,
        "u32" => Type::U32,
        "f64" => Type::F64,
        "error" => Type::Error,
        "uuid" => Type::Uuid,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "records" => Type::Records,
        name if name.starts_with(|c: char| c.is_ascii_uppercase()) => Type::Struct(name.to_owned()),
        name => return Err(format!("`{name}` is not a type")),
    };
    Ok((r#type, array, nullable))
}
