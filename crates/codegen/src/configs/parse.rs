//! Reads the notation of a config table.

use std::path::Path;

use super::{Check, Config, Default, Fields, Importance, Kind, Mode, Table};
use crate::error::Error;

/// Reads one file.
pub(super) fn table(file: &Path, text: &str) -> Result<Table, Error> {
    let mut table = Table { record: None, configs: Vec::new() };
    let mut section = String::new();
    for (index, line) in text.lines().enumerate() {
        let fail = |message: String| Error::new(file, index + 1, message);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        } else if let Some(title) = line.strip_prefix("== ") {
            section = title.trim().to_owned();
        } else if let Some(rest) = line.strip_prefix("struct ") {
            table.record = Some(record(rest).map_err(fail)?);
        } else if line.starts_with(' ') {
            let config = table.configs.last_mut();
            below(config.ok_or_else(|| fail("no config stands above this line".into()))?, line.trim())
                .map_err(fail)?;
        } else {
            let config = head(index + 1, &section, line).map_err(fail)?;
            if table.configs.iter().any(|other| other.name == config.name) {
                return Err(fail(format!("`{}` stands here twice", config.name)));
            }
            table.configs.push(config);
        }
    }
    match table.configs.iter().find(|config| config.doc.is_empty()) {
        Some(config) => Err(Error::new(file, config.line, format!("`{}` has no text", config.name))),
        None => Ok(table),
    }
}

fn record(rest: &str) -> Result<(String, Fields), String> {
    match rest.split_once(" of ").map(|(name, fields)| (name.trim(), fields.trim())) {
        Some((name, "built")) => Ok((name.to_owned(), Fields::Built)),
        Some((name, "all")) => Ok((name.to_owned(), Fields::All)),
        _ => Err("expected `struct NAME of built` or `struct NAME of all`".into()),
    }
}

/// A line below a config's first: stand-ins, what it inherits, or a line of its text.
fn below(config: &mut Config, line: &str) -> Result<(), String> {
    if config.doc.is_empty() && line.starts_with("or ") {
        config.stand_ins = line[3..].split(',').map(|name| name.trim().to_owned()).collect();
    } else if config.doc.is_empty() && line.starts_with("from ") {
        for one in line[5..].split(',') {
            let (name, factor) = one.split_once('*').unwrap_or((one, "1"));
            let factor = factor.trim().parse().map_err(|_| format!("`{factor}` is not a factor"))?;
            config.inherits.push((name.trim().to_owned(), factor));
        }
    } else {
        if !config.doc.is_empty() {
            config.doc.push(' ');
        }
        config.doc.push_str(line);
    }
    Ok(())
}

/// `name: type = default; clause; …`
fn head(line: usize, section: &str, text: &str) -> Result<Config, String> {
    let (name, rest) = text.split_once(": ").ok_or("expected `name: type = default`")?;
    let mut clauses = rest.split("; ").map(str::trim);
    let first = clauses.next().unwrap_or_default();
    let (kind, default) = first.split_once(' ').ok_or("expected `type = default` or `type required`")?;
    let kind = kind_of(kind)?;
    let default = match default.trim() {
        "required" => Default::Required,
        "= null" => Default::Null,
        text => Default::Text(default_of(
            kind,
            text.strip_prefix("= ").ok_or("expected `= default` or `required`")?,
        )?),
    };
    let mut config = Config {
        line,
        section: section.to_owned(),
        name: name.to_owned(),
        kind,
        default,
        check: if kind == Kind::List { Check::List { values: Vec::new(), empty: true } } else { Check::Any },
        mode: Mode::Static,
        listener: false,
        importance: Importance::Medium,
        internal: false,
        field: None,
        built: false,
        at_start: false,
        stand_ins: Vec::new(),
        inherits: Vec::new(),
        doc: String::new(),
    };
    for text in clauses {
        clause(&mut config, text)?;
    }
    Ok(config)
}

fn kind_of(word: &str) -> Result<Kind, String> {
    Ok(match word {
        "boolean" => Kind::Boolean,
        "string" => Kind::String,
        "int" => Kind::Int,
        "short" => Kind::Short,
        "long" => Kind::Long,
        "double" => Kind::Double,
        "list" => Kind::List,
        "class" => Kind::Class,
        "password" => Kind::Password,
        _ => return Err(format!("`{word}` is not a type")),
    })
}

/// The default as Kafka prints it: numbers in full, entries of a list without blanks between them.
fn default_of(kind: Kind, text: &str) -> Result<String, String> {
    Ok(match kind {
        Kind::Boolean if text != "true" && text != "false" => {
            return Err(format!("`{text}` is not a boolean"));
        }
        Kind::Int | Kind::Short | Kind::Long => integer(kind, text)?.to_string(),
        Kind::Double => format!("{:?}", double(text)?).replace('e', "E"),
        _ if text == "\"\"" => String::new(),
        Kind::List => text.split(',').map(str::trim).collect::<Vec<_>>().join(","),
        _ => text.to_owned(),
    })
}

fn clause(config: &mut Config, text: &str) -> Result<(), String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match (word, rest) {
        ("at", bound) => {
            config.check =
                bounds(config.kind, bound.strip_prefix("least ").ok_or("expected `at least`")?, None)?;
        }
        ("between", rest) => {
            let (least, most) = rest.split_once(" and ").ok_or("expected `between N and N`")?;
            config.check = bounds(config.kind, least, Some(most))?;
        }
        ("one", rest) => {
            let rest = rest.strip_prefix("of").ok_or("expected `one of`")?.trim_start_matches(',').trim();
            let (any_case, list) = match rest.strip_prefix("in any case,") {
                Some(list) => (true, list),
                None => (false, rest),
            };
            config.check = Check::OneOf { values: words(list), any_case };
        }
        ("each", rest) => match &mut config.check {
            Check::List { values, .. } => {
                *values = words(rest.strip_prefix("of ").ok_or("expected `each of`")?)
            }
            _ => return Err("`each of` is for lists".into()),
        },
        ("not", "empty") => match &mut config.check {
            Check::List { empty, .. } => *empty = false,
            check => *check = Check::NotEmpty,
        },
        ("voters", "") => config.check = Check::Voters,
        ("bootstrap", "servers") => config.check = Check::BootstrapServers,
        ("throttled", "replicas") => config.check = Check::ThrottledReplicas,
        ("offset", "reset") => config.check = Check::OffsetReset,
        ("cluster", "") => config.mode = Mode::Cluster,
        ("per", "broker") => config.mode = Mode::PerBroker,
        ("listener", "") => config.listener = true,
        ("high", "") => config.importance = Importance::High,
        ("low", "") => config.importance = Importance::Low,
        ("internal", "") => config.internal = true,
        ("built", "") => config.built = true,
        ("built", "at start") => (config.built, config.at_start) = (true, true),
        ("as", name) => config.field = Some(name.to_owned()),
        _ => return Err(format!("`{text}` is not a clause")),
    }
    Ok(())
}

fn words(list: &str) -> Vec<String> {
    list.split(',').map(|word| word.trim().to_owned()).collect()
}

fn bounds(kind: Kind, least: &str, most: Option<&str>) -> Result<Check, String> {
    if kind == Kind::Double {
        return Ok(Check::Double { least: double(least)?, most: most.map(double).transpose()? });
    }
    let (most, or) = match most.map(|most| most.split_once(" or ").unwrap_or((most, ""))) {
        None => (None, None),
        Some((most, "")) => (Some(integer(kind, most)?), None),
        Some((most, or)) => (Some(integer(kind, most)?), Some(integer(kind, or)?)),
    };
    Ok(Check::Integer { least: integer(kind, least)?, most, or })
}

/// A whole number with an optional unit, or `max`; it must fit the type.
fn integer(kind: Kind, text: &str) -> Result<i64, String> {
    let most = match kind {
        Kind::Short => i64::from(i16::MAX),
        Kind::Int => i64::from(i32::MAX),
        Kind::Long => i64::MAX,
        _ => return Err("a number stands where the type has none".into()),
    };
    if text == "max" {
        return Ok(most);
    }
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let unit = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("`{unit}` is not a unit")),
    };
    let number: i64 = number.parse().map_err(|_| format!("`{number}` is not a number"))?;
    number
        .checked_mul(unit)
        .filter(|value| (-most - 1..=most).contains(value))
        .ok_or_else(|| format!("`{text}` does not fit the type"))
}

fn double(text: &str) -> Result<f64, String> {
    if text == "max" {
        return Ok(f64::MAX);
    }
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}
