//! What is asked about a cache of jobs: the S3 server, the bucket, and the key. Clever page, 6.3.

use super::Trouble;
use super::prompt::Person;
use super::questions::{CACHE_ACCESS_KEY, CACHE_BUCKET, CACHE_SECRET_KEY, CACHE_SERVER};
use super::secret_reference;
use super::section::Cache;
use crate::secret::Secret;

/// What is answered when there is to be no cache.
const NO_CACHE: &str = "none";

/// None, where there is to be none.
///
/// # Errors
/// [`Trouble`] when an answer can't be had.
pub fn ask(person: &mut Person<'_>) -> Result<Option<Cache>, Trouble> {
    let server = person.answer(CACHE_SERVER.asked().or(NO_CACHE), server)?;
    let Some(server) = server else {
        return Ok(None);
    };
    // The inner runner follows no references.
    let key = |written: &str| {
        let written = secret_reference::usable(written)?;
        if ["env:", "file:"].iter().any(|way| written.starts_with(way)) {
            return Err(
                "it must be the key itself: it travels to the machines as it is".to_owned(),
            );
        }
        Ok(Secret::new(written))
    };
    Ok(Some(Cache {
        server,
        bucket: person.answer(CACHE_BUCKET.asked(), bucket)?,
        access_key: person.answer(CACHE_ACCESS_KEY.asked(), key)?,
        secret_key: person.answer(CACHE_SECRET_KEY.asked(), key)?,
    }))
}

/// A host, maybe with a port.
fn server(text: &str) -> Result<Option<String>, String> {
    if text == NO_CACHE {
        return Ok(None);
    }
    let host = text.strip_prefix("https://").unwrap_or(text);
    let host = host.trim_end_matches('/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    if host.is_empty() || !host.chars().all(is_plain) {
        return Err("it must be a host, maybe with a port, that speaks https".to_owned());
    }
    Ok(Some(host.to_owned()))
}

fn bucket(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        return Err("it must be made of small letters, digits, - and .".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{bucket, server};

    #[test]
    fn a_cache_has_a_host_and_a_bucket_that_can_be() {
        let host = |text| server(text).map(Option::unwrap_or_default);
        for (text, is) in [
            ("cellar.example.org", "cellar.example.org"),
            ("https://cellar.example.org/", "cellar.example.org"),
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("none", ""),
        ] {
            assert_eq!(host(text).as_deref(), Ok(is), "{text}");
        }
        for bad in ["", "http://x", "x/bucket", "two words"] {
            assert!(server(bad).is_err(), "{bad}");
        }
        assert!(bucket("my-cache.1").is_ok());
        for bad in ["", "My-cache", "a_b", "a/b"] {
            assert!(bucket(bad).is_err(), "{bad}");
        }
    }
}
