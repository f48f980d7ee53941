//! Which feature levels a new cluster gets.

use std::collections::BTreeMap;

use super::InitialVoters;
use crate::error::Error;
use crate::features::{
    ALL, FeatureDefinition, METADATA_VERSIONS, SUPPORTED, UNSTABLE_METADATA_VERSIONS,
    metadata_version_by_name, metadata_version_name,
};
use crate::image::{KRAFT_VERSION, METADATA_VERSION};
use crate::version::level;

/// The levels of a new cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    /// Of `metadata.version`.
    pub metadata_version: i16,
    /// Of `kraft.version`.
    pub kraft_version: i16,
    /// Of all others.
    pub others: BTreeMap<String, i16>,
}

/// The levels that are asked for, completed by defaults. What is not built gets level 0, and no other when it is asked for.
///
/// # Errors
/// A sentence for the user.
pub fn effective_levels(
    asked: &BTreeMap<String, i16>,
    release_version: Option<&str>,
    voters: &InitialVoters,
) -> Result<Levels, Error> {
    let metadata_version = metadata_version(asked, release_version)?;
    let dynamic = *voters != InitialVoters::Configured;
    let kraft_version = kraft_version(asked.get(KRAFT_VERSION).copied(), dynamic)?;
    let mut others = BTreeMap::new();
    for (name, level) in asked.iter().filter(|(name, _)| *name != METADATA_VERSION && *name != KRAFT_VERSION)
    {
        let known = FeatureDefinition::find(name).ok_or_else(|| unknown_feature(name))?;
        if !known.has(*level) {
            return Err(no_such_level(name, *level));
        }
        let is_built = SUPPORTED.iter().any(|built| built.name == name && *level <= built.max);
        if *level > 0 && !is_built {
            return Err(refused(format!(
                "Feature {name} is not built yet: leave it out, or set it to 0 with --feature {name}=0"
            )));
        }
        let unmet = known
            .needs(*level)
            .iter()
            .find(|(other, lowest)| *other == METADATA_VERSION && metadata_version < *lowest);
        if let Some((other, lowest)) = unmet {
            return Err(refused(format!(
                "{name} could not be set to {level} because it depends on {other} level {lowest}"
            )));
        }
        others.insert(name.clone(), *level);
    }
    for built in SUPPORTED.iter().filter(|built| built.name != KRAFT_VERSION) {
        if let Some(known) = FeatureDefinition::find(built.name) {
            let level = known.default_level(metadata_version).min(built.max);
            others.entry(built.name.to_owned()).or_insert(level);
        }
    }
    Ok(Levels { metadata_version, kraft_version, others })
}

fn metadata_version(asked: &BTreeMap<String, i16>, release_version: Option<&str>) -> Result<i16, Error> {
    match (asked.get(METADATA_VERSION), release_version) {
        (Some(_), Some(_)) => Err(refused(
            "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.".to_owned(),
        )),
        (Some(number), None) => match metadata_version_name(*number) {
            Some(_) => Ok(*number),
            None => Err(refused(
                match UNSTABLE_METADATA_VERSIONS.iter().find(|(unstable, _)| unstable == number) {
                    Some((_, name)) => format!("{METADATA_VERSION} {name} is not yet stable."),
                    None => format!(
                        "No MetadataVersion with feature level {number}. Valid feature levels are from {} to {}.",
                        level::MINIMUM,
                        UNSTABLE_METADATA_VERSIONS.last().map_or(level::LATEST, |(level, _)| *level)
                    ),
                },
            )),
        },
        (None, Some(name)) => metadata_version_by_name(name).ok_or_else(|| {
            let names: Vec<_> = METADATA_VERSIONS.iter().map(|(_, name)| *name).collect();
            let names = names.join(", ");
            refused(format!("Unknown metadata.version '{name}'. Supported metadata.version are: {names}"))
        }),
        (None, None) => Ok(level::LATEST),
    }
}

fn kraft_version(asked: Option<i16>, dynamic: bool) -> Result<i16, Error> {
    match asked {
        Some(0) if dynamic => Err(refused(
            "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, \
             --initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing \
             the --feature flag for kraft.version."
                .to_owned(),
        )),
        Some(level) if level != 0 && !dynamic => Err(refused(format!(
            "Cannot set kraft.version to {level} unless controller.quorum.voters is empty and one of the flags \
             --standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, \
             try using one of --standalone, --initial-controllers, or --no-initial-controllers and removing \
             controller.quorum.voters."
        ))),
        Some(level) if !(0..=1).contains(&level) => {
            Err(no_such_level(KRAFT_VERSION, level))
        }
        _ => Ok(i16::from(dynamic)),
    }
}

fn unknown_feature(name: &str) -> Error {
    let mut names: Vec<_> = ALL.iter().map(|feature| feature.name).collect();
    names.sort_unstable();
    refused(format!("Unsupported feature: {name}. Supported features are: {}", names.join(", ")))
}

fn no_such_level(name: &str, level: i16) -> Error {
    refused(format!("No feature:{name} with feature level {level}"))
}

fn refused(sentence: String) -> Error {
    Error::Refused(sentence)
}
