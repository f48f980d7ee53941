//! The features that this node supports, and the levels of each.
//!
//! A feature that is not built is not here: nobody can finalize it, and a cluster that has it above 0 is refused.

use std::collections::BTreeMap;

use crate::image::{KRAFT_VERSION, METADATA_VERSION, SupportedVersions};
use crate::version::level;

/// One feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedFeature {
    /// Kafka's name.
    pub name: &'static str,
    /// The lowest level.
    pub min: i16,
    /// The highest level, inclusive.
    pub max: i16,
}

/// All of them, sorted by name.
pub static SUPPORTED: [SupportedFeature; 2] = [
    SupportedFeature { name: KRAFT_VERSION, min: 0, max: 1 },
    SupportedFeature { name: METADATA_VERSION, min: level::MINIMUM, max: level::LATEST },
];

/// The same as registrations and the controller carry it.
pub fn supported() -> BTreeMap<String, SupportedVersions> {
    let entry = |feature: &SupportedFeature| {
        (feature.name.to_owned(), SupportedVersions { min: feature.min, max: feature.max })
    };
    SUPPORTED.iter().map(entry).collect()
}
