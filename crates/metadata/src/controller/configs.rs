//! IncrementalAlterConfigs (44) and AlterConfigs (33).
//!
//! Every resource is altered whole or not at all, and each on its own; what is altered is written as one batch. A config
//! of a broker is written again even when its value stays: that is how a broker is told to read a file again.
//! What only a running broker knows of its own configs was checked there before.

pub(super) mod check;

use std::collections::BTreeMap;

use base::config::definition::{Definition, Kind};
use base::config::{BROKER, GROUP, Properties, TOPIC, Table};
use base::error_code::ErrorCode;
use base::ids::NodeId;
use base::refusal::{Refusal, told};
use protocol::messages::alter_configs_request::{self, AlterConfigsRequest};
use protocol::messages::alter_configs_response::{self, AlterConfigsResponse};
use protocol::messages::incremental_alter_configs_request::{self, IncrementalAlterConfigsRequest};
use protocol::messages::incremental_alter_configs_response::{self, IncrementalAlterConfigsResponse};
use protocol::metadata_record::MetadataRecord;
use protocol::records::clear_elr_record::ClearElrRecord;
use protocol::records::config_record::ConfigRecord;

use crate::controller::election::MIN_INSYNC_REPLICAS;
use crate::controller::request::ControllerSettings;
use crate::features::ELIGIBLE_LEADER_REPLICAS;
use crate::image::{ConfigOverrides, Image, Resource, ResourceType};

/// The most that a refusal can say; a longer one cannot be sent, and Kafka then answers with an unknown error.
const MESSAGE_LENGTH_MAX: usize = i16::MAX as usize;

/// What is decided on, and with what.
pub(crate) struct AlterConfigs<'a> {
    pub(crate) image: &'a Image,
    pub(crate) settings: &'a ControllerSettings,
    pub(crate) local: NodeId,
}

/// How one config changes, with Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Set = 0,
    Delete = 1,
    Append = 2,
    Subtract = 3,
}

/// The new text of each config that is written; nothing: it is deleted.
type Changes<'a> = BTreeMap<&'a str, Option<String>>;

impl AlterConfigs<'_> {
    /// The records and the answer to an IncrementalAlterConfigs.
    pub(crate) fn incremental(
        &self,
        request: &IncrementalAlterConfigsRequest,
    ) -> (Vec<MetadataRecord>, IncrementalAlterConfigsResponse) {
        use incremental_alter_configs_response::AlterConfigsResourceResponse;
        let is_known = |config: &incremental_alter_configs_request::AlterableConfig| {
            Operation::from_number(config.config_operation).is_some()
        };
        let understood = request.resources.iter().all(|resource| resource.configs.iter().all(is_known));
        let mut records = Vec::new();
        let mut answers = Vec::new();
        for resource in &request.resources {
            answers.push(if understood { self.change(resource, &mut records) } else { Err(unknown()) });
        }
        let (records, told) = self.finish(request.validate_only, answers, records);
        let rows = request.resources.iter().zip(told).map(|(resource, (error_code, error_message))| {
            AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type: resource.resource_type,
                resource_name: resource.resource_name.clone(),
            }
        });
        let response = IncrementalAlterConfigsResponse { responses: rows.collect(), ..Default::default() };
        (records, response)
    }

    /// The records and the answer to an AlterConfigs.
    pub(crate) fn replace(
        &self,
        request: &AlterConfigsRequest,
    ) -> (Vec<MetadataRecord>, AlterConfigsResponse) {
        use alter_configs_response::AlterConfigsResourceResponse;
        let mut records = Vec::new();
        let mut answers = Vec::new();
        for resource in &request.resources {
            answers.push(self.replace_one(resource, &mut records));
        }
        let (records, told) = self.finish(request.validate_only, answers, records);
        let rows = request.resources.iter().zip(told).map(|(resource, (error_code, error_message))| {
            AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type: resource.resource_type,
                resource_name: resource.resource_name.clone(),
            }
        });
        let response = AlterConfigsResponse { responses: rows.collect(), ..Default::default() };
        (records, response)
    }

    /// What is written, and what is said of each resource.
    fn finish(
        &self,
        validate_only: bool,
        mut answers: Vec<Result<(), Refusal>>,
        mut records: Vec<MetadataRecord>,
    ) -> (Vec<MetadataRecord>, impl Iterator<Item = (ErrorCode, Option<String>)> + use<>) {
        clear_what_cannot_be_said(&mut answers, &mut records);
        let records = if validate_only { Vec::new() } else { self.with_cleared_elr(records) };
        (records, answers.into_iter().map(told))
    }

    fn change(
        &self,
        request: &incremental_alter_configs_request::AlterConfigsResource,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), Refusal> {
        let resource = resource(request.resource_type, &request.resource_name)?;
        let current = self.image.config(&resource);
        let mut changes = Changes::new();
        for config in &request.configs {
            let operation = Operation::from_number(config.config_operation).ok_or_else(unknown)?;
            let old = current.get(config.name.as_str()).map(|text| text.to_string());
            let given = config.value.as_deref().unwrap_or_default();
            let new = operation.apply(resource.kind, &config.name, old, given)?;
            changes.insert(&config.name, new);
        }
        self.write(&resource, &current, changes, &[], records)
    }

    fn replace_one(
        &self,
        request: &alter_configs_request::AlterConfigsResource,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), Refusal> {
        let resource = resource(request.resource_type, &request.resource_name)?;
        let current = self.image.config(&resource);
        let changes: Changes<'_> = request
            .configs
            .iter()
            .map(|config| (config.name.as_str(), Some(config.value.clone().unwrap_or_default())))
            .collect();
        let dropped: Vec<&str> =
            current.keys().map(AsRef::as_ref).filter(|name| !changes.contains_key(name)).collect();
        self.write(&resource, &current, changes, &dropped, records)
    }

    /// Checks what the resource would have then, and writes the difference.
    fn write(
        &self,
        resource: &Resource,
        current: &ConfigOverrides,
        changes: Changes<'_>,
        dropped: &[&str],
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), Refusal> {
        let is_new = |name: &str, new: &Option<String>| {
            resource.kind == ResourceType::Broker || current.get(name).map(AsRef::as_ref) != new.as_deref()
        };
        let changes: Changes<'_> = changes.into_iter().filter(|(name, new)| is_new(name, new)).collect();
        let mut all: Properties =
            current.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        let names = changes.iter().map(|(name, new)| (*name, new.as_deref()));
        for (name, new) in names.chain(dropped.iter().map(|name| (*name, None))) {
            self.check_min_insync_replicas(resource, name, new)?;
            match new {
                None => drop(all.remove(name)),
                Some(text) => {
                    check::length(text)?;
                    all.insert(name.to_owned(), text.to_owned());
                }
            }
        }
        check::resource(self.image, &self.settings.layers(self.image, self.local), resource, &all)?;
        let written = changes.into_iter().chain(dropped.iter().map(|name| (*name, None)));
        records.extend(written.map(|(name, value)| {
            MetadataRecord::Config(ConfigRecord {
                resource_type: resource.kind.number(),
                resource_name: resource.name.to_string(),
                name: name.to_owned(),
                value,
                ..Default::default()
            })
        }));
        Ok(())
    }

    /// With ELR every broker must mean the same by it.
    fn check_min_insync_replicas(
        &self,
        resource: &Resource,
        name: &str,
        new: Option<&str>,
    ) -> Result<(), Refusal> {
        if name != MIN_INSYNC_REPLICAS || resource.kind != ResourceType::Broker || !self.has_elr() {
            return Ok(());
        }
        let refuse = |message: &str| Err(Refusal::new(ErrorCode::INVALID_CONFIG, message));
        if !resource.name.is_empty() {
            return refuse("Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
        }
        match new {
            None => refuse("Cluster-level min.insync.replicas cannot be removed while ELR is enabled."),
            Some(_) => Ok(()),
        }
    }

    fn has_elr(&self) -> bool {
        self.image.feature(ELIGIBLE_LEADER_REPLICAS) > 0
    }

    /// Who was eligible under another minimum is not any more.
    fn with_cleared_elr(&self, mut records: Vec<MetadataRecord>) -> Vec<MetadataRecord> {
        if !self.has_elr() {
            return records;
        }
        let cleared: Vec<_> = records
            .iter()
            .filter_map(|record| match record {
                MetadataRecord::Config(record) if record.name == MIN_INSYNC_REPLICAS => Some(record),
                _ => None,
            })
            .map(|record| {
                let is_topic = record.resource_type == ResourceType::Topic.number();
                let topic_name = if is_topic { record.resource_name.clone() } else { String::new() };
                MetadataRecord::ClearElr(ClearElrRecord { topic_name, ..Default::default() })
            })
            .collect();
        records.extend(cleared);
        records
    }
}

impl Operation {
    fn from_number(number: i8) -> Option<Self> {
        [Self::Set, Self::Delete, Self::Append, Self::Subtract]
            .into_iter()
            .find(|operation| *operation as i8 == number)
    }

    /// The new text of a config that has `old`; nothing: it is deleted.
    fn apply(
        self,
        kind: ResourceType,
        name: &str,
        old: Option<String>,
        given: &str,
    ) -> Result<Option<String>, Refusal> {
        match self {
            Self::Set => return Ok(Some(given.to_owned())),
            Self::Delete => return Ok(None),
            Self::Append | Self::Subtract => {}
        }
        let Some(definition) = splittable(kind, name) else {
            let word = if self == Self::Append { "APPEND" } else { "SUBTRACT" };
            let message = format!("Can't {word} to key {name} because its type is not LIST.");
            return Err(Refusal::new(ErrorCode::INVALID_CONFIG, message));
        };
        let default = definition.default_value().map(|value| value.to_string());
        let old = old.or(default).unwrap_or_default();
        let mut entries: Vec<&str> = old.split(',').filter(|entry| !entry.is_empty()).collect();
        for entry in split(given) {
            match (self, entries.iter().position(|old| *old == entry)) {
                (Self::Append, None) => entries.push(entry),
                (Self::Subtract, Some(place)) => drop(entries.remove(place)),
                _ => {}
            }
        }
        Ok(Some(entries.join(",")))
    }
}

/// The entries of a list as Java splits it: empty ones at the end are none.
fn split(list: &str) -> impl Iterator<Item = &str> {
    let kept = list.trim_end_matches(',');
    let kept = if kept.is_empty() && !list.is_empty() { None } else { Some(kept) };
    kept.into_iter().flat_map(|kept| kept.split(','))
}

/// The definition of a config that is a list.
fn splittable(kind: ResourceType, name: &str) -> Option<&'static Definition> {
    let table: &Table = match kind {
        ResourceType::Topic => &TOPIC,
        ResourceType::Broker => &BROKER,
        ResourceType::Group => &GROUP,
        // Kafka's controller does not look these up.
        ResourceType::ClientMetrics => return None,
    };
    table.get(name).filter(|definition| definition.kind == Kind::List)
}

fn resource(number: i8, name: &str) -> Result<Resource, Refusal> {
    match ResourceType::from_number(number) {
        Some(kind) => Ok(Resource { kind, name: name.into() }),
        None => {
            let message = format!("Unknown resource type {number}");
            Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
        }
    }
}

fn unknown() -> Refusal {
    Refusal { code: ErrorCode::UNKNOWN_SERVER_ERROR, message: None }
}

/// An answer that no response can carry stands for all of them, and then nothing is written.
fn clear_what_cannot_be_said(answers: &mut [Result<(), Refusal>], records: &mut Vec<MetadataRecord>) {
    let too_long = |answer: &Result<(), Refusal>| {
        let message = answer.as_ref().err().and_then(|refusal| refusal.message.as_ref());
        message.is_some_and(|message| message.len() > MESSAGE_LENGTH_MAX)
    };
    if answers.iter().any(too_long) {
        answers.fill(Err(unknown()));
        records.clear();
    }
}
