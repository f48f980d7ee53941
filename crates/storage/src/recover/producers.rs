//! Building producer state from a snapshot and the batches after it.

use std::ops::Range;
use std::sync::Arc;

use base::ids::Offset;
use base::time::Now;
use wire::batch::Batch;

use crate::append::marker_of;
use crate::config::LogConfig;
use crate::directory::FileKind;
use crate::error::Error;
use crate::home::Home;
use crate::index::AbortedTransaction;
use crate::producers::{CompletedTransaction, Marker, ProducerBatch, Producers, snapshot};
use crate::segment::Segment;

/// The producers' state at the end of `range`: from the newest snapshot that is not beyond it and can be read, and the
/// batches since; without one from the log's start. A snapshot from before the first segment is of no use: what came
/// between is deleted, and a producer known to stand there would be refused where it really stands. `aborted` gets the
/// transactions that those batches abort.
pub(crate) fn load_producers(
    home: &Home,
    config: &LogConfig,
    segments: &[Arc<Segment>],
    snapshots: &[Offset],
    range: Range<Offset>,
    aborted: &mut Vec<AbortedTransaction>,
    now: Now,
) -> Result<Producers, Error> {
    let mut producers = Producers::starting_at(range.start);
    let first_base = segments.first().map_or(range.end, |first| first.base());
    for at in snapshots.iter().rev().filter(|at| (first_base..=range.end).contains(at)) {
        let path = home.path(FileKind::ProducerSnapshot, *at);
        let expiration_ms = config.producer_id_expiration_ms;
        if let Some(found) = snapshot::read(home.disk(), &path, *at, now.wall.0, expiration_ms)? {
            producers = found;
            break;
        }
    }
    replay(&mut producers, segments, range.end, aborted)?;
    producers.advance(range.end);
    Ok(producers)
}

/// Applies the batches from the state's end up to `end`.
fn replay(
    producers: &mut Producers,
    segments: &[Arc<Segment>],
    end: Offset,
    aborted: &mut Vec<AbortedTransaction>,
) -> Result<(), Error> {
    let start = producers.end();
    if start >= end {
        return Ok(());
    }
    let first = segments.partition_point(|segment| segment.base() <= start).saturating_sub(1);
    for segment in segments[first.min(segments.len())..].iter().take_while(|segment| segment.base() < end) {
        let size = segment.size();
        let position = segment.find(start, size)?.map_or(size, |batch| batch.position);
        let mut scan = segment.scan(position, size)?;
        while let Some((at, bytes)) = segment.step(scan.next_producer())? {
            if at.base_offset >= end {
                return Ok(());
            }
            let completed = apply(producers, bytes).map_err(|reason| segment.corrupt(at.position, reason))?;
            aborted.extend(completed.and_then(|completed| completed.aborted()));
        }
    }
    Ok(())
}

/// Applies one batch, of which the records need to be there only if it is a control batch.
pub(super) fn apply(producers: &mut Producers, bytes: &[u8]) -> Result<Option<CompletedTransaction>, String> {
    // Formats 0 and 1 know no producers.
    let Ok(batch) = Batch::parse_header(bytes) else { return Ok(None) };
    let Some(data) = ProducerBatch::of(&batch) else { return Ok(None) };
    if !batch.attributes().is_control() {
        producers.apply(&data);
        return Ok(None);
    }
    let marker = marker_of(bytes)?;
    Ok(marker.and_then(|marker| producers.apply_marker(&Marker { offset: batch.base_offset(), ..marker })))
}
