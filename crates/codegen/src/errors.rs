//! `defs/errors.def` → the constants and the table of `base::error_code::ErrorCode`.

use std::fmt::Write;
use std::path::Path;

use crate::error::Error;
use crate::output;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row<'a> {
    code: i16,
    name: &'a str,
    retriable: bool,
    message: &'a str,
}

/// Emits `impl ErrorCode { pub const … }` and `static TABLE: [Row; N]`, sorted by code.
///
/// # Errors
/// When the table cannot be read or a line is wrong.
pub fn generate(table: &Path) -> Result<String, Error> {
    emit(table, &output::read(table)?)
}

fn emit(file: &Path, text: &str) -> Result<String, Error> {
    let rows = parse(file, text)?;
    let mut consts = String::new();
    let mut table = String::new();
    for Row { code, name, retriable, message } in &rows {
        let _ = writeln!(consts, "    /// {code}: {message}\n    pub const {name}: Self = Self({code});");
        let _ = writeln!(
            table,
            "    Row {{ code: {code}, name: {name:?}, retriable: {retriable}, message: {message:?} }},"
        );
    }
    Ok(format!("impl ErrorCode {{\n{consts}}}\n\nstatic TABLE: [Row; {}] = [\n{table}];\n", rows.len()))
}

fn parse<'a>(file: &Path, text: &'a str) -> Result<Vec<Row<'a>>, Error> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let row = parse_row(line).map_err(|message| Error::new(file, index + 1, message))?;
        if rows.last().is_some_and(|last| last.code >= row.code) {
            return Err(Error::new(
                file,
                index + 1,
                format!("code {} stands after a code that is not lower", row.code),
            ));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn parse_row(line: &str) -> Result<Row<'_>, String> {
    let (head, message) = line.split_once('"').ok_or("the message must stand in double quotes")?;
    let message = message.strip_suffix('"').ok_or("the closing quote of the message is missing")?;
    let mut words = head.split_whitespace();
    let code = words.next().unwrap_or_default();
    let code = code.parse().map_err(|_| format!("`{code}` is not an error code"))?;
    let name = words.next().ok_or("the name is missing")?;
    if !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') {
        return Err(format!("`{name}` is not a name in capitals"));
    }
    let retriable = match words.next() {
        None => false,
        Some("retriable") => true,
        Some(word) => return Err(format!("`{word}` is not `retriable`")),
    };
    match words.next() {
        None => Ok(Row { code, name, retriable, message }),
        Some(word) => Err(format!("`{word}` stands before the message")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_their_line() {
        let check = |text: &str, expect: &str| {
            assert_eq!(emit(Path::new("e.def"), text).unwrap_err().to_string(), expect, "{text}");
        };
        check("# a\nx NONE \"\"", "e.def:2: `x` is not an error code");
        check("0 NONE", "e.def:1: the message must stand in double quotes");
        check("0 NONE \"a", "e.def:1: the closing quote of the message is missing");
        check("0 none \"a\"", "e.def:1: `none` is not a name in capitals");
        check("0 NONE maybe \"a\"", "e.def:1: `maybe` is not `retriable`");
        check("1 A \"\"\n1 B \"\"", "e.def:2: code 1 stands after a code that is not lower");
    }

    #[test]
    fn a_line_becomes_a_constant_and_a_row() {
        let source = emit(Path::new("e.def"), " 7 REQUEST_TIMED_OUT retriable \"Too late.\"").unwrap();
        assert!(source.contains("    /// 7: Too late.\n    pub const REQUEST_TIMED_OUT: Self = Self(7);"));
        assert!(source.contains(
            "Row { code: 7, name: \"REQUEST_TIMED_OUT\", retriable: true, message: \"Too late.\" }"
        ));
    }
}
