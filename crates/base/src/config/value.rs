//! A config's value: out of text as Java reads it, and back into text as Kafka prints it.
//!
//! Text around a value is trimmed, numbers may have a plus sign, lists are split at commas with any blanks around them.

use std::fmt;

use super::definition::Kind;
use super::kinds::Password;

/// A value of a config.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not set, where that is allowed.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// 16 bits.
    Short(i16),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// A Java double.
    Double(f64),
    /// A string, or the name of a class.
    Text(String),
    /// Entries, trimmed.
    List(Vec<String>),
    /// A string that is never printed.
    Secret(Password),
}

impl Value {
    /// Reads `text` as a value of this type.
    ///
    /// # Errors
    /// What is wrong with it, in Kafka's words.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, &'static str> {
        let text = trim(text);
        Ok(match kind {
            Kind::Boolean if text.eq_ignore_ascii_case("true") => Self::Boolean(true),
            Kind::Boolean if text.eq_ignore_ascii_case("false") => Self::Boolean(false),
            Kind::Boolean => return Err("Expected value to be either true or false"),
            Kind::Short => Self::Short(text.parse().map_err(|_| "Not a number of type SHORT")?),
            Kind::Int => Self::Int(text.parse().map_err(|_| "Not a number of type INT")?),
            Kind::Long => Self::Long(text.parse().map_err(|_| "Not a number of type LONG")?),
            Kind::Double => Self::Double(double(text).ok_or("Not a number of type DOUBLE")?),
            Kind::String | Kind::Class => Self::Text(text.to_owned()),
            Kind::Password => Self::Secret(Password::new(text)),
            Kind::List if text.is_empty() => Self::List(Vec::new()),
            Kind::List => Self::List(text.split(',').map(|entry| trim(entry).to_owned()).collect()),
        })
    }

    /// The number in it, for bounds of whole numbers.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Short(value) => Some(i64::from(*value)),
            Self::Int(value) => Some(i64::from(*value)),
            Self::Long(value) => Some(*value),
            _ => None,
        }
    }
}

/// The text that Kafka prints for it. A secret prints as `[hidden]`, nothing as `null`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => value.fmt(f),
            Self::Short(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Long(value) => value.fmt(f),
            Self::Double(value) => f.write_str(&double_text(*value)),
            Self::Text(value) => f.write_str(value),
            Self::List(entries) => f.write_str(&entries.join(",")),
            Self::Secret(secret) => secret.fmt(f),
        }
    }
}

/// What a field of a generated struct can be made from.
///
/// The value has passed the checks of its definition, so a value that does not fit is our own mistake.
pub trait Field {
    /// The field's value.
    fn of(value: &Value) -> Self;
}

macro_rules! field {
    ($type:ty, $variant:ident) => {
        impl Field for $type {
            fn of(value: &Value) -> Self {
                match value {
                    Value::$variant(value) => value.clone(),
                    other => panic!("a field of type {} was given {other:?}", stringify!($type)),
                }
            }
        }
    };
}

field!(bool, Boolean);
field!(i16, Short);
field!(i32, Int);
field!(i64, Long);
field!(f64, Double);
field!(String, Text);
field!(Vec<String>, List);
field!(Password, Secret);

impl<T: Field> Field for Option<T> {
    fn of(value: &Value) -> Self {
        (*value != Value::Null).then(|| T::of(value))
    }
}

/// Java's `trim`: everything up to the blank goes, at both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// Reads a double as Java does, but for hexadecimal ones.
fn double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number = match unsigned {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        // What Rust reads and Java does not: inf, nan, infinity.
        _ if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') => return None,
        _ => unsigned.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(unsigned).parse().ok()?,
    };
    Some(if text.starts_with('-') { -number } else { number })
}

/// Prints a double as Java does: plain from 10⁻³ up to 10⁷, with an exponent beyond.
fn double_text(value: f64) -> String {
    if !value.is_finite() {
        let sign = if value < 0.0 { "-" } else { "" };
        return if value.is_nan() { "NaN".into() } else { format!("{sign}Infinity") };
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').expect("the form has an exponent");
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_and_printed_as_java_does() {
        let check = |kind: Kind, text: &str, expect: Result<&str, &'static str>| {
            let printed = Value::parse(kind, text).map(|value| value.to_string());
            assert_eq!(printed.as_deref(), expect.as_ref().copied(), "{kind:?} {text:?}");
        };
        check(Kind::Boolean, " TRUE ", Ok("true"));
        check(Kind::Boolean, "1", Err("Expected value to be either true or false"));
        check(Kind::Int, "+5", Ok("5"));
        check(Kind::Int, "\t-5\n", Ok("-5"));
        check(Kind::Int, "2147483648", Err("Not a number of type INT"));
        check(Kind::Short, "32768", Err("Not a number of type SHORT"));
        check(Kind::Long, "", Err("Not a number of type LONG"));
        check(Kind::List, " a , b,c ", Ok("a,b,c"));
        check(Kind::List, "a,,b", Ok("a,,b"));
        check(Kind::List, "  ", Ok(""));
        check(Kind::Password, "abc", Ok("[hidden]"));
        check(Kind::Double, ".5", Ok("0.5"));
        check(Kind::Double, "0.70d", Ok("0.7"));
        check(Kind::Double, "1e-1", Ok("0.1"));
        check(Kind::Double, "5.", Ok("5.0"));
        check(Kind::Double, "-0", Ok("-0.0"));
        check(Kind::Double, "0.0005", Ok("5.0E-4"));
        check(Kind::Double, "12345678.9", Ok("1.23456789E7"));
        check(Kind::Double, "2147483647", Ok("2.147483647E9"));
        check(Kind::Double, "1.7976931348623157E308", Ok("1.7976931348623157E308"));
        check(Kind::Double, "-Infinity", Ok("-Infinity"));
        check(Kind::Double, "NaN", Ok("NaN"));
        check(Kind::Double, "inf", Err("Not a number of type DOUBLE"));
        check(Kind::Double, "nan", Err("Not a number of type DOUBLE"));
        check(Kind::Double, "-", Err("Not a number of type DOUBLE"));
    }
}
