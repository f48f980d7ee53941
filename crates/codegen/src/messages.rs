//! `defs/messages` and `defs/records` → structs, codecs and tables.
//!
//! One struct per message serves all its versions. What is emitted leans on `protocol::codec` for everything that is the
//! same for many fields, so that the generated part stays small and cheap to compile.

mod emit_api;
mod emit_read;
mod emit_table;
mod emit_type;
mod emit_write;
mod model;
mod names;
mod parse;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt::Write;
use std::path::Path;

use crate::error::Error;
use crate::output;
use model::{Kind, Message};

/// The parsed and checked definitions of a folder.
pub struct Definitions {
    messages: Vec<Message>,
}

impl Definitions {
    /// Reads every `.def` file of `folder`.
    ///
    /// # Errors
    /// The first mistake, with its file and line.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let mut messages: Vec<Message> = Vec::new();
        for file in output::tables(folder)? {
            for message in parse::parse(&file, &output::read(&file)?)? {
                verify::verify(&file, &message)?;
                if messages.iter().any(|other| other.name == message.name) {
                    return Err(Error::new(&file, 0, format!("{} is defined twice", message.name)));
                }
                messages.push(message);
            }
        }
        Ok(Self { messages })
    }

    /// One module per message, with its structs, codecs and table.
    pub fn emit_messages(&self) -> String {
        let mut source = String::new();
        for message in &self.messages {
            source.push_str(&emit_message(message));
        }
        source
    }

    /// The table of apis.
    pub fn emit_apis(&self) -> String {
        emit_api::emit_keys(&self.messages)
    }

    /// The closed enums over all requests and over all responses.
    pub fn emit_requests(&self) -> String {
        let requests = emit_api::emit_enum(&self.messages, Kind::Request, "Request");
        requests + "\n" + &emit_api::emit_enum(&self.messages, Kind::Response, "Response")
    }

    /// The closed enum over the framed records of one family.
    pub fn emit_records(&self, family: &str, name: &str) -> String {
        emit_api::emit_records(&self.messages, family, name)
    }

    /// A table `ALL` of the records with keys, by log and type.
    pub fn emit_coordinator_records(&self) -> String {
        emit_api::emit_coordinator_records(&self.messages)
    }

    /// A macro `name!(visit)` that calls `visit!(path)` with the path of every message, these being in `module`.
    pub fn emit_each(&self, name: &str, module: &str) -> String {
        let mut source = format!(
            "/// Calls `$visit!(path)` for every message of [`{module}`].\n#[macro_export]\n\
             macro_rules! {name} {{\n    ($visit:ident) => {{\n"
        );
        for message in &self.messages {
            let path = format!("$crate::{module}::{}::{}", names::snake(&message.name), message.name);
            let _ = writeln!(source, "        $visit!({path});");
        }
        source.push_str("    };\n}\n");
        source
    }
}

fn emit_message(message: &Message) -> String {
    let mut body = String::new();
    for one in &message.structs {
        body.push_str(&emit_type::emit(message, one));
        let _ = writeln!(body, "impl Struct for {} {{", one.name);
        body.push_str(&emit_read::emit(message, one));
        body.push_str(&emit_write::emit(message, one));
        body.push_str("}\n\n");
    }
    body.push_str(&emit_table::emit(message));
    format!(
        "/// {0}\npub mod {1} {{\nuse crate::generated::*;\n\n{body}}}\n\n",
        message.about,
        names::snake(&message.name)
    )
}
