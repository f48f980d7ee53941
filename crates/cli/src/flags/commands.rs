//! Tools with commands (`kafka-storage format …`), each with flags of its own: the manners of Kafka's other parser.
//!
//! Here a word that belongs to no flag is a mistake, letters may stand together (`-gs`), and a value may stand at its
//! letter (`-r4.3`). A mistake is said below a line of usage, in paragraphs that fill the width as Kafka's do.

use super::{Arguments, Flag, Takes, columns, row};
use crate::failure::{Failure, Result};

/// A command of a tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) flags: &'static [Flag],
    /// Flags of which at most one may be there; they follow one another in `flags`.
    pub(crate) exclusive: &'static [&'static str],
}

/// Columns of usage and mistakes.
const WIDTH: usize = 75;

/// A tool's commands, while its arguments are read.
pub(super) struct Commands {
    pub(super) tool: &'static str,
    pub(super) all: &'static [Command],
}

impl Commands {
    /// Reads the arguments. That help is asked for is told by the flag `help`.
    ///
    /// # Errors
    /// What is wrong, with the usage above it.
    pub(super) fn parse(&self, arguments: &[String]) -> Result<Arguments> {
        let mut parsed = Arguments { line: arguments.join(" "), ..Arguments::default() };
        let Some(first) = arguments.first() else {
            return Err(self.mistake(None, "too few arguments"));
        };
        match first.as_str() {
            "-h" | "--help" => return Ok(parsed.with("help", None)),
            "--version" => return Ok(parsed.with("version", None)),
            word if word.starts_with('-') => {
                return Err(self.mistake(None, &format!("unrecognized arguments: '{word}'")));
            }
            word => parsed.command = Some(self.find(word)?.name.to_owned()),
        }
        let command = self.command(&parsed).expect("it was found by its name");
        Reading { commands: self, command, parsed }.run(&arguments[1..])
    }

    /// The command of arguments that were read.
    fn command(&self, parsed: &Arguments) -> Option<&'static Command> {
        self.all.iter().find(|command| Some(command.name) == parsed.command.as_deref())
    }

    /// The command with this name, or the only one that begins so.
    fn find(&self, word: &str) -> Result<&'static Command> {
        let names: Vec<&str> = self.all.iter().map(|command| command.name).collect();
        match named(word, &names) {
            Named::One(place) => Ok(&self.all[place]),
            Named::Several(names) => {
                Err(self.mistake(None, &format!("ambiguous command: {word} could match {names}")))
            }
            Named::None => {
                let names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
                let names = names.join(", ");
                Err(self.mistake(None, &format!("invalid choice: '{word}' (choose from {names})")))
            }
        }
    }

    /// The usage of a command, or of the tool.
    fn usage(&self, command: Option<&Command>) -> String {
        let mut items = vec!["[-h]".to_owned()];
        let mut head = format!("usage: {}", self.tool);
        let indent = head.len() + 1;
        match command {
            Some(command) => {
                head = format!("{head} {}", command.name);
                items.extend(command.flags.iter().map(|flag| command.item(flag)));
            }
            None => {
                let names: Vec<_> = self.all.iter().map(|command| command.name).collect();
                items.extend([format!("{{{}}}", names.join(",")), "...".to_owned()]);
            }
        }
        let mut lines = vec![head];
        for item in items {
            let last = lines.last_mut().expect("the head");
            if last.len() + 1 + item.len() > WIDTH {
                lines.push(format!("{:indent$}{item}", ""));
            } else {
                *last = format!("{last} {item}");
            }
        }
        lines.join("\n")
    }

    fn mistake(&self, command: Option<&Command>, text: &str) -> Failure {
        let said = justified(&format!("{}: error: {text}", self.tool));
        Failure::Error(format!("{}\n{said}", self.usage(command)))
    }

    /// What help prints: for the command that was named, or for all.
    pub(super) fn help(&self, parsed: &Arguments, about: &str) -> String {
        let command = self.command(parsed);
        let rows = match command {
            Some(command) => command.flags.iter().map(row).collect(),
            None => self.all.iter().map(|one| (one.name.to_owned(), one.about.to_owned())).collect(),
        };
        let about = command.map_or(about, |command| command.about);
        format!("{}\n\n{about}\n\n{}", self.usage(command), columns(rows))
    }
}

impl Command {
    /// A flag as it stands in the usage.
    fn item(&self, flag: &Flag) -> String {
        let shown = match flag.takes {
            Takes::Nothing => format!("--{}", flag.name),
            Takes::Value(value) | Takes::Optional(value) | Takes::Several(value) => {
                format!("--{} {value}", flag.name)
            }
        };
        match self.exclusive.iter().position(|name| *name == flag.name) {
            Some(place) => {
                let (first, last) = (place == 0, place + 1 == self.exclusive.len());
                format!("{}{shown}{}", if first { "[" } else { "" }, if last { "]" } else { " |" })
            }
            None if flag.required => shown,
            None => format!("[{shown}]"),
        }
    }
}

/// A flag in a sentence: `--config/-c`.
fn shown(flag: &Flag) -> String {
    flag.letter.map_or_else(|| format!("--{}", flag.name), |letter| format!("--{}/-{letter}", flag.name))
}

/// A command's arguments, half read.
struct Reading<'a> {
    commands: &'a Commands,
    command: &'static Command,
    parsed: Arguments,
}

impl Reading<'_> {
    fn run(mut self, arguments: &[String]) -> Result<Arguments> {
        let mut rest = arguments;
        while let Some((first, after)) = rest.split_first() {
            let read = match first.strip_prefix("--") {
                Some("") => return Err(self.unrecognized(&after.join(" "))),
                Some(name) => self.long(first, name, after)?,
                None if is_flag(first) => self.letters(first, after)?,
                None => return Err(self.unrecognized(&rest.join(" "))),
            };
            let Some(taken) = read else { return Ok(self.parsed.with("help", None)) };
            rest = &after[taken..];
        }
        let mut missing: Vec<_> = self.command.flags.iter().collect();
        missing.retain(|flag| flag.required && !self.parsed.has(flag.name));
        match missing.into_iter().min_by_key(|flag| flag.name) {
            Some(flag) => Err(self.mistake(&format!("argument {} is required", shown(flag)))),
            None => Ok(self.parsed),
        }
    }

    fn mistake(&self, text: &str) -> Failure {
        self.commands.mistake(Some(self.command), text)
    }

    fn unrecognized(&self, words: &str) -> Failure {
        self.mistake(&format!("unrecognized arguments: '{words}'"))
    }

    /// Reads `--name` or `--name=value`; how many of the words after it belong to it, and nothing if it asks for help.
    fn long(&mut self, argument: &str, name: &str, after: &[String]) -> Result<Option<usize>> {
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name, None),
        };
        let names: Vec<&str> = self.command.flags.iter().map(|flag| flag.name).chain(["help"]).collect();
        match named(name, &names) {
            Named::One(place) => match self.command.flags.get(place) {
                Some(flag) => self.set(flag, value, after).map(Some),
                None => Ok(None),
            },
            Named::Several(names) => {
                let names = names.split(", ").map(|name| format!("--{name}")).collect::<Vec<_>>().join(", ");
                Err(self.mistake(&format!("ambiguous option: --{name} could match {names}")))
            }
            Named::None => Err(self.unrecognized(argument)),
        }
    }

    /// Reads `-gs`, `-r 4.3`, `-r4.3` or `-r=4.3`.
    fn letters(&mut self, argument: &str, after: &[String]) -> Result<Option<usize>> {
        let mut letters = argument[1..].chars();
        while let Some(letter) = letters.next() {
            if letter == 'h' {
                return Ok(None);
            }
            let Some(flag) = self.command.flags.iter().find(|flag| flag.letter == Some(letter)) else {
                return Err(self.unrecognized(argument));
            };
            let rest = letters.as_str();
            let value = rest.strip_prefix('=');
            if flag.takes != Takes::Nothing || value.is_some() {
                let value = value.or((!rest.is_empty()).then_some(rest));
                return self.set(flag, value, after).map(Some);
            }
            self.set(flag, None, after)?;
        }
        Ok(Some(0))
    }

    fn set(&mut self, flag: &'static Flag, value: Option<&str>, after: &[String]) -> Result<usize> {
        let group = self.command.exclusive;
        let other = group.iter().find(|name| **name != flag.name && self.parsed.has(name));
        if let Some(other) = other.filter(|_| group.contains(&flag.name)) {
            let other = self.command.flags.iter().find(|one| one.name == *other).expect("of this command");
            let text = format!("argument {}: not allowed with argument {}", shown(flag), shown(other));
            return Err(self.mistake(&text));
        }
        let mut taken = 0;
        let value = match (flag.takes, value) {
            (Takes::Nothing, Some(value)) => {
                let text = format!("argument {}: ignore implicit argument '{value}'", shown(flag));
                return Err(self.mistake(&text));
            }
            (Takes::Nothing, None) => None,
            (_, Some(value)) => Some(value.to_owned()),
            (_, None) => {
                taken = 1;
                let next = after.first().filter(|next| !is_flag(next)).cloned();
                let text = || format!("argument {}: expected one argument", shown(flag));
                Some(next.ok_or_else(|| self.mistake(&text()))?)
            }
        };
        self.parsed.values.entry(flag.name).or_default().push(value);
        Ok(taken)
    }
}

/// Whether a word looks like a flag: a negative number does not.
fn is_flag(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && rest.parse::<u64>().is_err())
}

enum Named {
    One(usize),
    /// Their names, sorted, separated by commas.
    Several(String),
    None,
}

/// Which of `names` is meant by a name or by what only one of them begins with.
fn named(name: &str, names: &[&str]) -> Named {
    if let Some(place) = names.iter().position(|one| *one == name) {
        return Named::One(place);
    }
    let begun = |place: &usize| !name.is_empty() && names[*place].starts_with(name);
    let mut begun: Vec<usize> = (0..names.len()).filter(begun).collect();
    begun.sort_by_key(|place| names[*place]);
    match begun[..] {
        [] => Named::None,
        [place] => Named::One(place),
        _ => Named::Several(begun.iter().map(|place| names[*place]).collect::<Vec<_>>().join(", ")),
    }
}

/// A paragraph whose lines but the last are filled up to [`WIDTH`] by wider blanks.
fn justified(text: &str) -> String {
    let mut lines: Vec<Vec<(bool, String)>> = vec![Vec::new()];
    let mut used = 0;
    for (spaced, piece) in pieces(text) {
        let line = lines.last_mut().expect("never empty");
        let width = piece.chars().count() + usize::from(spaced && !line.is_empty());
        if !line.is_empty() && used + width > WIDTH {
            used = piece.chars().count();
            lines.push(vec![(false, piece)]);
        } else {
            used += width;
            line.push((spaced && !line.is_empty(), piece));
        }
    }
    let last = lines.len() - 1;
    let lines = lines.iter().enumerate().map(|(place, line)| filled(line, place < last));
    lines.collect::<Vec<_>>().join("\n")
}

/// Words, cut where a line may end: behind a hyphen or a full stop in front of a letter. Each with whether a blank stands
/// before it.
fn pieces(text: &str) -> Vec<(bool, String)> {
    let mut pieces = Vec::new();
    for word in text.split(' ') {
        let mut piece = String::new();
        let mut spaced = true;
        for letter in word.chars() {
            if piece.ends_with(['-', '.']) && letter.is_alphabetic() {
                pieces.push((spaced, std::mem::take(&mut piece)));
                spaced = false;
            }
            piece.push(letter);
        }
        pieces.push((spaced, piece));
    }
    pieces
}

/// A line of pieces. The blanks that do not go round stand in the middle.
fn filled(line: &[(bool, String)], fill: bool) -> String {
    let width: usize = line.iter().map(|(spaced, piece)| usize::from(*spaced) + piece.chars().count()).sum();
    let blanks = line.iter().filter(|(spaced, _)| *spaced).count();
    let more = if fill { WIDTH.saturating_sub(width) } else { 0 };
    let (each, left) = (more / blanks.max(1), more % blanks.max(1));
    let wider = (blanks - left).div_ceil(2)..(blanks - left).div_ceil(2) + left;
    let mut text = String::new();
    let mut blank = 0;
    for (spaced, piece) in line {
        if *spaced {
            let count = 1 + each + usize::from(wider.contains(&blank));
            text.extend(std::iter::repeat_n(' ', count));
            blank += 1;
        }
        text.push_str(piece);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{letter, required, switch, value};
    use super::*;

    const COMMANDS: Commands = Commands {
        tool: "kafka-storage",
        all: &[
            Command {
                name: "info",
                about: "Info.",
                flags: &[letter('c', required(value("config", "CONFIG", "A file.")))],
                exclusive: &[],
            },
            Command {
                name: "format",
                about: "Format.",
                flags: &[
                    letter('c', required(value("config", "CONFIG", "A file."))),
                    letter('t', required(value("cluster-id", "CLUSTER_ID", "An id."))),
                    letter('g', switch("ignore-formatted", "Ignore.")),
                    letter('f', value("feature", "FEATURE", "A level.")),
                    letter('s', switch("standalone", "Alone.")),
                    letter('N', switch("no-initial-controllers", "None.")),
                ],
                exclusive: &["standalone", "no-initial-controllers"],
            },
            Command { name: "feature-dependencies", about: "Levels.", flags: &[], exclusive: &[] },
        ],
    };

    fn parse(line: &str) -> Result<Arguments> {
        let words: Vec<String> = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        COMMANDS.parse(&words)
    }

    #[test]
    fn flags_are_read_in_every_form() {
        let check = |line: &str, expect: &[(&str, &[&str])]| {
            let parsed = parse(line).unwrap();
            for (name, values) in expect {
                assert!(parsed.has(name), "{line}: {name}");
                assert_eq!(parsed.each(name).collect::<Vec<_>>(), *values, "{line}: {name}");
            }
            assert_eq!(parsed.values.len(), expect.len(), "{line}");
        };
        check("info -c x", &[("config", &["x"])]);
        check("inf --conf=x", &[("config", &["x"])]);
        check(
            "format -gscx -t=y",
            &[("ignore-formatted", &[]), ("standalone", &[]), ("config", &["x"]), ("cluster-id", &["y"])],
        );
        check(
            "format -t -1 --co= --f a=1 -f b=-1",
            &[("cluster-id", &["-1"]), ("config", &[""]), ("feature", &["a=1", "b=-1"])],
        );
        check("format -hx", &[("help", &[])]);
        check("format -s --he", &[("standalone", &[]), ("help", &[])]);
        check("-h", &[("help", &[])]);
    }

    #[test]
    fn mistakes_are_named_in_kafkas_words() {
        let check = |line: &str, expect: &str| {
            let Err(Failure::Error(text)) = parse(line) else { panic!("{line} is no mistake") };
            let at = text.find("\nkafka-storage:").unwrap() + 1;
            assert_eq!(&text[at..], format!("kafka-storage:{expect}"), "{line}");
        };
        check("", " error: too few arguments");
        check("--bogus", " error: unrecognized arguments: '--bogus'");
        check(
            "bogus",
            "  error:  invalid  choice:   'bogus'   (choose  from  'info',\n'format', 'feature-dependencies')",
        );
        check("f", "  error:   ambiguous   command:   f   could   match  feature-\ndependencies, format");
        check("info", " error: argument --config/-c is required");
        check("info -c", " error: argument --config/-c: expected one argument");
        check("info -c -x", " error: argument --config/-c: expected one argument");
        check("info x -c y", " error: unrecognized arguments: 'x -c y'");
        check("info -- x", " error: unrecognized arguments: 'x'");
        check("info -z", " error: unrecognized arguments: '-z'");
        check("info --bogus=3 -c x", " error: unrecognized arguments: '--bogus=3'");
        check("format", " error: argument --cluster-id/-t is required");
        check("format --c x", " error: ambiguous option:  --c  could  match --cluster-id, --\nconfig");
        check("format -s=3", " error: argument  --standalone/-s:  ignore  implicit argument\n'3'");
        check(
            "format -s -N",
            " error:  argument  --no-initial-controllers/-N:  not  allowed\nwith argument --standalone/-s",
        );
        check(
            "info --this-is-a-long-flag-name-that-should.wrap/somewhere",
            " error: unrecognized  arguments: '--this-is-a-long-flag-name-\nthat-should.wrap/somewhere'",
        );
    }

    #[test]
    fn usage_is_kafkas() {
        let lines = COMMANDS.usage(Some(&COMMANDS.all[1]));
        let indent = " ".repeat(21);
        let expect = format!(
            "usage: kafka-storage format [-h] --config CONFIG --cluster-id CLUSTER_ID\n\
             {indent}[--ignore-formatted] [--feature FEATURE]\n\
             {indent}[--standalone | --no-initial-controllers]"
        );
        assert_eq!(lines, expect);
        let lines = COMMANDS.usage(None);
        assert_eq!(lines, "usage: kafka-storage [-h] {info,format,feature-dependencies} ...");
    }
}
