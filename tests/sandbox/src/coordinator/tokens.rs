//! Tokens in their usual shapes, each given out once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids;

/// A short one, or a JWT of this size.
pub fn job_token(bytes: Option<usize>) -> String {
    let Some(bytes) = bytes else {
        return format!("glcbt-64_{}", word(20));
    };
    let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#);
    let mut token = format!("glcbt-{head}.");
    while token.len() < bytes {
        token.push_str(&word(24));
    }
    token.truncate(bytes - 1);
    token.insert(bytes / 4 * 3, '.');
    token
}

/// As `POST /runners` gives it to a runner that registers.
pub fn runner_token() -> String {
    format!("t1_{}", word(20))
}

fn word(length: usize) -> String {
    let seed = [ids::uuid(), ids::uuid()].concat();
    let mut word = URL_SAFE_NO_PAD.encode(seed.replace('-', ""));
    word.truncate(length);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_tokens_differ_within_their_first_letters() {
        let (one, other) = (job_token(Some(1536)), job_token(Some(1536)));
        assert_eq!(one.len(), 1536);
        assert_ne!(one[..80], other[..80]);
    }
}
