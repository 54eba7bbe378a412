//! What a runner's token looks like, and how much of it may be shown. GitLab page, 7.4 and 7.6.

use ring::digest;

use crate::secret::Secret;

/// How tokens begin of which GitLab uses the part behind for names.
const PREFIXES: [&str; 9] = [
    "glrt-t1_",
    "glrt-t2_",
    "glrt-t3_",
    "glrt-",
    "t1_",
    "t2_",
    "t3_",
    "glrtr-",
    "GR1348941",
];

/// gitlab-runner uses as much of the part behind the prefix.
const SHORT_TOKEN: usize = 9;
/// The Python runner uses as much, of the whole token.
const SHORT_NAME: usize = 8;

/// How a runner is told from all others, in names of machines and in the state file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunnerName {
    pub unique: String,
    /// By the Python runner's rule, the first 8 characters of the token: with tokens that begin
    /// with a prefix many runners have the same.
    pub former: String,
}

impl RunnerName {
    /// The name of a runner of the coordinator at `url`; `taken` are those of the runners before it.
    ///
    /// It is the same by both rules, unless the token begins with a prefix or another runner has
    /// that name. Behind a prefix there may be ids common to an instance, so then a hash of token
    /// and address makes the difference.
    #[must_use]
    pub fn of(token: &Secret, url: &str, taken: &[Self]) -> Self {
        let (prefix, rest) = split(token.reveal());
        let former = name_characters(token.reveal());
        let is_taken = taken.iter().any(|other| other.unique == former);
        if prefix.is_empty() && !is_taken {
            return Self {
                unique: former.clone(),
                former,
            };
        }
        let hash = digest::digest(
            &digest::SHA256,
            (url.to_owned() + token.reveal()).as_bytes(),
        );
        let bytes = hash.as_ref().iter().take(3);
        let unique = bytes.fold(name_characters(rest), |name, byte| {
            name + &format!("{byte:02x}")
        });
        Self { unique, former }
    }
}

fn name_characters(token: &str) -> String {
    token.chars().take(SHORT_NAME).collect()
}

/// As much of a token as gitlab-runner uses to name things, and never all of it.
pub(super) fn short_token(token: &Secret) -> Secret {
    let (prefix, rest) = split(token.reveal());
    let shown = SHORT_TOKEN.min(rest.chars().count() / 2);
    let shown: String = rest.chars().take(shown).collect();
    Secret::new(format!("{prefix}{shown}"))
}

/// The prefix, maybe with an instance's own before it, and the part that is random.
fn split(token: &str) -> (&str, &str) {
    let start = token.find("glrt-").unwrap_or(0);
    let known = PREFIXES
        .iter()
        .find(|prefix| token[start..].starts_with(*prefix));
    known.map_or(("", token), |prefix| token.split_at(start + prefix.len()))
}

#[cfg(test)]
mod tests {
    use super::{RunnerName, short_token};
    use crate::secret::Secret;

    #[test]
    fn a_machine_gets_the_part_of_the_token_that_names_things() {
        for (token, short) in [
            ("D3adNQYu8OCjkYDbwDaG", "D3adNQYu8"),
            ("glrt-D3adNQYu8OCjkYDbwDaG", "glrt-D3adNQYu8"),
            ("glrt-t3_D3adNQYu8OCjkYDbwDaG", "glrt-t3_D3adNQYu8"),
            (
                "acme-glrt-t1_D3adNQYu8OCjkYDbwDaG",
                "acme-glrt-t1_D3adNQYu8",
            ),
            ("GR1348941D3adNQYu8OCjkYDbwDaG", "GR1348941D3adNQYu8"),
            ("tiny", "ti"),
        ] {
            assert_eq!(
                short_token(&Secret::new(token)),
                Secret::new(short),
                "{token}"
            );
        }
    }

    #[test]
    fn names_are_those_of_the_python_runner_unless_they_would_collide() {
        let name = |token: &str| RunnerName::of(&Secret::new(token), "https://here", &[]);
        let plain = name("D3adNQYu8OCjkYDbwDaG");
        assert_eq!(
            (plain.unique.as_str(), plain.former.as_str()),
            ("D3adNQYu", "D3adNQYu")
        );
        let (one, two) = (name("glrt-t3_sameSAME1"), name("glrt-t3_sameSAME2"));
        assert_eq!(one.former, two.former);
        assert_ne!(one.unique, two.unique);
        assert!(one.unique.starts_with("sameSAME"), "{one:?}");
        let token = Secret::new("D3adNQYu8OCjkYDbwDaG");
        let elsewhere = RunnerName::of(&token, "https://there", std::slice::from_ref(&plain));
        assert_ne!(elsewhere.unique, plain.unique);
        assert_eq!(elsewhere.former, plain.former);
    }
}
