//! What the command line asks for. Kafka's tools read their own flags; here only which one is meant is decided.

use std::path::Path;

/// Printed by `ottla --help`.
pub const USAGE: &str = "\
Ottla: Apache Kafka, whole, in one binary.

  ottla                                      start a node on 127.0.0.1:9092 with its data in ./ottla-data
  ottla server [server.properties] [--override name=value]...
                                             start a node from a Kafka configuration
  ottla demo meters [--bootstrap-server host:port]
                                             watch 50,000 smart meters and the alerts they raise
  ottla kafka-topics ...                     one of Kafka's tools; `ottla tools` lists them
  ottla install-aliases DIR                  make kafka-topics.sh and the others in DIR
  ottla --version | --help";

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Print the usage.
    Help,
    /// Print the version.
    Version,
    /// Run a node.
    Server(ServerArguments),
    /// Run a demo with these arguments.
    Demo(Vec<String>),
    /// Run one of Kafka's tools.
    Tool {
        /// Its name without `.sh`, such as `kafka-topics`.
        name: String,
        /// Its own arguments.
        arguments: Vec<String>,
    },
}

/// How a node is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerArguments {
    /// The properties file; without one the node configures itself.
    pub file: Option<String>,
    /// `--override` arguments, in order.
    pub overrides: Vec<String>,
}

impl Command {
    /// Reads the arguments, the program's own name first.
    ///
    /// # Errors
    /// A sentence for the terminal.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let (program, rest) = match arguments {
            [] => ("ottla", &[][..]),
            [program, rest @ ..] => (program.as_str(), rest),
        };
        if let Some(name) = tool_name(program) {
            return Ok(Self::Tool { name, arguments: rest.to_vec() });
        }
        let Some((first, rest)) = rest.split_first() else {
            return Ok(Self::Server(ServerArguments::default()));
        };
        match first.as_str() {
            "-h" | "--help" | "help" => Ok(Self::Help),
            "-V" | "--version" | "version" => Ok(Self::Version),
            "server" => server(rest).map(Self::Server),
            "--override" => server(&arguments[1..]).map(Self::Server),
            "demo" => Ok(Self::Demo(rest.to_vec())),
            "storage" => Ok(Self::Tool { name: "kafka-storage".to_owned(), arguments: rest.to_vec() }),
            "install-aliases" | "tools" => Ok(Self::Tool { name: first.clone(), arguments: rest.to_vec() }),
            name => match tool_name(name) {
                Some(name) => Ok(Self::Tool { name, arguments: rest.to_vec() }),
                None => Err(format!("unknown command '{name}'\n\n{USAGE}")),
            },
        }
    }
}

/// The tool that a program name or command stands for: `kafka-topics.sh` is `kafka-topics`.
fn tool_name(program: &str) -> Option<String> {
    let name = Path::new(program).file_name()?.to_str()?;
    let name = name.strip_suffix(".sh").unwrap_or(name);
    name.starts_with("kafka-").then(|| name.to_owned())
}

fn server(arguments: &[String]) -> Result<ServerArguments, String> {
    let mut server = ServerArguments::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--override" => {
                let value = rest.next().ok_or("--override needs a value: --override name=value")?;
                server.overrides.push(value.clone());
            }
            flag if flag.starts_with("--override=") => {
                server.overrides.push(flag["--override=".len()..].to_owned());
            }
            flag if flag.starts_with('-') => {
                return Err(format!("unknown option '{flag}' of ottla server\n\n{USAGE}"));
            }
            file if server.file.is_none() => server.file = Some(file.to_owned()),
            extra => return Err(format!("unexpected argument '{extra}': one properties file is enough")),
        }
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: Command) {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(Command::parse(&arguments), Ok(expect), "{line}");
    }

    fn tool(name: &str, arguments: &[&str]) -> Command {
        Command::Tool {
            name: name.to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        }
    }

    #[test]
    fn commands() {
        check("ottla", Command::Server(ServerArguments::default()));
        check("/usr/bin/ottla --version", Command::Version);
        check("ottla kafka-topics --list", tool("kafka-topics", &["--list"]));
        check("ottla kafka-topics.sh --list", tool("kafka-topics", &["--list"]));
        check("/opt/bin/kafka-topics.sh --list", tool("kafka-topics", &["--list"]));
        check("ottla storage random-uuid", tool("kafka-storage", &["random-uuid"]));
        let server = ServerArguments {
            file: Some("server.properties".to_owned()),
            overrides: vec!["a=b".to_owned(), "c=d".to_owned()],
        };
        check("ottla server server.properties --override a=b --override=c=d", Command::Server(server));
    }

    #[test]
    fn other_words_are_refused() {
        for line in ["ottla frobnicate", "ottla server --foo", "ottla server a b", "ottla server --override"]
        {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert!(Command::parse(&arguments).is_err(), "{line}");
        }
    }
}
