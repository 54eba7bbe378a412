//! Hashes and chance, mostly as text: the one place that speaks to `ring`.
//!
//! Text is written in lower-case hexadecimal digits, two for each byte, unless a name says otherwise.
//! What is hashed, and whether it is a secret, is for the caller to know.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{Context, SHA256, digest};
use ring::error::Unspecified;
use ring::hmac::{HMAC_SHA256, HMAC_SHA512, Key, sign};
use ring::rand::{SecureRandom, SystemRandom};

/// The first `bytes` bytes (at most 32) of the SHA-256 of `parts`, as if they were written one
/// after the other: where one could end elsewhere, put a separator between them.
#[must_use]
pub fn sha256_hex(parts: &[&[u8]], bytes: usize) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    hex(context.finish().as_ref(), bytes)
}

/// The SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// The first `bytes` bytes (at most 32) of the HMAC-SHA-256 of `message`.
#[must_use]
pub fn hmac_sha256_hex(key: &[u8], message: &[u8], bytes: usize) -> String {
    let key = Key::new(HMAC_SHA256, key);
    hex(sign(&key, message).as_ref(), bytes)
}

/// The HMAC-SHA-512 of `message`, in base 64: as OAuth signs.
#[must_use]
pub fn hmac_sha512_base64(key: &[u8], message: &[u8]) -> String {
    let key = Key::new(HMAC_SHA512, key);
    BASE64_STANDARD.encode(sign(&key, message))
}

/// So many bytes of the system's chance.
///
/// # Errors
/// When the system has none to give, which it doesn't explain.
pub fn random_hex(bytes: usize) -> Result<String, Unspecified> {
    let mut random = vec![0; bytes];
    SystemRandom::new().fill(&mut random)?;
    Ok(hex(&random, bytes))
}

fn hex(all: &[u8], bytes: usize) -> String {
    let first = all.iter().take(bytes);
    first.fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::{hmac_sha256_hex, hmac_sha512_base64, random_hex, sha256_hex};

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn a_hash_is_that_of_its_parts_together() {
        assert_eq!(sha256_hex(&[b"abc"], 4), "ba7816bf");
        assert_eq!(sha256_hex(&[b"a", b"", b"bc"], 4), "ba7816bf");
        assert_eq!(sha256_hex(&[b"abc"], 999).len(), 64);
    }

    /// RFC 4231, test case 2.
    #[test]
    fn an_hmac_is_that_of_the_standard() {
        let hmac = hmac_sha256_hex(b"Jefe", b"what do ya want for nothing?", 6);
        assert_eq!(hmac, "5bdcc146bf60");
        let hmac = hmac_sha512_base64(b"Jefe", b"what do ya want for nothing?");
        assert!(hmac.starts_with("Fkt6e/z4GeLjlfvnO1bgo4e9ZCIugx"), "{hmac}");
    }

    #[test]
    fn chance_is_as_long_as_asked_for_and_never_the_same() {
        let (one, two) = (random_hex(16).unwrap(), random_hex(16).unwrap());
        assert_eq!((one.len(), two.len()), (32, 32));
        assert_ne!(one, two);
    }
}
