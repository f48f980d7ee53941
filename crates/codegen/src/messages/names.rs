//! Names as Rust wants them, and conditions on versions.

use super::model::{Message, Struct, Versions};

/// `TopicId` → `topic_id`; words that Rust keeps for itself get `r#`.
pub(crate) fn snake(name: &str) -> String {
    // The one word of Kafka's with an inner capital that is no word boundary.
    let name = name.replace("KRaft", "Kraft");
    let mut snake = String::with_capacity(name.len() + 4);
    for (place, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    match snake.as_str() {
        "type" | "match" | "move" | "ref" | "use" | "where" | "loop" | "enum" => format!("r#{snake}"),
        _ => snake,
    }
}

/// The condition that holds in `versions` but not in all of `context`; nothing when it always holds.
pub(crate) fn within(versions: Versions, context: Versions) -> Option<String> {
    let from = versions.0 > context.0;
    let to = versions.1 < context.1;
    match (from, to) {
        (false, false) => None,
        _ if versions.0 == versions.1 => Some(format!("v == {}", versions.0)),
        (true, false) => Some(format!("v >= {}", versions.0)),
        (false, true) => Some(format!("v <= {}", versions.1)),
        (true, true) => Some(format!("({}..={}).contains(&v)", versions.0, versions.1)),
    }
}

/// Whether the compact form is used, as an expression: `true`, `false`, or the local `flex`.
pub(crate) fn flexible(message: &Message, one: &Struct) -> &'static str {
    match message.flexible {
        None => "false",
        Some(first) if first <= one.versions.0 => "true",
        Some(first) if first > one.versions.1 => "false",
        Some(_) => "flex",
    }
}

/// `let flex = …;` when [`flexible`] needs it.
pub(crate) fn flexible_local(message: &Message, one: &Struct) -> String {
    match (flexible(message, one), message.flexible) {
        ("flex", Some(first)) => format!("        let flex = v >= {first};\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_snakes() {
        let check = |name: &str, expect: &str| assert_eq!(snake(name), expect);
        check("TopicId", "topic_id");
        check("commitTimestamp", "commit_timestamp");
        check("KRaftVersionFeature", "kraft_version_feature");
        check("Type", "r#type");
    }

    #[test]
    fn conditions_are_the_shortest() {
        let check = |versions: (i16, i16), expect: Option<&str>| {
            assert_eq!(within(Versions(versions.0, versions.1), Versions(3, 9)).as_deref(), expect);
        };
        check((3, 9), None);
        check((4, 9), Some("v >= 4"));
        check((3, 4), Some("v <= 4"));
        check((4, 4), Some("v == 4"));
        check((4, 5), Some("(4..=5).contains(&v)"));
    }
}
