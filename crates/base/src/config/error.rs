//! Why a config was refused, in Kafka's words where clients see them.

use std::fmt;

/// A refused config. `Display` is the sentence for a person, and for the answer to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The value does not fit the config.
    Invalid {
        /// The config.
        name: String,
        /// The value as it was given, or as it was understood where a bound refused it.
        value: String,
        /// What is wrong with it, as a clause without a full stop.
        why: String,
    },
    /// A config without default is not set.
    Missing {
        /// The config.
        name: String,
    },
    /// No config has this name.
    Unknown {
        /// What kind of config was meant, such as `topic`.
        table: &'static str,
        /// The name.
        name: String,
    },
    /// Configs contradict each other, or one breaks a rule that has its own sentence.
    Rule(String),
    /// A properties file cannot be read as one.
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        why: String,
    },
}

impl ConfigError {
    /// A value that does not fit.
    pub fn invalid(name: &str, value: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { name: name.to_owned(), value: value.into(), why: why.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { name, value, why } => {
                write!(f, "Invalid value {value} for configuration {name}: {why}")
            }
            Self::Missing { name } => {
                write!(f, "Missing required configuration \"{name}\" which has no default value.")
            }
            Self::Unknown { table, name } => write!(f, "Unknown {table} config name: {name}"),
            Self::Rule(sentence) => f.write_str(sentence),
            Self::Syntax { line, why } => write!(f, "line {line}: {why}"),
        }
    }
}

impl std::error::Error for ConfigError {}
