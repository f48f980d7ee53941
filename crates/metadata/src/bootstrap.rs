//! `bootstrap.checkpoint`: the records that the first controller of a new cluster writes.
//!
//! It stands in the root of a log directory and has the form of a snapshot. Formatting writes it; without it a new cluster
//! begins with what this node supports.

use std::path::Path;

use base::ids::LeaderEpoch;
use base::time::WallTime;
use bytes::Bytes;
use protocol::metadata_record::MetadataRecord;
use quorum::{Snapshot, SnapshotWriter};
use storage::disk::{Disk, read_file};

use crate::error::Error;
use crate::image::{METADATA_VERSION, feature_level};
use crate::node::io_error;
use crate::version::level;

/// The file's name.
pub const NAME: &str = "bootstrap.checkpoint";

/// The records of the directory's file, or those of a cluster that nobody configured.
pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Vec<MetadataRecord>, Error> {
    let path = dir.join(NAME);
    let bytes = read_file(disk, &path).map_err(|error| io_error("read", &path, error))?;
    let Some(bytes) = bytes else { return Ok(vec![feature_level(METADATA_VERSION, level::LATEST)]) };
    let snapshot =
        Snapshot::read(Bytes::from(bytes)).map_err(|error| Error::Quorum { path: path.clone(), error })?;
    let decode = |value: Bytes| MetadataRecord::decode(value).map(|(record, _)| record);
    let records = snapshot.records.into_iter().map(decode).collect::<Result<_, _>>();
    records.map_err(|error| Error::Quorum {
        path: path.clone(),
        error: quorum::Error::Decode { what: "bootstrap record", error },
    })
}

/// The file's bytes for these records.
pub(crate) fn write(records: &[MetadataRecord], now: WallTime) -> Vec<u8> {
    let mut writer = SnapshotWriter::new(LeaderEpoch(0), now, WallTime(0), None);
    for record in records {
        let mut value = wire::output::Output::new();
        record.encode(0, &mut value).expect("bootstrap records are small and of version 0");
        writer.append(&value.to_bytes().expect("all of it is in memory"));
    }
    writer.finish()
}
