//! What can be saved of a payload that came damaged.
//!
//! A job is `running` from the moment of its grant, so one that nobody can read would hang for an
//! hour. What doesn't change a job's meaning is mended, as other JSON readers do by themselves; of
//! anything else the two values are found that are needed to say that it failed.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::CharIndices;

use super::JobCredentials;
use crate::names::JobId;
use crate::secret::Secret;

/// What stands for something unreadable, as Go's and Ruby's JSON readers have it.
const UNREADABLE: &str = "\\ufffd";

/// The text without a byte order mark, and with every character that JSON does not allow within a
/// string replaced: bytes that are no UTF-8 and halves of surrogate pairs by U+FFFD, control codes
/// by their escapes.
#[must_use]
pub fn mended(text: &[u8]) -> Cow<'_, str> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    match String::from_utf8_lossy(text) {
        Cow::Borrowed(text) => mended_strings(text),
        Cow::Owned(text) => match mended_strings(&text) {
            Cow::Owned(mended) => Some(mended),
            Cow::Borrowed(_) => None,
        }
        .unwrap_or(text)
        .into(),
    }
}

fn mended_strings(text: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut kept = 0;
    let mut in_string = false;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let replacement = match character {
            '"' => {
                in_string = !in_string;
                None
            }
            '\\' if in_string => mended_escape(text, at, &mut characters),
            '\0'..='\x1f' if in_string => Some(format!("\\u{:04x}", character as u32)),
            _ => None,
        };
        if let Some(replacement) = replacement {
            mended.push_str(&text[kept..at]);
            mended.push_str(&replacement);
            kept = characters.peek().map_or(text.len(), |(next, _)| *next);
        }
    }
    if kept == 0 {
        return text.into();
    }
    mended.push_str(&text[kept..]);
    mended.into()
}

/// Goes on behind the escape that begins at `at`; with what to put in its place, if it stands for
/// half of a character.
fn mended_escape(
    text: &str,
    at: usize,
    characters: &mut Peekable<CharIndices<'_>>,
) -> Option<String> {
    let Some(unit) = code_unit(text, at) else {
        characters.next();
        return None;
    };
    let is_pair = matches!(unit, 0xd800..0xdc00)
        && code_unit(text, at + ESCAPE).is_some_and(|next| matches!(next, 0xdc00..0xe000));
    let length = if is_pair { 2 * ESCAPE } else { ESCAPE };
    // Past the backslash.
    characters.nth(length - 2);
    (!is_pair && matches!(unit, 0xd800..0xe000)).then(|| UNREADABLE.to_owned())
}

/// Of `\u0000`.
const ESCAPE: usize = 6;

/// What the escape at `at` says, if there is one with four digits.
fn code_unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + ESCAPE)?.strip_prefix("\\u")?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| are_digits)
}

/// The first whole `id` and `token` of the first object in a text that need be no JSON. Only of
/// that object: deeper ones have those of other jobs.
#[must_use]
pub fn credentials(text: &str) -> Option<JobCredentials> {
    let (mut id, mut token) = (None, None);
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(place) = rest.find(['"', '{', '[', '}', ']']) {
        let mark = rest.as_bytes()[place];
        rest = &rest[place + 1..];
        match mark {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return None,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {
                let (key, behind) = string(rest)?;
                rest = behind;
                let value = behind.trim_start().strip_prefix(':').map(str::trim_start);
                if let (1, Some(value)) = (depth, value) {
                    match key {
                        "id" => id = id.or_else(|| number(value)),
                        "token" => token = token.or_else(|| token_of(value)),
                        _ => {}
                    }
                    rest = value;
                }
            }
        }
        if let (Some(id), Some(token)) = (id, &token) {
            let token = Secret::new(token);
            return Some(JobCredentials { id, token });
        }
    }
    None
}

/// A string whose first quote is behind us, as it is written, and what follows it.
fn string(text: &str) -> Option<(&str, &str)> {
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

/// A number that is certainly whole; some write theirs as strings.
fn number(value: &str) -> Option<JobId> {
    let digits = match value.strip_prefix('"') {
        Some(quoted) => string(quoted)?.0,
        None => &value[..value.find([',', '}', ' ', '\t', '\r', '\n'])?],
    };
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| are_digits).map(JobId)
}

fn token_of(value: &str) -> Option<String> {
    let (written, _) = string(value.strip_prefix('"')?)?;
    let token: String = serde_json::from_str(&format!("\"{written}\"")).ok()?;
    Some(token).filter(|token| is_token(token))
}

/// Whether it can be sent in a header: without that it serves nothing.
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{credentials, mended};

    #[test]
    fn what_is_no_character_becomes_one_and_nothing_else_changes() {
        for (damaged, whole) in [
            (&b"\xef\xbb\xbf{}"[..], "{}"),
            (b"{\"k\xff\": \"v\xc3\"}", "{\"k\u{fffd}\": \"v\u{fffd}\"}"),
            (
                br#"["\ud800", "\uDFFFx", "\\ud800"]"#,
                r#"["\ufffd", "\ufffdx", "\\ud800"]"#,
            ),
            (
                br#"{"\ud83d\ude00": "\ud83d\ud83d\ude00"}"#,
                r#"{"\ud83d\ude00": "\ufffd\ud83d\ude00"}"#,
            ),
            (
                br#"["\ud8", "\u+123", "\x"]"#,
                r#"["\ud8", "\u+123", "\x"]"#,
            ),
            (b"[\"a\0b\nc\"]\n\0", "[\"a\\u0000b\\u000ac\"]\n\0"),
            ("[\"\\\u{e9}\\ud800\"]".as_bytes(), "[\"\\\u{e9}\\ufffd\"]"),
        ] {
            assert_eq!(mended(damaged), whole, "{damaged:?}");
        }
    }

    #[test]
    fn a_job_is_known_by_the_first_whole_id_and_token_of_its_own_object() {
        for (text, expected) in [
            (r#"{"id": 7, "token": "t", "x": [tr"#, Some((7, "t"))),
            (
                r#"{"token":"t","id":"7"}{"id":8,"token":"u"}"#,
                Some((7, "t")),
            ),
            (
                "{\"x\":{\"id\":1,\"token\":\"u\"}, \"id\" :\n7,\"token\"\t: \"t\\u002d\"",
                Some((7, "t-")),
            ),
            (r#"<p class="x">{"id":7,"id":8,"token":"t""#, Some((7, "t"))),
            (r#"{"id": 7"#, None),
            (r#"{"token": "t", "id": 7"#, None),
            (r#"{"id": 7, "token": "t"#, None),
            (r#"{"id": 7, "token": ""}"#, None),
            (r#"{"id": 7, "token": "t\u0000"}"#, None),
            (r#"{"id": 7.5, "token": "t"}"#, None),
            (r#"{"id": -7, "token": "t"}"#, None),
            (r#"{"id": 18446744073709551616, "token": "t"}"#, None),
            (r#"{"id": 7, "dependencies": [{"token": "u""#, None),
            (r#"{"id": 7}, "token": "t"}"#, None),
        ] {
            let found = credentials(text);
            let found = found.as_ref().map(|job| (job.id.0, job.token.reveal()));
            assert_eq!(found, expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn mending_leaves_good_json_alone_and_makes_any_string_readable(
            good in "\\PC{0,40}",
            bad in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\\'), Just(b'u'), Just(b'd')], 0..40),
        ) {
            let good = serde_json::Value::from(good).to_string();
            prop_assert_eq!(mended(good.as_bytes()), good.as_str());
            let _ = mended(&bad);
            let _ = credentials(&String::from_utf8_lossy(&bad));
            let bad: Vec<u8> = bad.into_iter().filter(|byte| !b"\"\\".contains(byte)).collect();
            let quoted = [b"\"\\ud800", &bad[..], b"\""].concat();
            prop_assert!(serde_json::from_str::<String>(&mended(&quoted)).is_ok());
        }
    }
}
