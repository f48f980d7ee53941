//! The tools, one file each, and the list of them.

mod broker_api_versions;
mod configs;
mod console_consumer;
mod console_producer;
mod consumer_perf_test;
mod delete_records;
mod dump_log;
mod exceptions;
mod formatter;
mod get_offsets;
mod line_reader;
mod log_dirs;
mod producer_perf_test;
mod storage;
mod topic_filter;
mod topics;

use crate::console::Console;
use crate::failure::Result;
use crate::flags::{Arguments, Flags};

/// A tool.
pub(crate) struct Tool {
    /// Its name without `.sh`.
    pub(crate) name: &'static str,
    /// What it is for, in a line.
    pub(crate) about: &'static str,
    pub(crate) flags: Flags,
    pub(crate) run: fn(&Arguments, &mut Console) -> Result<()>,
}

/// All tools, by name.
pub(crate) const ALL: &[Tool] = &[
    broker_api_versions::TOOL,
    configs::TOOL,
    console_consumer::TOOL,
    console_producer::TOOL,
    consumer_perf_test::TOOL,
    delete_records::TOOL,
    dump_log::TOOL,
    get_offsets::TOOL,
    log_dirs::TOOL,
    producer_perf_test::TOOL,
    storage::TOOL,
    topics::TOOL,
];

/// The tool with this name.
pub(crate) fn find(name: &str) -> Option<&'static Tool> {
    ALL.iter().find(|tool| tool.name == name)
}
