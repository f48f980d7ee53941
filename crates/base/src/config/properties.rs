//! Java's properties files: `server.properties`, `meta.properties`.
//!
//! ```text
//!   # comment, ! comment
//!   key=value      key: value      key value        blanks around the separator go, those at the end stay
//!   key = first \
//!         second                                    a line that ends in an odd number of backslashes goes on
//!   a\=b = \u00e9\t\n                              escapes, in keys as well
//! ```
//!
//! A key that stands twice has its last value, as in Java. Text is UTF-8 here; Java reads Latin-1, where everything
//! beyond ASCII stands as `\uXXXX`, which reads the same.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use super::error::ConfigError;

/// Configs by name, as text.
pub type Properties = BTreeMap<String, String>;

/// Reads a properties file.
///
/// # Errors
/// When an escape is not one.
pub fn parse(text: &str) -> Result<Properties, ConfigError> {
    let mut properties = Properties::new();
    let text = text.replace("\r\n", "\n");
    let mut lines = text.split(['\n', '\r']).zip(1..);
    while let Some((line, number)) = lines.next() {
        let mut logical = line.trim_start_matches(is_blank).to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while ends_in_continuation(&logical) {
            logical.pop();
            match lines.next() {
                Some((line, _)) => logical.push_str(line.trim_start_matches(is_blank)),
                None => break,
            }
        }
        let (key, value) = pair(&logical).map_err(|why| ConfigError::Syntax { line: number, why })?;
        properties.insert(key, value);
    }
    Ok(properties)
}

/// Reads one `key=value` of the command line; nothing is unescaped in it.
///
/// # Errors
/// When there is no `=` or no key.
pub fn parse_override(argument: &str) -> Result<(String, String), ConfigError> {
    match argument.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err(ConfigError::Rule(format!("`{argument}` is not an override: expected key=value"))),
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

fn pair(line: &str) -> Result<(String, String), String> {
    let mut rest = line.chars().peekable();
    let mut key = String::new();
    while let Some(c) = rest.next_if(|&c| !is_blank(c) && c != '=' && c != ':') {
        key.push(unescape(c, &mut rest)?);
    }
    while rest.next_if(|&c| is_blank(c)).is_some() {}
    if rest.next_if(|&c| c == '=' || c == ':').is_some() {
        while rest.next_if(|&c| is_blank(c)).is_some() {}
    }
    let mut value = String::new();
    while let Some(c) = rest.next() {
        value.push(unescape(c, &mut rest)?);
    }
    Ok((key, value))
}

/// The character that `c` stands for, with what follows it when it is a backslash.
fn unescape(c: char, rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    if c != '\\' {
        return Ok(c);
    }
    Ok(match rest.next() {
        None => '\\',
        Some('t') => '\t',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('f') => '\u{c}',
        Some('u') => return unicode(rest),
        Some(other) => other,
    })
}

/// The character behind `\u`: four hexadecimal digits, twice for one beyond the first 65,536.
fn unicode(rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    let high = unit(rest)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high).ok_or_else(|| format!("\\u{high:04x} is half a character"));
    }
    let half = || format!("\\u{high:04x} is half a character");
    if rest.next() != Some('\\') || rest.next() != Some('u') {
        return Err(half());
    }
    let low = unit(rest)?;
    if !(0xdc00..0xe000).contains(&low) {
        return Err(half());
    }
    char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or_else(half)
}

fn unit(rest: &mut Peekable<Chars<'_>>) -> Result<u32, String> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = rest.next().and_then(|c| c.to_digit(16));
        unit = unit << 4 | digit.ok_or("\\u wants four hexadecimal digits behind it")?;
    }
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_java_reads_them() {
        let check = |text: &str, expect: &[(&str, &str)]| {
            let expect = expect.iter().map(|&(key, value)| (key.into(), value.into())).collect();
            assert_eq!(parse(text), Ok(expect), "{text:?}");
        };
        check("", &[]);
        check("# c\n  ! d\n\n \t\n", &[]);
        check("a=1\nb: 2\nc 3\n\td\t=\t4 \n", &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4 ")]);
        check("a=1\r\nb=2\rc=3", &[("a", "1"), ("b", "2"), ("c", "3")]);
        check("a = x=y:z", &[("a", "x=y:z")]);
        check("a : = b", &[("a", "= b")]);
        check("alone\nempty=\n=nameless", &[("", "nameless"), ("alone", ""), ("empty", "")]);
        check("a=1\na=2", &[("a", "2")]);
        check("a=first, \\\n   second\\\n\tthird", &[("a", "first, secondthird")]);
        check("a=one\\\\\nb=2", &[("a", "one\\"), ("b", "2")]);
        check("a=one\\\\\\\n two", &[("a", "one\\two")]);
        check("a=end\\", &[("a", "end")]);
        check("a=1\\\n# not a comment", &[("a", "1# not a comment")]);
        check("a=1 # not a comment", &[("a", "1 # not a comment")]);
        check("k\\ e\\=y\\:=v", &[("k e=y:", "v")]);
        check("a=\\t\\n\\r\\f\\q\\\\", &[("a", "\t\n\r\u{c}q\\")]);
        check("a=\\u00e9\\uD83D\\uDE00 é", &[("a", "é😀 é")]);
        check("log.dirs=C\\:\\\\kafka", &[("log.dirs", "C:\\kafka")]);
    }

    #[test]
    fn a_wrong_escape_names_its_line() {
        let check =
            |text: &str, expect: &str| assert_eq!(parse(text).unwrap_err().to_string(), expect, "{text:?}");
        check("a=1\n\nb=\\u12", "line 3: \\u wants four hexadecimal digits behind it");
        check("a=1\r\nb=\\\r\n \\uxyzw", "line 2: \\u wants four hexadecimal digits behind it");
        check("a=\\ud83d", "line 1: \\ud83d is half a character");
        check("a=\\ude00", "line 1: \\ude00 is half a character");
        check("a=\\ud83d\\u0041", "line 1: \\ud83d is half a character");
    }

    #[test]
    fn an_override_is_split_at_its_first_equals_sign() {
        let check = |argument: &str, expect: Option<(&str, &str)>| {
            let pair = parse_override(argument).ok();
            assert_eq!(
                pair.as_ref().map(|(key, value)| (key.as_str(), value.as_str())),
                expect,
                "{argument}"
            );
        };
        check("a=b", Some(("a", "b")));
        check("a=b=c,d", Some(("a", "b=c,d")));
        check("a=", Some(("a", "")));
        check("a", None);
        check("=b", None);
    }
}
