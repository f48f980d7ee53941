//! Creating, growing and deleting topics.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod grow;

use base::error_code::ErrorCode;
use base::ids::{DirectoryId, LeaderEpoch, NodeId};
use base::refusal::Refusal;

use crate::image::{Image, LeaderRecoveryState, Partition};

/// The most partitions that one request may create.
const PARTITIONS_PER_REQUEST_MAX: i64 = 10_000;

/// The most records that one request may lead to: they become one batch.
const RECORDS_PER_REQUEST_MAX: usize = 10_000;

/// Said of a request that would lead to more records: none of it is done.
fn too_many_records() -> Refusal {
    Refusal::new(ErrorCode::POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
}

/// A partition that was never led before; `None` when none of its replicas can lead.
fn new_partition(image: &Image, replicas: Vec<NodeId>) -> Option<Partition> {
    let isr: Vec<_> = replicas.iter().copied().filter(|id| image.is_active(*id)).collect();
    Some(Partition {
        directories: replicas.iter().map(|id| default_directory(image, *id)).collect(),
        leader: *isr.first()?,
        replicas,
        isr,
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: LeaderEpoch(0),
        partition_epoch: 0,
    })
}

/// Checks the replicas that somebody asked for.
fn check_assignment(image: &Image, replicas: &[NodeId], factor: Option<usize>) -> Result<(), String> {
    if replicas.is_empty() {
        return Err("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    for (place, id) in sorted.iter().enumerate() {
        if image.broker(*id).is_none() {
            return Err(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
            ));
        }
        if place > 0 && sorted[place - 1] == *id {
            return Err(format!("The manual partition assignment includes the broker {id} more than once."));
        }
    }
    match factor {
        Some(factor) if factor != replicas.len() => Err(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
             previous partitions, which have {factor} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

/// The directory that a new replica gets: the broker chooses when it has several.
fn default_directory(image: &Image, broker: NodeId) -> DirectoryId {
    let Some(broker) = image.broker(broker) else { return DirectoryId::UNASSIGNED };
    if broker.directories.is_empty() {
        return DirectoryId::MIGRATING;
    }
    let cordoned = broker.cordoned_directories.as_deref().unwrap_or_default();
    let mut usable = broker.directories.iter().filter(|directory| !cordoned.contains(directory));
    match (usable.next(), usable.next()) {
        (Some(only), None) => *only,
        _ => DirectoryId::UNASSIGNED,
    }
}
