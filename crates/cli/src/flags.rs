//! Flags as a table, and the command line read by it: the manners of Kafka's tools.
//!
//! `--name value` and `--name=value` are the same; a unique prefix of a name will do; a flag's value may begin with `-`.
//! What is wrong is said in the words of Kafka's parsers.

pub(crate) mod commands;

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::failure::{Failure, Result, usage};
use commands::{Command, Commands};

/// What follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing.
    Nothing,
    /// A value; its name for the help.
    Value(&'static str),
    /// A value or nothing.
    Optional(&'static str),
    /// One value or several, up to the next flag.
    Several(&'static str),
}

/// A flag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    /// Its name without the dashes.
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    pub(crate) about: &'static str,
    pub(crate) required: bool,
    /// The flag that replaces it.
    pub(crate) instead: Option<&'static str>,
    /// Its letter, as in `-c FILE`.
    pub(crate) letter: Option<char>,
}

/// A tool's flags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) flags: &'static [Flag],
    /// Whether a call without arguments asks for help.
    pub(crate) needs_arguments: bool,
    /// If there are any, the first argument must be one, and its flags follow.
    pub(crate) commands: &'static [Command],
}

/// A flag without value.
pub(crate) const fn switch(name: &'static str, about: &'static str) -> Flag {
    Flag { name, takes: Takes::Nothing, about, required: false, instead: None, letter: None }
}

/// A flag with a value.
pub(crate) const fn value(name: &'static str, value: &'static str, about: &'static str) -> Flag {
    Flag { name, takes: Takes::Value(value), about, required: false, instead: None, letter: None }
}

/// A flag with one value or several.
pub(crate) const fn several(name: &'static str, value: &'static str, about: &'static str) -> Flag {
    Flag { name, takes: Takes::Several(value), about, required: false, instead: None, letter: None }
}

/// The same, and it must be there.
pub(crate) const fn required(mut flag: Flag) -> Flag {
    flag.required = true;
    flag
}

/// A flag that another one replaces.
pub(crate) const fn deprecated(mut flag: Flag, instead: &'static str) -> Flag {
    flag.instead = Some(instead);
    flag
}

/// A flag with a letter.
pub(crate) const fn letter(letter: char, mut flag: Flag) -> Flag {
    flag.letter = Some(letter);
    flag
}

/// Flags that every tool has.
const COMMON: &[Flag] = &[
    letter('h', switch("help", "Print this.")),
    switch("version", "Print the version of Kafka and of Ottla."),
];

/// A command line that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// The word before the flags.
    pub(crate) command: Option<String>,
    /// All of it, as Kafka's tools repeat it.
    pub(crate) line: String,
    values: BTreeMap<&'static str, Vec<Option<String>>>,
    deprecated: Vec<(&'static str, &'static str)>,
}

impl Flags {
    /// Flags of a tool without commands, which is helpless without arguments.
    pub(crate) const fn of(flags: &'static [Flag]) -> Self {
        Self { flags, needs_arguments: true, commands: &[] }
    }

    /// Flags of a tool that has them by command.
    pub(crate) const fn by_command(commands: &'static [Command]) -> Self {
        Self { flags: &[], needs_arguments: false, commands }
    }

    fn all(&self) -> impl Iterator<Item = &Flag> {
        self.flags.iter().chain(COMMON)
    }

    /// The flag of an argument, and what stands behind `=` in it; nothing for a word that is no flag.
    fn flag<'a>(&self, argument: &'a str) -> Result<Option<(&Flag, Option<&'a str>)>> {
        if let Some(name) = argument.strip_prefix("--") {
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (name, None),
            };
            return self.find(name).map(|flag| Some((flag, value)));
        }
        let mut letters = argument.strip_prefix('-').unwrap_or_default().chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => {
                Ok(self.all().find(|flag| flag.letter == Some(letter)).map(|flag| (flag, None)))
            }
            _ => Ok(None),
        }
    }

    /// The flag with this name, or the only one that begins so.
    fn find(&self, name: &str) -> Result<&Flag> {
        if let Some(flag) = self.all().find(|flag| flag.name == name) {
            return Ok(flag);
        }
        let mut begun = self.all().filter(|flag| !name.is_empty() && flag.name.starts_with(name));
        match (begun.next(), begun.next()) {
            (Some(flag), None) => Ok(flag),
            _ => Err(Failure::Error(format!("{name} is not a recognized option"))),
        }
    }

    /// Reads the arguments of a tool.
    ///
    /// # Errors
    /// Unknown or ambiguous flags, missing values.
    pub(crate) fn parse(&self, tool: &'static str, arguments: &[String]) -> Result<Arguments> {
        if !self.commands.is_empty() {
            return Commands { tool, all: self.commands }.parse(arguments);
        }
        let mut parsed = Arguments { line: arguments.join(" "), ..Arguments::default() };
        let mut rest = arguments.iter().peekable();
        while let Some(argument) = rest.next() {
            // Kafka's tools pass over words that belong to no flag.
            let Some((flag, value)) = self.flag(argument)? else { continue };
            let mut given = value.map(str::to_owned);
            let is_flag = |next: &&&String| !next.starts_with("--");
            match flag.takes {
                Takes::Nothing => given = None,
                Takes::Value(_) | Takes::Several(_) if given.is_none() => match rest.next() {
                    Some(next) => given = Some(next.clone()),
                    None => {
                        return Err(Failure::Error(format!("Option {} requires an argument", flag.name)));
                    }
                },
                Takes::Optional(_) if given.is_none() => {
                    given = rest.next_if(|next| is_flag(&next)).cloned();
                }
                _ => {}
            }
            let values = parsed.values.entry(flag.name).or_default();
            values.push(given);
            if let Takes::Several(_) = flag.takes {
                while let Some(next) = rest.next_if(|next| is_flag(&next)) {
                    values.push(Some(next.clone()));
                }
            }
            parsed.deprecated.extend(flag.instead.map(|instead| (flag.name, instead)));
        }
        Ok(parsed)
    }

    /// Checks that what must be there is there.
    pub(crate) fn check_required(&self, arguments: &Arguments) -> Result<()> {
        match self.flags.iter().find(|flag| flag.required && !arguments.has(flag.name)) {
            Some(flag) => usage(format!("Missing required argument \"[{}]\"", flag.name)),
            None => Ok(()),
        }
    }

    /// What a tool with commands prints when it is asked for help: to standard output, as data. Other tools take that for
    /// a mistake.
    pub(crate) fn command_help(
        &self,
        tool: &'static str,
        arguments: &Arguments,
        about: &str,
    ) -> Option<String> {
        let asked = !self.commands.is_empty() && arguments.has("help");
        asked.then(|| Commands { tool, all: self.commands }.help(arguments, about))
    }

    /// The flags in two columns.
    pub(crate) fn help(&self) -> String {
        let mut rows: Vec<(String, String)> = self.all().map(row).collect();
        rows.sort();
        columns(rows)
    }
}

/// Two columns with a head.
fn columns(rows: Vec<(String, String)>) -> String {
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0).clamp(24, 40) + 2;
    let mut help = format!("{:<width$}Description\n{:<width$}-----------\n", "Option", "------");
    for (left, right) in rows {
        let mut right = wrap(&right, 100 - width).into_iter();
        let first = right.next().unwrap_or_default();
        if left.len() + 2 > width {
            help.push_str(&format!("{left}\n{:<width$}{first}\n", ""));
        } else {
            help.push_str(&format!("{left:<width$}{first}\n"));
        }
        for line in right {
            help.push_str(&format!("{:<width$}{line}\n", ""));
        }
    }
    help
}

fn row(flag: &Flag) -> (String, String) {
    let letter = flag.letter.map(|letter| format!(", -{letter}")).unwrap_or_default();
    let name = format!("--{}{letter}", flag.name);
    let left = match flag.takes {
        Takes::Nothing => name,
        Takes::Value(value) => format!("{name} <{value}>"),
        Takes::Optional(value) => format!("{name} [{value}]"),
        Takes::Several(value) => format!("{name} <{value}> …"),
    };
    let required = if flag.required { "REQUIRED: " } else { "" };
    let instead = flag.instead.map(|name| format!("(DEPRECATED: use --{name}) ")).unwrap_or_default();
    (left, format!("{required}{instead}{}", flag.about))
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

impl Arguments {
    /// The same with one more flag.
    fn with(mut self, name: &'static str, value: Option<String>) -> Self {
        self.values.entry(name).or_default().push(value);
        self
    }

    /// Whether the flag is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The flag's last value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last()?.as_deref()
    }

    /// All values of a flag that may be repeated.
    pub(crate) fn each(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.get(name).into_iter().flatten().filter_map(Option::as_deref)
    }

    /// The flag's value as something else than text.
    ///
    /// # Errors
    /// When it does not read as that.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(Failure::Error(format!("Cannot parse argument '{text}' of option {name}"))),
        }
    }

    /// Flags that were used although another one replaces them, with that one.
    pub(crate) fn deprecated(&self) -> &[(&'static str, &'static str)] {
        &self.deprecated
    }

    /// Refuses `name` together with any of `others`.
    pub(crate) fn exclude(&self, name: &str, others: &[&str]) -> Result<()> {
        match others.iter().find(|other| self.has(name) && self.has(other)) {
            Some(other) => usage(format!("Option \"[{name}]\" can't be used with option \"[{other}]\"")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: Flags = Flags::of(&[
        value("topic", "String: topic", "A topic."),
        value("time", "Long: time", "A time."),
        switch("list", "List."),
        Flag { takes: Takes::Optional("codec"), ..switch("codec", "A codec.") },
        letter('p', several("property", "k=v", "Properties.")),
        deprecated(value("messages", "Long", "Old."), "num-records"),
    ]);

    fn parse(line: &str) -> Result<Arguments> {
        let arguments: Vec<String> =
            line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        FLAGS.parse("kafka-test", &arguments)
    }

    #[test]
    fn values_are_found_in_any_form() {
        let check = |line: &str, name: &str, expect: &[&str]| {
            let parsed = parse(line).unwrap();
            assert_eq!(parsed.each(name).collect::<Vec<_>>(), expect, "{line}");
        };
        check("--topic a --list", "topic", &["a"]);
        check("--topic=a=b", "topic", &["a=b"]);
        check("--to a", "topic", &["a"]);
        check("--time -1", "time", &["-1"]);
        check("--topic a --topic b", "topic", &["a", "b"]);
        check("--property a=b c=d --list", "property", &["a=b", "c=d"]);
        check("-p a=b --list", "property", &["a=b"]);
        check("--codec --list", "codec", &[]);
        check("--codec gzip", "codec", &["gzip"]);
        assert!(parse("--codec --list").unwrap().has("codec"));
        assert_eq!(parse("--messages 5").unwrap().deprecated(), [("messages", "num-records")]);
    }

    #[test]
    fn mistakes_are_named_in_kafkas_words() {
        let check = |line: &str, expect: &str| {
            assert_eq!(parse(line), Err(Failure::Error(expect.to_owned())), "{line}");
        };
        check("--foo", "foo is not a recognized option");
        check("--t x", "t is not a recognized option");
        check("--topic", "Option topic requires an argument");
        let number = parse("--time soon").unwrap().parsed::<i64>("time");
        assert_eq!(number, Err(Failure::Error("Cannot parse argument 'soon' of option time".to_owned())));
    }

    #[test]
    fn help_names_every_flag() {
        let help = FLAGS.help();
        for flag in FLAGS.all() {
            assert!(help.contains(&format!("--{}", flag.name)), "{help}");
        }
    }
}
