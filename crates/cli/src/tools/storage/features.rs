//! `ottla storage version-mapping` and `feature-dependencies`: Kafka 4.3's table of features.
//!
//! They tell what Apache Kafka has, also where it is not built here.

use metadata::features::{
    ALL, FeatureDefinition, METADATA_VERSIONS, UNSTABLE_METADATA_VERSIONS, metadata_version_by_name,
};
use metadata::image::METADATA_VERSION;

use crate::console::Console;
use crate::failure::{Failure, Result, failed};

/// All levels of `metadata.version`, also those that are not yet stable.
fn metadata_versions() -> impl Iterator<Item = (i16, &'static str)> {
    METADATA_VERSIONS.iter().chain(UNSTABLE_METADATA_VERSIONS).copied()
}

/// Prints the levels that a new cluster of a release has.
pub(super) fn version_mapping(release: Option<&str>, console: &mut Console) -> Result<()> {
    let (newest, name) = METADATA_VERSIONS[METADATA_VERSIONS.len() - 1];
    let (version, name) = match release {
        None => (newest, name),
        Some(text) => {
            let named = metadata_versions().find(|(_, name)| *name == text);
            let found = named.map(|(level, _)| level).or_else(|| metadata_version_by_name(text));
            let names = || metadata_versions().map(|(_, name)| name).collect::<Vec<_>>().join(", ");
            let unknown = || {
                Failure::Error(format!(
                    "Unknown metadata.version '{text}'. Supported metadata.version are: {}",
                    names()
                ))
            };
            (found.ok_or_else(unknown)?, text)
        }
    };
    console.line(format_args!("{METADATA_VERSION}={version} ({name})"));
    for feature in ALL {
        console.line(format_args!("{}={}", feature.name, feature.default_level(version)));
    }
    Ok(())
}

/// Prints what each `NAME=LEVEL` needs, up to the first that is wrong.
pub(super) fn dependencies<'a>(asked: impl Iterator<Item = &'a str>, console: &mut Console) -> Result<()> {
    for text in asked {
        let Some((name, level)) = text.split_once('=') else {
            return failed(format!(
                "Invalid feature format: {text}. Expected format: 'feature=version' (e.g. 'group.version=1')"
            ));
        };
        let (name, level) = (name.trim(), level.trim());
        let Ok(level) = level.parse::<i16>() else {
            return failed(format!("Invalid version format: {level} for feature {name}"));
        };
        let needs = needs(name, level)?;
        let shown = shown(name, level);
        if needs.is_empty() {
            console.line(format_args!("{shown} has no dependencies."));
            continue;
        }
        console.line(format_args!("{shown} requires:"));
        for (other, level) in needs {
            console.line(format_args!("    {}", self::shown(other, *level)));
        }
    }
    Ok(())
}

fn needs(name: &str, level: i16) -> Result<&'static [(&'static str, i16)]> {
    if name == METADATA_VERSION {
        return match metadata_versions().any(|(known, _)| known == level) {
            true => Ok(&[]),
            false => failed(format!("Unknown metadata.version {level}")),
        };
    }
    match FeatureDefinition::find(name) {
        Some(feature) if feature.has(level) => Ok(feature.needs(level)),
        Some(_) => failed(format!("Feature level {level} is not supported for feature {name}")),
        None => failed(format!("Unknown feature: {name}")),
    }
}

/// `group.version=1`, and `metadata.version=23 (4.0-IV1)`.
fn shown(name: &str, level: i16) -> String {
    let version = metadata_versions().find(|(known, _)| name == METADATA_VERSION && *known == level);
    let version = version.map(|(_, version)| format!(" ({version})")).unwrap_or_default();
    format!("{name}={level}{version}")
}
