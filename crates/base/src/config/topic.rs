//! The configs that a topic is created or altered with.

use super::definition::Values;
use super::error::ConfigError;
use super::layers::Layers;
use super::properties::Properties;
use super::tables::{TOPIC, TopicConfig};

/// Checks the overrides of a topic as the controller does: names, values, and what they mean together with the defaults
/// that this node's configs give, those set while it runs included.
///
/// # Errors
/// The sentence for the client; its error code is INVALID_CONFIG.
pub fn check(overrides: &Properties, layers: &Layers) -> Result<(), ConfigError> {
    if let Some(name) = overrides.keys().find(|name| TOPIC.index(name).is_none()) {
        return Err(ConfigError::Unknown { table: "topic", name: name.clone() });
    }
    check_together(&layers.topic_values(overrides)?)
}

fn check_together(values: &Values) -> Result<(), ConfigError> {
    let config = TopicConfig::of(values);
    let (least, most) = (config.min_compaction_lag_ms, config.max_compaction_lag_ms);
    if least > most {
        return Err(ConfigError::Rule(format!(
            "conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})"
        )));
    }
    // True whatever remote.log.storage.system.enable says, until tiered storage is built.
    if config.remote_storage_enable {
        let sentence = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote \
                        log storage.";
        return Err(ConfigError::Rule(sentence.into()));
    }
    Ok(())
}

impl TopicConfig {
    /// The size at which a segment is closed: `internal.segment.bytes`, which tests set, or `segment.bytes`.
    pub fn segment_size(&self) -> i32 {
        self.internal_segment_bytes.unwrap_or(self.segment_bytes)
    }
}

impl Default for TopicConfig {
    /// What a topic has when nobody configured anything.
    fn default() -> Self {
        Self::of(&TOPIC.parse(&Properties::new()).expect("every topic config has a default"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded by `testdata/configs/Record.java`.
    const RECORDED: &str = include_str!("../../testdata/configs/refusals.txt");

    /// Where the answer here is not Kafka's, and why. May only shrink.
    const DIFFERENT: &[(&str, &str, &str)] = &[(
        "min.cleanable.dirty.ratio=0x1p-1",
        "INVALID_CONFIG: Invalid value 0x1p-1 for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE",
        "nobody writes a ratio in hexadecimal",
    )];

    fn answer(input: &str) -> String {
        let pairs = input.split(" & ").map(|one| one.split_once('=').expect(one));
        let overrides = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        match check(&overrides, &Layers::default()) {
            Ok(()) => "NONE".into(),
            Err(error) => format!("INVALID_CONFIG: {error}"),
        }
    }

    #[test]
    fn configs_are_refused_in_kafkas_words() {
        let mut used = 0;
        for line in RECORDED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (input, recorded) = line.split_once(" => ").expect(line);
            match DIFFERENT.iter().find(|(different, ..)| *different == input) {
                None => assert_eq!(answer(input), recorded, "{input}"),
                Some((_, expect, _)) => {
                    assert_eq!(answer(input), *expect, "{input}");
                    assert_ne!(*expect, recorded, "no longer different: {input}");
                    used += 1;
                }
            }
        }
        assert_eq!(used, DIFFERENT.len(), "a difference that is not in the recording");
    }

    #[test]
    fn the_brokers_own_configs_count_in_rules_between_configs() {
        let layers =
            Layers::of_static(Properties::from([("log.cleaner.max.compaction.lag.ms".into(), "5".into())]));
        let overrides = Properties::from([("min.compaction.lag.ms".into(), "6".into())]);
        assert_eq!(
            check(&overrides, &layers).unwrap_err().to_string(),
            "conflict topic config setting min.compaction.lag.ms (6) > max.compaction.lag.ms (5)"
        );
        assert_eq!(check(&overrides, &Layers::default()), Ok(()));
    }

    #[test]
    fn a_segment_may_be_smaller_for_tests() {
        let size = |set: &[(&str, &str)]| {
            let overrides = set.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            Layers::default().topic_config(&overrides).unwrap().segment_size()
        };
        assert_eq!(size(&[]), 1 << 30);
        assert_eq!(size(&[("segment.bytes", "2000000"), ("internal.segment.bytes", "500")]), 500);
        assert_eq!(TopicConfig::default().segment_size(), 1 << 30);
    }
}
