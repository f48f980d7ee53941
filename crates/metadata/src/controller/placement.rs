//! Which brokers get the replicas of new partitions.
//!
//! Racks are taken in turn, and within a rack its brokers in turn, so that neighbouring partitions start on different
//! racks and the replicas of one partition lie on as many racks as there are. Fenced brokers come only when the others do
//! not suffice. The first rack and the order inside racks are random.

use std::collections::{BTreeMap, VecDeque};

use base::ids::NodeId;

use super::request::Random;
use crate::image::{Broker, Image};

/// The replicas of each new partition.
///
/// # Errors
/// In Kafka's words, when the cluster cannot hold so many replicas.
pub(crate) fn place(
    image: &Image,
    partition_count: usize,
    replication_factor: i16,
    random: &mut dyn Random,
) -> Result<Vec<Vec<NodeId>>, String> {
    let usable: Vec<&Broker> = image.brokers().filter(|broker| has_usable_directory(broker)).collect();
    check(&usable, replication_factor)?;
    let mut racks = Racks::new(&usable, random);
    Ok((0..partition_count).map(|_| racks.place(replication_factor as usize)).collect())
}

fn check(usable: &[&Broker], replication_factor: i16) -> Result<(), String> {
    if replication_factor <= 0 {
        return Err(format!(
            "Invalid replication factor {replication_factor}: the replication factor must be positive."
        ));
    }
    if usable.iter().all(|broker| broker.fenced) {
        return Err(
            "All brokers are currently fenced, or have all their log directories cordoned.".to_owned()
        );
    }
    if usable.len() < replication_factor as usize {
        return Err(format!(
            "The target replication factor of {replication_factor} cannot be reached because only {} broker(s) are \
             registered or some brokers have all their log directories cordoned.",
            usable.len()
        ));
    }
    Ok(())
}

fn has_usable_directory(broker: &Broker) -> bool {
    let cordoned = broker.cordoned_directories.as_deref().unwrap_or_default();
    broker.directories.is_empty() || broker.directories.iter().any(|directory| !cordoned.contains(directory))
}

/// The brokers of every rack, in the order in which they are taken next.
struct Racks {
    racks: Vec<Rack>,
    /// The rack that the next partition starts with.
    next: usize,
}

#[derive(Default)]
struct Rack {
    unfenced: VecDeque<NodeId>,
    fenced: VecDeque<NodeId>,
}

impl Racks {
    fn new(brokers: &[&Broker], random: &mut dyn Random) -> Self {
        let mut racks: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
        for broker in brokers {
            let rack = racks.entry(broker.rack.as_deref()).or_default();
            let list = if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced };
            list.push_back(broker.id);
        }
        let mut racks: Vec<Rack> = racks.into_values().collect();
        for rack in &mut racks {
            rotate(&mut rack.unfenced, random);
            rotate(&mut rack.fenced, random);
        }
        let next = below(racks.len(), random);
        Self { racks, next }
    }

    /// The replicas of one partition. Each round takes one broker of every rack; unfenced ones lead and go first.
    fn place(&mut self, count: usize) -> Vec<NodeId> {
        let racks = self.racks.len();
        let first = (0..racks).map(|step| (self.next + step) % racks);
        let first = first.into_iter().find(|rack| !self.racks[*rack].unfenced.is_empty());
        let first = first.expect("a broker is unfenced");
        self.next = (self.next + 1) % racks;
        let mut replicas = Vec::with_capacity(count);
        let mut round = 0;
        while replicas.len() < count {
            for step in 0..racks {
                let rack = &self.racks[(first + step) % racks];
                let broker = rack.unfenced.iter().chain(&rack.fenced).nth(round).copied();
                replicas.extend(broker.filter(|_| replicas.len() < count));
            }
            round += 1;
        }
        self.racks.iter_mut().for_each(Rack::turn);
        replicas
    }
}

impl Rack {
    /// The next partition starts with the next broker.
    fn turn(&mut self) {
        for list in [&mut self.unfenced, &mut self.fenced] {
            if !list.is_empty() {
                list.rotate_left(1);
            }
        }
    }
}

fn rotate(list: &mut VecDeque<NodeId>, random: &mut dyn Random) {
    if list.len() > 1 {
        let by = below(list.len(), random);
        list.rotate_left(by);
    }
}

/// A number below `count`; no bits are drawn when there is only one.
fn below(count: usize, random: &mut dyn Random) -> usize {
    if count > 1 { (random.bits() % count as u128) as usize } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use base::ids::{BrokerEpoch, DirectoryId};
    use base::uuid::Uuid;

    use super::*;

    struct Counting(u128);

    impl Random for Counting {
        fn bits(&mut self) -> u128 {
            self.0 += 1;
            self.0
        }
    }

    /// Brokers 0, 1 … with these racks; `!` before a rack fences the broker.
    fn image(racks: &[&str]) -> Image {
        let mut image = Image::empty("cluster");
        for (id, rack) in racks.iter().enumerate() {
            let id = NodeId(id as i32);
            let directory = DirectoryId(Uuid::from_u128(1000 + id.0 as u128));
            let broker = Broker {
                id,
                epoch: BrokerEpoch(1),
                incarnation_id: Uuid::ONE,
                endpoints: Vec::new(),
                features: BTreeMap::new(),
                rack: Some(rack.trim_start_matches('!').to_owned()),
                fenced: rack.starts_with('!'),
                in_controlled_shutdown: false,
                is_migrating_zk_broker: false,
                directories: vec![directory],
                cordoned_directories: (*rack == "cordoned").then(|| vec![directory]),
            };
            image.brokers.insert(id, Arc::new(broker));
        }
        image
    }

    #[test]
    fn replicas_spread_over_racks_and_leaders_over_brokers() {
        let image = image(&["a", "a", "b", "b", "c", "c"]);
        let placed = place(&image, 12, 3, &mut Counting(0)).expect("enough brokers");
        let rack = |id: &NodeId| image.broker(*id).unwrap().rack.clone();
        for replicas in &placed {
            assert_eq!(replicas.iter().map(rack).collect::<BTreeSet<_>>().len(), 3, "{replicas:?}");
        }
        let leaders: BTreeSet<_> = placed.iter().map(|replicas| replicas[0]).collect();
        assert_eq!(leaders.len(), 6);
    }

    #[test]
    fn one_partition_never_has_a_broker_twice() {
        for factor in 1..=5 {
            let placed = place(&image(&["a", "a", "a", "b", "!b"]), 20, factor, &mut Counting(7)).unwrap();
            for replicas in placed {
                let distinct: BTreeSet<_> = replicas.iter().collect();
                assert_eq!((distinct.len(), replicas.len()), (factor as usize, factor as usize));
                assert_ne!(replicas[0], NodeId(4), "a fenced broker does not lead");
            }
        }
    }

    #[test]
    fn what_cannot_be_placed_is_refused_in_kafkas_words() {
        let check = |racks: &[&str], factor: i16, expect: &str| {
            assert_eq!(place(&image(racks), 1, factor, &mut Counting(0)), Err(expect.to_owned()));
        };
        let fenced = "All brokers are currently fenced, or have all their log directories cordoned.";
        check(&[], 1, fenced);
        check(&["!a"], 1, fenced);
        check(&["cordoned"], 1, fenced);
        check(&["a"], 0, "Invalid replication factor 0: the replication factor must be positive.");
        check(
            &["a", "!b", "cordoned"],
            3,
            "The target replication factor of 3 cannot be reached because only 2 broker(s) are registered or some \
             brokers have all their log directories cordoned.",
        );
    }
}
