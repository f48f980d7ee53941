//! What is to be set and taken back.

use std::collections::BTreeMap;

use client::admin::ConfigChange;

use crate::configuration::read_properties;
use crate::failure::{Result, failed};
use crate::flags::Arguments;

/// The changes that the flags ask for: deletions first.
pub(super) fn of(arguments: &Arguments) -> Result<Vec<(String, ConfigChange)>> {
    let mut set = BTreeMap::new();
    if let Some(file) = arguments.get("add-config-file") {
        set.extend(read_properties(file)?);
    }
    if let Some(text) = arguments.get("add-config") {
        set.extend(parse(text)?);
    }
    let deleted: Vec<&str> =
        arguments.each("delete-config").flat_map(|names| names.split(',')).map(str::trim).collect();
    set.keys().map(String::as_str).chain(deleted.iter().copied()).try_for_each(check_key)?;
    let deletions = deleted.into_iter().map(|name| (name.to_owned(), ConfigChange::Delete));
    Ok(deletions.chain(set.into_iter().map(|(name, value)| (name, ConfigChange::Set(value)))).collect())
}

fn check_key(key: &str) -> Result<()> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if key.chars().all(legal) {
        return Ok(());
    }
    failed(format!("Invalid character found for config key: {key}"))
}

/// `k1=v1,k2=[v1,v2]`: commas and equals signs inside of brackets belong to the value.
fn parse(text: &str) -> Result<Vec<(String, String)>> {
    let pair = |entry: &str| match split(entry, '=').as_slice() {
        [name, value] => Some((name.trim().to_owned(), value.replace(['[', ']'], "").trim().to_owned())),
        _ => None,
    };
    match split(text, ',').into_iter().map(pair).collect::<Option<Vec<_>>>() {
        Some(pairs) => Ok(pairs),
        None => failed("Invalid entity config: all configs to be added must be in the format \"key=val\"."),
    }
}

/// Splits outside of brackets.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_i32);
    for (at, letter) in text.char_indices() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            letter if letter == separator && depth <= 0 => {
                parts.push(&text[start..at]);
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_are_split_outside_of_brackets() {
        let check = |text: &str, expect: Option<&[(&str, &str)]>| {
            let got = parse(text).ok();
            let expect = expect.map(|pairs| {
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
            });
            assert_eq!(got, expect, "{text}");
        };
        check("a=1", Some(&[("a", "1")]));
        check("a=1,b=[x,y]", Some(&[("a", "1"), ("b", "x,y")]));
        check("a = 1 , b=", Some(&[("a", "1"), ("b", "")]));
        check("a=[delete]", Some(&[("a", "delete")]));
        check("SCRAM=[iterations=8192,password=pw]", Some(&[("SCRAM", "iterations=8192,password=pw")]));
        check("a", None);
        check("a=b=c", None);
        assert!(check_key("a.b_c-D9").is_ok() && check_key("a b").is_err());
    }
}
