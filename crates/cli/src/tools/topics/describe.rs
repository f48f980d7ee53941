//! `kafka-topics --describe`: a line per topic, then one per partition, tab separated.

use std::collections::HashMap;
use std::sync::Arc;

use base::ids::{NodeId, TopicId};
use client::admin::{ConfigEntry, ConfigSource, ResourceType, TopicDescription, TopicPartitionDescription};
use client::{Admin, Error};
use protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequest;

use super::{existing, with_id};
use crate::console::Console;
use crate::failure::{Failure, Result, usage};
use crate::flags::Arguments;

/// Flags that choose what is shown; one at most.
pub(super) const FILTERS: [&str; 5] = [
    "topics-with-overrides",
    "unavailable-partitions",
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
];

/// Brokers that a partition is moving to, and away from.
type Moves = HashMap<(Arc<str>, i32), (Vec<NodeId>, Vec<NodeId>)>;

pub(super) async fn run(admin: &Admin, arguments: &Arguments, console: &mut Console) -> Result<()> {
    let filter = FILTERS.into_iter().filter(|filter| arguments.has(filter)).collect::<Vec<_>>();
    if filter.len() > 1 {
        return usage(format!("Only one of [{}] can be used at any time.", filter.join(", ")));
    }
    let filter = filter.first().copied();
    let topics = match arguments.get("topic-id") {
        Some(text) if !arguments.has("topic") => {
            let id = text.parse().map(TopicId).map_err(|error| Failure::Error(format!("{error}")))?;
            with_id(admin, id, arguments.has("if-exists")).await?
        }
        _ => existing(admin, arguments).await?,
    };
    if topics.is_empty() {
        return Ok(());
    }
    let configs = configs(admin, &topics).await?;
    let moves = moves(admin, &topics).await?;
    let alive: Vec<NodeId> = admin.cluster().metadata().brokers.keys().copied().collect();
    for described in admin.describe_topics(&topics).await? {
        let topic = described?;
        let configs = configs.get(&topic.name).map(Vec::as_slice).unwrap_or_default();
        let own: Vec<&ConfigEntry> =
            configs.iter().filter(|entry| entry.source != ConfigSource::Default).collect();
        if filter.is_none() || filter == Some("topics-with-overrides") && !own.is_empty() {
            console.line(format_args!("{}", head(&topic, &own)));
        }
        if filter == Some("topics-with-overrides") {
            continue;
        }
        let min_isr = configs.iter().find(|entry| entry.name == "min.insync.replicas");
        let min_isr = min_isr.and_then(|entry| entry.value.as_deref()?.parse().ok()).unwrap_or(1);
        for row in topic.partitions.iter().filter(|row| is_shown(filter, row, min_isr, &alive)) {
            let moving = moves.get(&(topic.name.clone(), row.index.0));
            console.line(format_args!("{}", line(&topic.name, row, moving)));
        }
    }
    Ok(())
}

fn is_shown(filter: Option<&str>, row: &TopicPartitionDescription, min_isr: usize, alive: &[NodeId]) -> bool {
    match filter {
        Some("unavailable-partitions") => row.leader.is_none_or(|leader| !alive.contains(&leader)),
        Some("under-replicated-partitions") => row.isr.len() < row.replicas.len(),
        Some("under-min-isr-partitions") => row.isr.len() < min_isr,
        Some("at-min-isr-partitions") => row.isr.len() == min_isr,
        _ => true,
    }
}

fn head(topic: &TopicDescription, own: &[&ConfigEntry]) -> String {
    let config =
        |entry: &&ConfigEntry| format!("{}={}", entry.name, entry.value.as_deref().unwrap_or("null"));
    format!(
        "Topic: {}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}",
        topic.name,
        topic.id,
        topic.partitions.len(),
        topic.partitions.first().map_or(0, |row| row.replicas.len()),
        own.iter().map(config).collect::<Vec<_>>().join(","),
    )
}

fn line(topic: &str, row: &TopicPartitionDescription, moving: Option<&(Vec<NodeId>, Vec<NodeId>)>) -> String {
    let leader = row.leader.map_or("none".to_owned(), |leader| leader.to_string());
    let mut line = format!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
        row.index,
        join(&row.replicas),
        join(&row.isr)
    );
    if let Some((adding, removing)) = moving {
        line.push_str(&format!("\tAdding Replicas: {}\tRemoving Replicas: {}", join(adding), join(removing)));
    }
    let or_unknown = |nodes: &Option<Vec<NodeId>>| nodes.as_deref().map_or("N/A".to_owned(), join);
    line.push_str(&format!(
        "\tElr: {}\tLastKnownElr: {}",
        or_unknown(&row.eligible_leader_replicas),
        or_unknown(&row.last_known_elr)
    ));
    line
}

fn join(nodes: &[NodeId]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The configs of all topics; none from a server that does not tell.
async fn configs(admin: &Admin, topics: &[Arc<str>]) -> Result<HashMap<Arc<str>, Vec<ConfigEntry>>> {
    let names: Vec<&str> = topics.iter().map(AsRef::as_ref).collect();
    match admin.describe_configs(ResourceType::Topic, &names).await {
        Ok(rows) => {
            let named = topics.iter().cloned().zip(rows);
            Ok(named.filter_map(|(name, configs)| Some((name, configs.ok()?))).collect())
        }
        Err(Error::Unsupported(_)) => Ok(HashMap::new()),
        Err(error) => Err(error.into()),
    }
}

/// Reassignments under way; none from a server that does not tell.
async fn moves(admin: &Admin, topics: &[Arc<str>]) -> Result<Moves> {
    let request = ListPartitionReassignmentsRequest { topics: None, ..Default::default() };
    let asked = admin.cluster().retry("listing reassignments", || admin.cluster().call_controller(&request));
    let answer = match asked.await {
        Ok(answer) => answer,
        Err(Error::Unsupported(_)) => return Ok(Moves::new()),
        Err(error) => return Err(error.into()),
    };
    let mut moves = Moves::new();
    for topic in answer.topics {
        let Some(name) = topics.iter().find(|name| ***name == topic.name) else { continue };
        for row in topic.partitions {
            let nodes = |ids: Vec<i32>| ids.into_iter().map(NodeId).collect::<Vec<_>>();
            let moving = (nodes(row.adding_replicas), nodes(row.removing_replicas));
            moves.insert((name.clone(), row.partition_index), moving);
        }
    }
    Ok(moves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::ids::{LeaderEpoch, PartitionIndex};

    fn partition(leader: Option<i32>, elr: Option<Vec<NodeId>>) -> TopicPartitionDescription {
        TopicPartitionDescription {
            index: PartitionIndex(1),
            leader: leader.map(NodeId),
            leader_epoch: LeaderEpoch(0),
            replicas: vec![NodeId(1), NodeId(2)],
            isr: vec![NodeId(1)],
            last_known_elr: elr.clone(),
            eligible_leader_replicas: elr,
            offline_replicas: Vec::new(),
        }
    }

    #[test]
    fn lines_have_kafkas_columns() {
        let check =
            |row: TopicPartitionDescription, moving: Option<(Vec<NodeId>, Vec<NodeId>)>, expect: &str| {
                assert_eq!(line("t", &row, moving.as_ref()), expect);
            };
        check(
            partition(Some(1), Some(Vec::new())),
            None,
            "\tTopic: t\tPartition: 1\tLeader: 1\tReplicas: 1,2\tIsr: 1\tElr: \tLastKnownElr: ",
        );
        check(
            partition(None, None),
            Some((vec![NodeId(3)], vec![NodeId(2)])),
            "\tTopic: t\tPartition: 1\tLeader: none\tReplicas: 1,2\tIsr: 1\tAdding Replicas: 3\tRemoving Replicas: 2\
             \tElr: N/A\tLastKnownElr: N/A",
        );
        let topic = TopicDescription {
            name: "t".into(),
            id: TopicId::METADATA,
            internal: false,
            partitions: vec![partition(Some(1), None)],
        };
        assert_eq!(
            head(&topic, &[]),
            "Topic: t\tTopicId: AAAAAAAAAAAAAAAAAAAAAQ\tPartitionCount: 1\tReplicationFactor: 2\tConfigs: "
        );
    }

    #[test]
    fn filters_choose_partitions() {
        let check = |filter: Option<&str>, leader, min_isr, expect| {
            let row = partition(leader, None);
            assert_eq!(is_shown(filter, &row, min_isr, &[NodeId(1)]), expect, "{filter:?}");
        };
        check(None, None, 1, true);
        check(Some("unavailable-partitions"), Some(1), 1, false);
        check(Some("unavailable-partitions"), Some(2), 1, true);
        check(Some("under-replicated-partitions"), Some(1), 1, true);
        check(Some("under-min-isr-partitions"), Some(1), 2, true);
        check(Some("under-min-isr-partitions"), Some(1), 1, false);
        check(Some("at-min-isr-partitions"), Some(1), 1, true);
    }
}
