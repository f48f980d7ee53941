//! Emits messages and records from the tables in `defs/`.

use std::path::Path;

use codegen::messages::Definitions;
use codegen::output::write;

/// Runs in the folder of the crate.
fn main() {
    let defs = Path::new("../../defs");
    let read = |folder: &str| match Definitions::read(&defs.join(folder)) {
        Ok(definitions) => definitions,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(1)
        }
    };
    let messages = read("messages");
    write("messages.rs", Ok(messages.emit_messages()));
    write("apis.rs", Ok(messages.emit_apis()));
    write("requests.rs", Ok(messages.emit_requests()));
    let records = read("records");
    write("records.rs", Ok(records.emit_messages()));
    write("metadata_record.rs", Ok(records.emit_records("metadata", "MetadataRecord")));
    write("remote_log_record.rs", Ok(records.emit_records("remote_log", "RemoteLogRecord")));
    write("coordinator_record.rs", Ok(records.emit_coordinator_records()));
    let each = messages.emit_each("each_message", "messages") + &records.emit_each("each_record", "records");
    write("each.rs", Ok(each));
}
