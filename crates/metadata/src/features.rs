//! Features: which there are, at which levels, and what a new cluster starts with.
//!
//! Brokers advertise only what is built ([`SUPPORTED`]); a feature that is not built stays at level 0, so that no peer
//! relies on it. Formatting knows all of Kafka 4.3's ([`ALL`]), because release versions are made of them. In a cluster that
//! Apache Kafka finalized there may be more ([`unbuilt`]): its data is served all the same.

use std::collections::BTreeMap;

use protocol::messages::broker_registration_request;

use crate::image::{Image, KRAFT_VERSION, METADATA_VERSION, SupportedVersions};
use crate::version::level;

/// The feature of KIP-966: who has left an ISR may lead if nobody has more.
pub const ELIGIBLE_LEADER_REPLICAS: &str = "eligible.leader.replicas.version";

/// A feature and a range of its levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The lowest level, inclusive.
    pub min: i16,
    /// The highest level, inclusive.
    pub max: i16,
}

/// What this node supports, as it registers and as ApiVersions tells; sorted by name.
pub const SUPPORTED: &[Feature] = &[
    Feature { name: ELIGIBLE_LEADER_REPLICAS, min: 0, max: 1 },
    Feature { name: KRAFT_VERSION, min: 0, max: 1 },
    Feature { name: METADATA_VERSION, min: level::MINIMUM, max: level::LATEST },
];

/// A feature of Kafka 4.3.0. Every one has level 0 as well: without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureDefinition {
    /// Its name.
    pub name: &'static str,
    /// Its levels above 0, from 1 on without a gap.
    pub levels: &'static [Level],
}

/// A level of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The level.
    pub level: i16,
    /// The level of `metadata.version` from which on a new cluster has it (or a higher one), if nothing else is asked for.
    pub since: i16,
    /// What it needs: a feature, and the lowest level of that.
    pub needs: &'static [(&'static str, i16)],
}

/// A level that needs nothing.
const fn level(level: i16, since: i16) -> Level {
    Level { level, since, needs: &[] }
}

/// The features of Kafka 4.3.0 besides `metadata.version`, in Kafka's order.
pub const ALL: &[FeatureDefinition] = &[
    FeatureDefinition { name: KRAFT_VERSION, levels: &[level(1, 21)] },
    FeatureDefinition { name: "transaction.version", levels: &[level(1, 24), level(2, 24)] },
    FeatureDefinition { name: "group.version", levels: &[level(1, 22)] },
    FeatureDefinition {
        name: ELIGIBLE_LEADER_REPLICAS,
        levels: &[Level {
            level: 1,
            since: level::ELIGIBLE_LEADER_REPLICAS_BY_DEFAULT,
            needs: &[(METADATA_VERSION, level::ELIGIBLE_LEADER_REPLICAS)],
        }],
    },
    FeatureDefinition { name: "share.version", levels: &[level(1, 28)] },
    FeatureDefinition { name: "streams.version", levels: &[level(1, 29)] },
];

impl FeatureDefinition {
    /// The one with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|feature| feature.name == name)
    }

    /// Whether there is this level, or it is 0.
    pub fn has(&self, level: i16) -> bool {
        level == 0 || self.levels.iter().any(|defined| defined.level == level)
    }

    /// What a level needs.
    pub fn needs(&self, level: i16) -> &'static [(&'static str, i16)] {
        self.levels.iter().find(|defined| defined.level == level).map_or(&[], |defined| defined.needs)
    }

    /// The level that a new cluster has at this level of `metadata.version`.
    pub fn default_level(&self, metadata_version: i16) -> i16 {
        let begun = self.levels.iter().filter(|defined| defined.since <= metadata_version);
        begun.map(|defined| defined.level).max().unwrap_or(0)
    }
}

/// The levels of `metadata.version`: number and name. A release is named by a prefix of its last level's name.
pub const METADATA_VERSIONS: &[(i16, &str)] = &[
    (7, "3.3-IV3"),
    (8, "3.4-IV0"),
    (9, "3.5-IV0"),
    (10, "3.5-IV1"),
    (11, "3.5-IV2"),
    (12, "3.6-IV0"),
    (13, "3.6-IV1"),
    (14, "3.6-IV2"),
    (15, "3.7-IV0"),
    (16, "3.7-IV1"),
    (17, "3.7-IV2"),
    (18, "3.7-IV3"),
    (19, "3.7-IV4"),
    (20, "3.8-IV0"),
    (21, "3.9-IV0"),
    (22, "4.0-IV0"),
    (23, "4.0-IV1"),
    (24, "4.0-IV2"),
    (25, "4.0-IV3"),
    (26, "4.1-IV0"),
    (27, "4.1-IV1"),
    (28, "4.2-IV0"),
    (29, "4.2-IV1"),
    (30, "4.3-IV0"),
];

/// Levels that Kafka 4.3.0 knows by name, and sets up for no cluster: they may still change.
pub const UNSTABLE_METADATA_VERSIONS: &[(i16, &str)] = &[(31, "4.4-IV0")];

/// What a broker registers with: [`SUPPORTED`], and what is [`unbuilt`] in its cluster. The level that the cluster has is no
/// promise to raise it, and without it a directory of Apache Kafka could not be opened in place.
pub fn registered(unbuilt: &[Feature]) -> Vec<broker_registration_request::Feature> {
    let feature = |feature: &Feature| broker_registration_request::Feature {
        name: feature.name.to_owned(),
        min_supported_version: feature.min,
        max_supported_version: feature.max,
    };
    SUPPORTED.iter().chain(unbuilt).map(feature).collect()
}

/// The features of [`ALL`] that the cluster has finalized above what is [`SUPPORTED`], from 0 up to that level. Their APIs
/// are not advertised; what they keep in logs stays as it is.
pub fn unbuilt(image: &Image) -> Vec<Feature> {
    let is_supported = |name: &str| SUPPORTED.iter().any(|feature| feature.name == name);
    ALL.iter()
        .filter(|feature| !is_supported(feature.name))
        .filter_map(|feature| {
            let level = image.feature(feature.name);
            (level > 0 && feature.has(level)).then_some(Feature { name: feature.name, min: 0, max: level })
        })
        .collect()
}

/// [`SUPPORTED`] as a map.
pub fn supported() -> BTreeMap<String, SupportedVersions> {
    let range = |feature: &Feature| SupportedVersions { min: feature.min, max: feature.max };
    SUPPORTED.iter().map(|feature| (feature.name.to_owned(), range(feature))).collect()
}

/// The name of a level of `metadata.version`.
pub fn metadata_version_name(level: i16) -> Option<&'static str> {
    METADATA_VERSIONS.iter().find(|(number, _)| *number == level).map(|(_, name)| *name)
}

/// The level that a release (`4.3`, `4.3.0`) or a level's own name (`4.3-IV0`) stands for. What follows the second number of
/// a release counts for nothing.
pub fn metadata_version_by_name(text: &str) -> Option<i16> {
    if let Some((level, _)) = METADATA_VERSIONS.iter().find(|(_, name)| *name == text) {
        return Some(*level);
    }
    let mut parts = text.split('.');
    let release = format!("{}.{}-", parts.next()?, parts.next()?);
    METADATA_VERSIONS.iter().rev().find(|(_, name)| name.starts_with(&release)).map(|(level, _)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_stand_for_their_last_level() {
        let check =
            |text: &str, expect: Option<i16>| assert_eq!(metadata_version_by_name(text), expect, "{text}");
        check("3.3", Some(7));
        check("3.7", Some(19));
        check("3.7.1", Some(19));
        check("4.0", Some(25));
        check("4.3.0", Some(30));
        check("4.0-IV1", Some(23));
        check("4.4", None);
        check("3.2", None);
        check("4", None);
        check("4.3.x", Some(30));
        check("4.3.0.1", Some(30));
        check("4.4-IV0", None);
        check("4.3-IV", None);
        check("", None);
    }

    #[test]
    fn levels_follow_each_other() {
        let levels: Vec<_> = METADATA_VERSIONS.iter().map(|(level, _)| *level).collect();
        assert_eq!(levels, (level::MINIMUM..=level::LATEST).collect::<Vec<_>>());
        assert_eq!(metadata_version_name(level::LATEST), Some("4.3-IV0"));
        for feature in ALL {
            let levels: Vec<_> = feature.levels.iter().map(|defined| defined.level).collect();
            assert_eq!(levels, (1..=levels.len() as i16).collect::<Vec<_>>(), "{}", feature.name);
        }
    }
}
