//! The apis: which there are, in which versions, and how their headers look.
//!
//! The table is what Apache Kafka 4.3.0 accepts. What a listener advertises is less: only what is built, see the caller.

use std::fmt;

/// The number of an api, as it stands in a request's header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKey(pub i16);

impl ApiKey {
    /// What is known of the api; nothing when there is no such api.
    pub fn api(self) -> Option<&'static Api> {
        APIS.binary_search_by_key(&self, |api| api.key).ok().map(|place| &APIS[place])
    }

    /// Kafka's name, such as `Produce`.
    pub fn name(self) -> Option<&'static str> {
        self.api().map(|api| api.name)
    }

    /// All apis, lowest key first.
    pub fn all() -> &'static [Api] {
        &APIS
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "api {}", self.0),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}({})", self.0)
    }
}

/// What is known of an api.
#[derive(Debug)]
pub struct Api {
    /// Its number.
    pub key: ApiKey,
    /// Kafka's name.
    pub name: &'static str,
    /// The first version.
    pub min: i16,
    /// The last version that is stable, inclusive.
    pub max: i16,
    /// The last version that the codec knows; higher than `max` when that one is not stable.
    pub latest: i16,
    /// The first flexible version; `i16::MAX` when there is none.
    pub flexible: i16,
    /// Whether a broker's listeners serve it.
    pub broker: bool,
    /// Whether a controller's listeners serve it.
    pub controller: bool,
}

impl Api {
    /// Whether `version` is served: known and stable.
    pub fn serves(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    /// The version of the header before a request of `version`: 2 when it is flexible, else 1.
    pub fn request_header_version(&self, version: i16) -> i16 {
        if version >= self.flexible { 2 } else { 1 }
    }

    /// The version of the header before a response of `version`: 1 when it is flexible, else 0. ApiVersions has 0 always,
    /// because a client reads its answer before it knows what the broker understands.
    pub fn response_header_version(&self, version: i16) -> i16 {
        if version >= self.flexible && self.key != ApiKey::API_VERSIONS { 1 } else { 0 }
    }

    /// The first version that ApiVersions names. Produce claims 0 although it begins at 3: librdkafka before 2.6 would
    /// otherwise not compress (KAFKA-18659).
    pub fn advertised_min(&self) -> i16 {
        if self.key == ApiKey::PRODUCE { 0 } else { self.min }
    }
}

include!(concat!(env!("OUT_DIR"), "/apis.rs"));
