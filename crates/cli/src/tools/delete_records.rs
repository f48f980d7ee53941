//! `kafka-delete-records`: drops the oldest records of partitions that a JSON file names.

use std::collections::BTreeMap;

use base::ids::Offset;
use client::{Admin, TopicPartition};
use serde_json::Value;

use super::Tool;
use super::exceptions::printed;
use crate::configuration::{BOOTSTRAP, COMMAND_CONFIG, block_on, client_options};
use crate::console::Console;
use crate::failure::{Failure, Result, failed};
use crate::flags::{Arguments, Flags, required, value};

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-delete-records",
    about: "Deletes the records of partitions before an offset.",
    flags: Flags::of(&[
        required(BOOTSTRAP),
        COMMAND_CONFIG,
        required(value(
            "offset-json-file",
            "String: file",
            "What to delete, as {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}], \"version\": 1}; \
             offset -1 deletes all that consumers may read.",
        )),
    ]),
    run,
};

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    let file = arguments.get("offset-json-file").unwrap_or_default();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Error(format!("Unable to read file {file}: {error}")))?;
    let before = parse(&text)?;
    let options = client_options(arguments, console)?;
    block_on(async {
        let admin = Admin::connect(options).await?;
        console.line(format_args!("Executing records delete operation"));
        let deleted = admin.delete_records(&before).await?;
        console.line(format_args!("Records delete operation completed:"));
        for (partition, result) in deleted {
            match result {
                Ok(start) => {
                    console.line(format_args!("partition: {partition}\tlow_watermark: {start}"));
                }
                Err(error) => {
                    console.line(format_args!("partition: {partition}\terror: {}", printed(&error)));
                }
            }
        }
        Ok(())
    })
}

/// Reads the file: each partition once.
fn parse(text: &str) -> Result<BTreeMap<TopicPartition, Offset>> {
    let json: Value = serde_json::from_str(text)
        .map_err(|_| Failure::Error("The input string is not a valid JSON".to_owned()))?;
    match json.get("version").map_or(Some(1), Value::as_i64) {
        Some(1) => {}
        _ => return failed(format!("Not supported version field value {}", json["version"])),
    }
    let Some(rows) = json.get("partitions").and_then(Value::as_array) else {
        return failed("Missing partitions field");
    };
    let mut before = BTreeMap::new();
    let mut twice = Vec::new();
    for row in rows {
        let missing = |field: &str| Failure::Error(format!("No such field exists: `{field}`"));
        let number = |field| row.get(field).and_then(Value::as_i64).ok_or_else(|| missing(field));
        let topic = row.get("topic").and_then(Value::as_str).ok_or_else(|| missing("topic"))?;
        let index = i32::try_from(number("partition")?).map_err(|_| missing("partition"))?;
        let partition = TopicPartition::new(topic, index);
        if before.insert(partition.clone(), Offset(number("offset")?)).is_some() {
            twice.push(partition.to_string());
        }
    }
    if twice.is_empty() {
        return Ok(before);
    }
    failed(format!("Offset json file contains duplicate topic partitions: {}", twice.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_refused_in_kafkas_words() {
        let check = |text: &str, expect: std::result::Result<usize, &str>| {
            let got = parse(text).map(|before| before.len());
            assert_eq!(got, expect.map_err(|text| Failure::Error(text.to_owned())), "{text}");
        };
        check(r#"{"partitions":[{"topic":"t","partition":0,"offset":5}],"version":1}"#, Ok(1));
        check(r#"{"partitions":[]}"#, Ok(0));
        check("{", Err("The input string is not a valid JSON"));
        check(r#"{"version":1}"#, Err("Missing partitions field"));
        check(r#"{"partitions":[],"version":2}"#, Err("Not supported version field value 2"));
        let row = r#"{"topic":"t","partition":0,"offset":5}"#;
        check(
            &format!(r#"{{"partitions":[{row},{row}]}}"#),
            Err("Offset json file contains duplicate topic partitions: t-0"),
        );
    }
}
