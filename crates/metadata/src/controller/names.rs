//! Which names a topic may have.
//!
//! `.` and `_` become the same character in the names of metrics, so that two topics whose names differ only in them
//! collide.

/// Kafka's limit for a topic's name, in UTF-16 code units.
const LENGTH_MAX: usize = 249;

/// The topic of the metadata log itself.
pub const CLUSTER_METADATA: &str = "__cluster_metadata";

/// Checks a name.
///
/// # Errors
/// What is wrong with it, in Kafka's words.
///
/// # Errors
/// The sentence.
pub fn validate(name: &str) -> Result<(), String> {
    let length = name.encode_utf16().count();
    let legal = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    let reason = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." => "'.' is not allowed".to_owned(),
        ".." => "'..' is not allowed".to_owned(),
        _ if length > LENGTH_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {LENGTH_MAX}")
        }
        _ if !name.chars().all(legal) => {
            format!(
                "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
            )
        }
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {reason}"))
}

/// What colliding names have in common; `None` for names that cannot collide.
pub(crate) fn collision_key(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_refused_in_kafkas_words() {
        let check = |name: &str, expect: &str| assert_eq!(validate(name), Err(expect.to_owned()), "{name}");
        check("", "Topic name is invalid: the empty string is not allowed");
        check(".", "Topic name is invalid: '.' is not allowed");
        check("..", "Topic name is invalid: '..' is not allowed");
        let long = "x".repeat(250);
        let expect = format!(
            "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
        );
        check(&long, &expect);
        for name in ["a b", "ä", "a/b", "a:b", "a\n"] {
            let expect = format!(
                "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', \
                 '_' and '-'"
            );
            check(name, &expect);
        }
    }

    #[test]
    fn all_others_are_fine() {
        for name in ["a", "...", "_", "A-1.b_c", &"x".repeat(249)] {
            assert_eq!(validate(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn only_names_with_dot_or_underscore_collide() {
        let check = |name: &str, expect: Option<&str>| assert_eq!(collision_key(name).as_deref(), expect);
        check("plain-1", None);
        check("a.b", Some("a_b"));
        check("a_b", Some("a_b"));
        check("a.b_c.d", Some("a_b_c_d"));
    }
}
