//! Which topics and partitions are meant: names, regular expressions, ranges.

use base::ids::PartitionIndex;
use regex_lite::Regex;

use crate::failure::{Failure, Result, failed};

/// A regular expression over topic names, which must match the whole name. `a,b` means `a|b`, as in Kafka's tools.
#[derive(Clone, Debug)]
pub(crate) struct TopicFilter(Regex);

impl TopicFilter {
    /// # Errors
    /// When it is no regular expression.
    pub(crate) fn new(text: &str) -> Result<Self> {
        let text = text.trim().replace(',', "|").replace(' ', "");
        let text = text.trim_matches(['"', '\'']);
        match Regex::new(&format!("^(?:{text})$")) {
            Ok(regex) => Ok(Self(regex)),
            Err(_) => Err(Failure::Error(format!("{text} is an invalid regex."))),
        }
    }

    pub(crate) fn allows(&self, topic: &str) -> bool {
        self.0.is_match(topic)
    }
}

/// Whether Kafka keeps the topic for itself.
pub(crate) fn is_internal(topic: &str) -> bool {
    matches!(topic, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// A rule of `--topic-partitions`, or what `--topic` and `--partitions` say together.
#[derive(Clone, Debug)]
pub(crate) struct PartitionFilter {
    topics: TopicFilter,
    /// First, inclusive, and last, exclusive.
    ranges: Vec<(i32, i32)>,
}

impl PartitionFilter {
    pub(crate) fn allows(&self, topic: &str, partition: PartitionIndex) -> bool {
        self.topics.allows(topic) && self.ranges.iter().any(|(from, to)| (*from..*to).contains(&partition.0))
    }
}

const ALL_PARTITIONS: (i32, i32) = (0, i32::MAX);

/// The filters of `--topic` and `--partitions`.
///
/// # Errors
/// Partitions that are no numbers.
pub(crate) fn of_topic(topic: Option<&str>, partitions: Option<&str>) -> Result<Vec<PartitionFilter>> {
    let topics = TopicFilter::new(topic.unwrap_or(".*"))?;
    let ranges = match partitions.filter(|text| !text.is_empty()) {
        None => vec![ALL_PARTITIONS],
        Some(text) => {
            let number = |part: &str| part.trim().parse::<i32>().ok().map(|n| (n, n + 1));
            let ranges: Option<Vec<_>> = text.split(',').map(number).collect();
            ranges.ok_or_else(|| {
                Failure::Error(format!(
                    "--partitions expects a comma separated list of numeric partition ids, but received: {text}"
                ))
            })?
        }
    };
    Ok(vec![PartitionFilter { topics, ranges }])
}

/// The filters of `--topic-partitions`: `topic`, `topic:3`, `topic:1-5`, `topic:1-`, `topic:-5`, separated by commas. The
/// topic is a regular expression and may be left out; a range's end is exclusive.
///
/// # Errors
/// A rule of another form.
pub(crate) fn of_rules(text: &str) -> Result<Vec<PartitionFilter>> {
    text.split(',').map(rule).collect()
}

fn rule(text: &str) -> Result<PartitionFilter> {
    let (topic, partitions) = match text.rsplit_once(':') {
        Some((topic, partitions)) => (topic, partitions),
        None => (text, ""),
    };
    let number = |part: &str, default: i32| match part {
        "" => Ok(default),
        digits => {
            digits.parse::<i32>().map_err(|_| Failure::Error(format!("Invalid rule specification: {text}")))
        }
    };
    let range = match partitions.split_once('-') {
        Some((from, to)) => (number(from, 0)?, number(to, i32::MAX)?),
        None if partitions.is_empty() => ALL_PARTITIONS,
        None => {
            let only = number(partitions, 0)?;
            (only, only.saturating_add(1))
        }
    };
    if range.0 < 0 || range.1 < 0 {
        return failed(format!("Invalid rule specification: {text}"));
    }
    let topics = TopicFilter::new(if topic.is_empty() { ".*" } else { topic })?;
    Ok(PartitionFilter { topics, ranges: vec![range] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_choose_partitions() {
        let check = |rules: &str, topic: &str, expect: &[i32]| {
            let filters = of_rules(rules).unwrap();
            let allowed = |n: &i32| filters.iter().any(|filter| filter.allows(topic, PartitionIndex(*n)));
            assert_eq!((0..6).filter(allowed).collect::<Vec<_>>(), expect, "{rules} {topic}");
        };
        check("t:1", "t", &[1]);
        check("t:1-3", "t", &[1, 2]);
        check("t:4-", "t", &[4, 5]);
        check("t:-2", "t", &[0, 1]);
        check("t", "t", &[0, 1, 2, 3, 4, 5]);
        check("t", "tt", &[]);
        check(":0", "any", &[0]);
        check("t.*:0,u:1", "tx", &[0]);
        check("t.*:0,u:1", "u", &[1]);
        assert!(of_rules("t:x").is_err());
        assert!(of_topic(Some("t"), Some("0,x")).is_err());
        assert!(of_topic(Some("("), None).is_err());
    }

    #[test]
    fn commas_are_alternatives() {
        let filter = TopicFilter::new("a, b.c").unwrap();
        let allowed = ["a", "bxc", "ab", "xa"].map(|topic| filter.allows(topic));
        assert_eq!(allowed, [true, true, false, false]);
    }
}
