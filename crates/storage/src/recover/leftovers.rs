//! What an interrupted deletion or compaction left in a partition's directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base::ids::Offset;

use crate::directory::{FileKind, suffix};
use crate::disk::{DirEntry, Disk};
use crate::error::{Error, IoContext};
use crate::home::Home;
use crate::scan::{Scan, Step};

/// The files that are left when the leftovers are gone.
pub(super) struct Found {
    /// The segments, in order.
    pub(super) segments: Vec<FoundSegment>,
    /// Offsets of the producer snapshots, in order.
    pub(super) snapshots: Vec<Offset>,
}

/// A segment by its file names.
pub(super) struct FoundSegment {
    pub(super) base: Offset,
    pub(super) size: u64,
    /// Its files but the log.
    pub(super) kinds: Vec<FileKind>,
}

/// Removes leftovers among `names`, which is what [`list`] found, completes a compaction whose result is complete, and says
/// what there is.
pub(super) fn clear(home: &Arc<Home>, mut names: Vec<String>) -> Result<Found, Error> {
    let is_left = |name: &String| {
        [suffix::DELETED, suffix::CLEANED, suffix::SWAP].iter().any(|suffix| name.ends_with(suffix))
    };
    if names.iter().any(is_left) {
        remove_temporary(home, &names)?;
        complete_swaps(home, &list(home.disk(), &home.dir())?)?;
        names = list(home.disk(), &home.dir())?;
    }
    let files: Vec<(Offset, FileKind)> = names.iter().filter_map(|name| FileKind::parse(name)).collect();
    let mut logs: BTreeMap<Offset, Vec<FileKind>> = BTreeMap::new();
    for (base, _) in files.iter().filter(|(_, kind)| *kind == FileKind::Log) {
        logs.insert(*base, Vec::new());
    }
    let mut snapshots = Vec::new();
    for (base, kind) in files {
        match (kind, logs.get_mut(&base)) {
            (FileKind::Log, _) => {}
            (FileKind::ProducerSnapshot, _) => snapshots.push(base),
            (_, Some(kinds)) => kinds.push(kind),
            (_, None) => remove(home, &kind.name(base))?,
        }
    }
    let mut segments = Vec::with_capacity(logs.len());
    for (base, kinds) in logs {
        let path = home.path(FileKind::Log, base);
        let size = home.disk().metadata(&path).context("look at", &path)?.length;
        segments.push(FoundSegment { base, size, kinds });
    }
    snapshots.sort_unstable();
    Ok(Found { segments, snapshots })
}

/// Removes what was being deleted, and unfinished results of a compaction. Complete results that were made together with
/// an unfinished one are of no use without it.
fn remove_temporary(home: &Home, names: &[String]) -> Result<(), Error> {
    let unfinished = names.iter().filter_map(|name| base_of(name, suffix::CLEANED)).min();
    for name in names {
        let of_unfinished = match (base_of(name, suffix::SWAP), unfinished) {
            (Some(base), Some(unfinished)) => base >= unfinished,
            _ => false,
        };
        if name.ends_with(suffix::DELETED) || name.ends_with(suffix::CLEANED) || of_unfinished {
            remove(home, name)?;
        }
    }
    Ok(())
}

/// Puts complete results in the place of the segments they were made from.
fn complete_swaps(home: &Home, names: &[String]) -> Result<(), Error> {
    let log_swap = format!("{}{}", FileKind::Log.suffix(), suffix::SWAP);
    let swaps: Vec<&String> = names.iter().filter(|name| name.ends_with(suffix::SWAP)).collect();
    let mut replaced: Option<(Offset, Offset)> = None;
    for name in swaps.iter().filter(|name| name.ends_with(&log_swap)) {
        let Some(base) = base_of(name, suffix::SWAP) else { continue };
        let end = end_of(home, name, base)?;
        replaced = Some(replaced.map_or((base, end), |(from, to)| (from.min(base), to.max(end))));
    }
    if let Some((from, to)) = replaced {
        for name in names {
            let is_replaced = FileKind::parse(name)
                .is_some_and(|(base, kind)| kind != FileKind::ProducerSnapshot && base >= from && base < to);
            if is_replaced {
                remove(home, name)?;
            }
        }
    }
    for name in swaps {
        let dir = home.dir();
        let plain = name.strip_suffix(suffix::SWAP).expect("the name was chosen by its suffix");
        let (from, to) = (dir.join(name), dir.join(plain));
        home.disk().rename(&from, &to).context("rename", &from)?;
    }
    Ok(())
}

/// The offset after the last batch of a file.
fn end_of(home: &Home, name: &str, base: Offset) -> Result<Offset, Error> {
    let path = home.dir().join(name);
    let file = home.disk().open(&path, crate::disk::OpenMode::Read).context("open", &path)?;
    let size = file.len().context("look at", &path)?;
    let mut scan = Scan::new(file, 0, size);
    let mut end = base;
    while let Step::Batch(batch) = scan.next_header().context("read", &path)? {
        end = batch.next_offset();
    }
    Ok(end)
}

fn base_of(name: &str, suffix: &str) -> Option<Offset> {
    FileKind::parse(name.strip_suffix(suffix)?).map(|(base, _)| base)
}

/// The names of the files in a log's directory.
pub(super) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>, Error> {
    let entries: Vec<DirEntry> = disk.list(dir).context("list", dir)?;
    Ok(entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name).collect())
}

fn remove(home: &Home, name: &str) -> Result<(), Error> {
    let path = home.dir().join(name);
    home.disk().remove_file(&path).context("remove", &path)
}
