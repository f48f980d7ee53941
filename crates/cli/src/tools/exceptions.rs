//! The names by which Kafka's tools print errors: those of its Java exceptions.

use base::error_code::ErrorCode;
use client::Error;

/// As Java prints the exception: its name and its message.
pub(crate) fn printed(error: &Error) -> String {
    match error.code() {
        Some(code) => format!("org.apache.kafka.common.errors.{}: {error}", name(code)),
        None => error.to_string(),
    }
}

/// The exception of an error code: most are named after it.
fn name(code: ErrorCode) -> String {
    match code {
        ErrorCode::INVALID_CONFIG => return "InvalidConfigurationException".to_owned(),
        ErrorCode::KAFKA_STORAGE_ERROR => return "KafkaStorageException".to_owned(),
        ErrorCode::REQUEST_TIMED_OUT => return "TimeoutException".to_owned(),
        ErrorCode::UNKNOWN_SERVER_ERROR => return "UnknownServerException".to_owned(),
        _ => {}
    }
    let word = |word: &str| {
        let (first, rest) = word.split_at(1);
        format!("{first}{}", rest.to_lowercase())
    };
    let name = code.name().unwrap_or("UNKNOWN_SERVER_ERROR");
    let name: String = name.trim_end_matches("_EXCEPTION").split('_').map(word).collect();
    format!("{name}Exception")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_of_exceptions() {
        let check = |code, expect: &str| assert_eq!(name(code), format!("{expect}Exception"));
        check(ErrorCode::OFFSET_OUT_OF_RANGE, "OffsetOutOfRange");
        check(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "UnknownTopicOrPartition");
        check(ErrorCode::POLICY_VIOLATION, "PolicyViolation");
        check(ErrorCode::INVALID_CONFIG, "InvalidConfiguration");
        check(ErrorCode::INVALID_TOPIC_EXCEPTION, "InvalidTopic");
        check(ErrorCode::KAFKA_STORAGE_ERROR, "KafkaStorage");
    }
}
