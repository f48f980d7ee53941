//! What the flags of a tool say to the client: where the cluster is, and properties by Kafka's names.

use std::future::Future;

use client::ClientOptions;

use crate::console::Console;
use crate::failure::{Failure, Result, failed};
use crate::flags::{Arguments, Flag, value};

/// `--bootstrap-server`.
pub(crate) const BOOTSTRAP: Flag = value(
    "bootstrap-server",
    "String: host:port,…",
    "Brokers to ask for the cluster; one that answers is enough.",
);

/// `--command-config`.
pub(crate) const COMMAND_CONFIG: Flag =
    value("command-config", "String: file", "A properties file with client configs.");

/// The client configs of a command line: those of files first, those of single flags after them.
pub(crate) fn properties(
    arguments: &Arguments,
    files: &[&str],
    flags: &[&str],
) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for name in files {
        for file in arguments.each(name) {
            all.extend(read_properties(file)?);
        }
    }
    for name in flags {
        for property in arguments.each(name) {
            all.push(split_property(property)?);
        }
    }
    Ok(all)
}

/// `key=value`; without `=` the value is empty, as Kafka's tools take it.
pub(crate) fn split_property(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        None if !text.is_empty() => Ok((text.to_owned(), String::new())),
        _ => failed(format!("Invalid property: {text}")),
    }
}

/// A file of `key=value` lines.
pub(crate) fn read_properties(file: &str) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Error(format!("{file} cannot be read: {error}")))?;
    let properties =
        base::config::properties::parse(&text).map_err(|error| Failure::Error(format!("{file}: {error}")))?;
    Ok(properties.into_iter().collect())
}

/// Hands properties to `set`, and names those that nobody knows.
pub(crate) fn apply(
    properties: &[(String, String)],
    console: &mut Console,
    mut set: impl FnMut(&str, &str) -> client::error::Result<bool>,
) -> Result<()> {
    for (name, value) in properties {
        if !set(name, value)? {
            console.error(format_args!("The configuration {name} has no effect here."));
        }
    }
    Ok(())
}

/// Options of an admin client.
pub(crate) fn client_options(arguments: &Arguments, console: &mut Console) -> Result<ClientOptions> {
    let mut options = ClientOptions::new(arguments.get("bootstrap-server").unwrap_or_default());
    let properties = properties(arguments, &["command-config"], &[])?;
    apply(&properties, console, |name, value| options.set(name, value))?;
    if let Some(servers) = arguments.get("bootstrap-server") {
        options.set("bootstrap.servers", servers)?;
    }
    Ok(options)
}

/// Runs a tool's asynchronous part to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failure::Error(format!("no threads can be had: {error}")))?.block_on(work)
}
