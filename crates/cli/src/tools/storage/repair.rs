//! `ottla storage repair`: what would be done about what `verify` finds; with `--execute`, that it is done.
//!
//! The exit status is 0 when nothing was wrong, or when everything that was is repaired.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ids::{DirectoryId, NodeId, TopicId};
use base::time::{Now, WallTime};
use base::uuid::Uuid;
use metadata::format::draw_id;
use storage::disk::os::OsDisk;
use storage::repair::{Known, Plan, Remedy, default_kept, repair};
use storage::verify::verify;

use super::{SystemRandom, verify::held};
use crate::console::Console;
use crate::failure::{Failure, Result, failed, usage};
use crate::flags::Arguments;
use crate::time;

pub(super) fn run(
    directories: &[PathBuf],
    node_id: Option<NodeId>,
    arguments: &Arguments,
    console: &mut Console,
) -> Result<()> {
    let known = known(arguments, node_id)?;
    let kept = arguments.get("keep").map(PathBuf::from);
    if kept.is_some() && directories.len() > 1 {
        return usage("--keep is for one directory; name it with --directory.");
    }
    let mut left = 0;
    for dir in directories {
        left += one(dir, &known, kept.as_deref(), arguments.has("execute"), console)?;
    }
    if left == 0 { Ok(()) } else { Err(Failure::Said) }
}

fn known(arguments: &Arguments, node_id: Option<NodeId>) -> Result<Known> {
    let id = |flag: &str, text: &str| -> Result<Uuid> {
        text.parse().map_err(|_| Failure::Error(format!("--{flag} {text}: not an id")))
    };
    let mut topic_ids = BTreeMap::new();
    for text in arguments.each("topic-id") {
        let Some((topic, topic_id)) = text.split_once('=') else {
            return failed(format!("--topic-id {text}: expected NAME=ID"));
        };
        topic_ids.insert(topic.to_owned(), TopicId(id("topic-id", topic_id)?));
    }
    let given = arguments.get("node-id").map(|text| text.parse().map(NodeId));
    let given = given.transpose().map_err(|_| Failure::Error("--node-id: not a number".to_owned()))?;
    let directory_id = arguments.get("directory-id").map(|text| id("directory-id", text)).transpose()?;
    Ok(Known {
        cluster_id: arguments.get("cluster-id").map(str::to_owned),
        node_id: given.or(node_id),
        directory_id: directory_id.map(DirectoryId),
        unused_directory_id: Some(DirectoryId(draw_id(&mut SystemRandom))),
        topic_ids,
    })
}

/// Looks at a directory, and repairs it if it is told to; how many findings are left.
fn one(
    dir: &Path,
    known: &Known,
    kept: Option<&Path>,
    execute: bool,
    console: &mut Console,
) -> Result<usize> {
    let as_failure = |error: storage::Error| Failure::Error(error.to_string());
    let shown = dir.display();
    let _held = held(dir, execute)?;
    let report = verify(&OsDisk, dir).map_err(as_failure)?;
    let plan = Plan::of(&OsDisk, dir, &report, known).map_err(as_failure)?;
    for (finding, remedy) in &plan.steps {
        let mark = match remedy {
            Remedy::Wait => "left  ",
            Remedy::Ask(_) => "ASK   ",
            _ => "REPAIR",
        };
        console.line(format_args!("{mark} {finding} - {remedy}"));
    }
    if plan.to_repair() == 0 || !execute {
        console.line(format_args!(
            "{shown}: {} to repair{}, {} that cannot be",
            plan.to_repair(),
            if plan.to_repair() > 0 { " (with --execute)" } else { "" },
            plan.to_ask()
        ));
        return Ok(plan.to_repair() + plan.to_ask());
    }
    let now = Now { wall: WallTime(time::now_ms()), ..Now::default() };
    let beside = default_kept(dir, now.wall.0);
    let kept = kept.unwrap_or(&beside);
    let done = repair(Arc::new(OsDisk), dir, &plan, kept, now).map_err(as_failure)?;
    for copy in &done.copies {
        console.line(format_args!("KEPT   {}", copy.display()));
    }
    for lost in &done.lost {
        console.line(format_args!("LOST   {lost}"));
    }
    let after = verify(&OsDisk, dir).map_err(as_failure)?;
    for finding in after.wrong() {
        console.line(format_args!("WRONG  {finding}"));
    }
    let left = after.wrong().count();
    console.line(format_args!("{shown}: {} repaired, {left} left", plan.to_repair()));
    Ok(left)
}
