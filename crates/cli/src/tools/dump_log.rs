//! `kafka-dump-log`: what stands in segments, indexes and snapshots, read from the files themselves.
//!
//! Nothing is opened for writing, and no node need be stopped. A file's kind is its suffix.

mod decode;
mod index;
mod segment;
mod snapshot;

use std::path::Path;

use base::ids::Offset;

use super::Tool;
use crate::console::Console;
use crate::failure::{Failure, Result, failed};
use crate::flags::{Arguments, Flag, Flags, Takes, required, switch, value};
use decode::Decoder;
use segment::Depth;

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-dump-log",
    about: "Prints what stands in the files of a log: segments, indexes, snapshots.",
    flags: Flags::of(&[
        required(value("files", "String: file1,file2,…", "The files, separated by commas.")),
        switch("print-data-log", "Print keys and values too; follows from any decoder."),
        switch("deep-iteration", "Print each record, not only each batch; follows from --print-data-log."),
        switch("verify-index-only", "Compare an index with its segment and print only what differs."),
        switch("index-sanity-check", "Only say whether an index looks sound."),
        value(
            "max-message-size",
            "Integer: bytes",
            "Bytes of the largest batch that an index is compared with. (default: 5242880)",
        ),
        value("max-bytes", "Integer: bytes", "Read only so many bytes of batches. (default: 2147483647)"),
        switch("skip-record-metadata", "Print only keys and values of records, and no control records."),
        switch("cluster-metadata-decoder", "Values are records of the metadata log: print them as JSON."),
        switch("offsets-decoder", "Records are those of __consumer_offsets: print them as JSON."),
        switch("transaction-log-decoder", "Records are those of __transaction_state: print them as JSON."),
        switch("share-group-state-decoder", "Records are those of __share_group_state: print them as JSON."),
        switch("remote-log-metadata-decoder", "Values are records of __remote_log_metadata."),
        Flag {
            takes: Takes::Optional("String: class"),
            ..switch(
                "key-decoder-class",
                "How keys become text: org.apache.kafka.tools.api.StringDecoder (the default), IntegerDecoder, LongDecoder \
                 or DefaultDecoder.",
            )
        },
        Flag {
            takes: Takes::Optional("String: class"),
            ..switch("value-decoder-class", "How values become text: as for keys.")
        },
    ]),
    run,
};

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    let mut report = Report::default();
    for file in arguments.get("files").unwrap_or_default().split(',').map(str::trim) {
        console.line(format_args!("Dumping {file}"));
        dump(file, arguments, &mut report, console)?;
    }
    report.iter().for_each(|line| console.error(format_args!("{line}")));
    Ok(())
}

fn dump(file: &str, arguments: &Arguments, report: &mut Report, console: &mut Console) -> Result<()> {
    let path = Path::new(file);
    let (verify_only, sanity_only) =
        (arguments.has("verify-index-only"), arguments.has("index-sanity-check"));
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("log") => {
            let (depth, max_bytes) = (depth(arguments)?, max_bytes(arguments)?);
            console.line(format_args!("Log starting offset: {}", base_offset(path)?));
            segment::dump(path, &depth, max_bytes, report, console)
        }
        Some("checkpoint") if is_snapshot(path) => {
            let (depth, max_bytes) = (depth(arguments)?, max_bytes(arguments)?);
            console.line(format_args!("{}", snapshot_head(path)));
            segment::dump(path, &depth, max_bytes, report, console)
        }
        Some("index") => {
            let max_batch_size = arguments.parsed("max-message-size")?.unwrap_or(5 * 1024 * 1024);
            let check = (verify_only, sanity_only, max_batch_size);
            index::dump_offsets(path, base_offset(path)?, check, report, console)
        }
        Some("timeindex") => {
            let check = (verify_only, sanity_only);
            index::dump_times(path, base_offset(path)?, check, report, console)
        }
        Some("txnindex") => index::dump_transactions(path, console),
        Some("snapshot") => snapshot::dump(path, console),
        _ => {
            console.error(format_args!("Ignoring unknown file {file}"));
            Ok(())
        }
    }
}

/// How deep the flags ask to look into batches.
fn depth(arguments: &Arguments) -> Result<Depth> {
    let contents = Decoder::of(arguments)?;
    let deep = contents.is_some() || arguments.has("deep-iteration");
    Ok(Depth { deep, contents, skip_metadata: arguments.has("skip-record-metadata") })
}

fn max_bytes(arguments: &Arguments) -> Result<u64> {
    Ok(arguments.parsed("max-bytes")?.unwrap_or(i32::MAX as u64))
}

/// The offset that a file's name says.
fn base_offset(path: &Path) -> Result<Offset> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let digits = name.split('.').next().unwrap_or_default();
    match digits.parse() {
        Ok(offset) => Ok(Offset(offset)),
        Err(_) => failed(format!("{}: its name does not begin with an offset", path.display())),
    }
}

/// Snapshots of the metadata log are batches; other files with that suffix are lists of offsets.
fn is_snapshot(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name == "bootstrap.checkpoint" || snapshot_id(name).is_some()
}

/// `00000000000000000007-0000000002.checkpoint`: end offset and epoch.
fn snapshot_id(name: &str) -> Option<(u64, u32)> {
    let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    Some((offset.parse().ok()?, epoch.parse().ok()?))
}

fn snapshot_head(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match snapshot_id(name) {
        Some((offset, epoch)) => format!("Snapshot end offset: {offset}, epoch: {epoch}"),
        None => "KRaft bootstrap snapshot".to_owned(),
    }
}

/// What does not fit together, printed at the end.
type Report = Vec<String>;

/// The path from the root, as Kafka names a file that something is wrong with.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Error(format!("{} cannot be read: {error}", path.display()))
}
