//! Which versions of which api a server has, and which of them are used.

use std::collections::HashMap;

use protocol::api::ApiKey;

use crate::error::{Error, Result};

/// A range of versions, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The lowest version.
    pub min: i16,
    /// The highest version.
    pub max: i16,
}

/// The answer of one server to ApiVersions.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerVersions(HashMap<i16, VersionRange>);

impl ServerVersions {
    pub(crate) fn new(ranges: impl IntoIterator<Item = (i16, VersionRange)>) -> Self {
        Self(ranges.into_iter().collect())
    }

    /// What the server has of the api.
    pub(crate) fn range(&self, key: ApiKey) -> Option<VersionRange> {
        self.0.get(&key.0).copied()
    }

    /// All apis that the server has, lowest key first, also those that nobody here knows.
    pub(crate) fn all(&self) -> Vec<(ApiKey, VersionRange)> {
        let mut all: Vec<_> = self.0.iter().map(|(key, range)| (ApiKey(*key), *range)).collect();
        all.sort_by_key(|(key, _)| key.0);
        all
    }

    /// The highest version that both sides have and that is at most `limit`.
    pub(crate) fn choose(&self, key: ApiKey, limit: i16) -> Result<i16> {
        let Some(server) = self.range(key) else {
            return Err(Error::Unsupported(format!("The server does not support {key}.")));
        };
        match usable(key, server) {
            Some(range) if range.min <= limit => Ok(range.max.min(limit)),
            _ => Err(Error::Unsupported(format!(
                "The server supports {key} only in versions {} to {}.",
                server.min, server.max
            ))),
        }
    }
}

/// The versions that both sides have.
pub(crate) fn usable(key: ApiKey, server: VersionRange) -> Option<VersionRange> {
    let api = key.api()?;
    let range = VersionRange { min: server.min.max(api.min), max: server.max.min(api.max) };
    (range.min <= range.max).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_used() {
        let check = |min, max, limit, expect: Option<i16>| {
            let versions = ServerVersions::new([(3, VersionRange { min, max })]);
            assert_eq!(versions.choose(ApiKey::METADATA, limit).ok(), expect, "{min}..{max}, {limit}");
        };
        check(0, 13, i16::MAX, Some(13));
        check(0, 99, i16::MAX, Some(13));
        check(0, 5, i16::MAX, Some(5));
        check(0, 13, 9, Some(9));
        check(14, 20, i16::MAX, None);
        check(10, 13, 9, None);
        let none = ServerVersions::default();
        assert!(matches!(none.choose(ApiKey::METADATA, 1), Err(Error::Unsupported(_))));
    }
}
