//! `ottla storage verify`: what is wrong with a log directory, file by file.
//!
//! The exit status is 0 when nothing is wrong. What a crash leaves and the next start puts right is told, and is not wrong.

use std::path::{Path, PathBuf};

use storage::disk::os::OsDisk;
use storage::disk::{Disk, Lock};
use storage::log_dir::LOCK_FILE;
use storage::verify::{Report, Severity, verify};

use crate::console::Console;
use crate::failure::{Failure, Result, failed};

pub(super) fn run(directories: &[PathBuf], console: &mut Console) -> Result<()> {
    let mut wrong = 0;
    for dir in directories {
        let report = walk(dir)?;
        for finding in &report.findings {
            let mark = if finding.severity == Severity::Wrong { "WRONG" } else { "left " };
            console.line(format_args!("{mark} {finding}"));
        }
        wrong += report.wrong().count();
        console.line(format_args!("{}", summary(dir, &report)));
    }
    if wrong == 0 { Ok(()) } else { Err(Failure::Said) }
}

/// Takes a directory's lock for a while. One that nobody ever held has no lock file, and gets none from a look at it.
pub(super) fn held(dir: &Path, always: bool) -> Result<Option<Box<dyn Lock>>> {
    let shown = dir.display();
    if !dir.is_dir() {
        return failed(format!("{shown} is not a directory"));
    }
    let lock = dir.join(LOCK_FILE);
    if !always && !lock.exists() {
        return Ok(None);
    }
    let held = OsDisk.lock(&lock).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => Failure::Error(format!(
            "{shown} is in use by another process (its .lock is held); stop that process first"
        )),
        _ => Failure::Error(format!("{} cannot be locked: {error}", lock.display())),
    });
    held.map(Some)
}

fn walk(dir: &Path) -> Result<Report> {
    let _held = held(dir, false)?;
    verify(&OsDisk, dir).map_err(|error| Failure::Error(error.to_string()))
}

fn summary(dir: &Path, report: &Report) -> String {
    let Report { partitions, segments, batches, records, bytes, .. } = report;
    let verdict = match report.wrong().count() {
        0 => "nothing is wrong".to_owned(),
        1 => "1 thing is wrong".to_owned(),
        count => format!("{count} things are wrong"),
    };
    format!(
        "{}: {partitions} partitions, {segments} segments, {batches} batches, {records} records, {bytes} bytes: {verdict}",
        dir.display()
    )
}
